/** The curve of a wire: from an output to the right, through its points, into a property from the left. */
import { part, textOf } from "../model/document.ts";
import type { Edge } from "../model/document.ts";
import type { Point } from "../model/operations.ts";
import { pointsOf } from "../model/points.ts";
import type { Kind } from "../net/schema.ts";
import { checkOf, opened, types } from "../app/store.ts";
import { portPoint } from "./geometry.ts";

export interface Segment {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  bend: number;
}

export interface Curve {
  parts: Segment[];
  kind: Kind;
  hidden: boolean;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Points of wires while they are dragged; the document learns of them when they are let go of. */
export const heldPoints = new Map<string, Point[]>();

export function bendOf(x1: number, y1: number, x2: number, y2: number): number {
  const dx = x2 - x1;
  const far = Math.abs(y2 - y1);
  return dx >= 0 ? Math.max(24, Math.min(dx / 2, 160)) : Math.min(240, 40 - dx / 3 + far / 6);
}

export function kindOf(node: string, output: string): Kind {
  const type = textOf(opened.peek().document.nodes.get(node)?.type);
  const found = types.peek().outputs(type, checkOf(node)).find((one) => one.name === output);
  return found ? types.peek().info(found.type).kind : "any";
}

export function through(stops: readonly Point[], kind: Kind = "any", hidden = false): Curve {
  const parts: Segment[] = [];
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 1; at < stops.length; at++) {
    const [from, to] = [stops[at - 1]!, stops[at]!];
    const bend = bendOf(from.x, from.y, to.x, to.y);
    parts.push({ x1: from.x, y1: from.y, x2: to.x, y2: to.y, bend });
    left = Math.min(left, from.x, to.x - bend);
    right = Math.max(right, from.x + bend, to.x);
    top = Math.min(top, from.y, to.y);
    bottom = Math.max(bottom, from.y, to.y);
  }
  return { parts, kind, hidden, left, right, top, bottom };
}

export function curveOf(edge: Edge): Curve {
  const { document } = opened.peek();
  const from = portPoint(edge.source, edge.sourceHandle, "out");
  const to = portPoint(edge.target, edge.targetHandle, "in");
  const points = heldPoints.get(edge.id) ?? pointsOf(document, edge.id);
  const hidden = part(document.edges.get(edge.id), "ui_properties").hidden === true;
  return through([from, ...points, to], kindOf(edge.source, edge.sourceHandle), hidden);
}

/** The place among a curve's parts that a point lies on, or -1. */
export function partAt(curve: Curve, x: number, y: number, reach: number): number {
  if (x < curve.left - reach || x > curve.right + reach || y < curve.top - reach || y > curve.bottom + reach) return -1;
  return curve.parts.findIndex((one) => isNear(one, x, y, reach));
}

export function isNear(curve: Segment, x: number, y: number, reach: number): boolean {
  const left = Math.min(curve.x1, curve.x2 - curve.bend) - reach;
  const right = Math.max(curve.x1 + curve.bend, curve.x2) + reach;
  if (x < left || x > right || y < Math.min(curve.y1, curve.y2) - reach || y > Math.max(curve.y1, curve.y2) + reach) return false;
  const steps = 32;
  let before = pointAt(curve, 0);
  for (let step = 1; step <= steps; step++) {
    const after = pointAt(curve, step / steps);
    if (distance(x, y, before, after) <= reach) return true;
    before = after;
  }
  return false;
}

export function pointAt(curve: Segment, at: number): Point {
  const rest = 1 - at;
  const [a, b, c, d] = [rest ** 3, 3 * rest ** 2 * at, 3 * rest * at ** 2, at ** 3];
  return {
    x: a * curve.x1 + b * (curve.x1 + curve.bend) + c * (curve.x2 - curve.bend) + d * curve.x2,
    y: (a + b) * curve.y1 + (c + d) * curve.y2,
  };
}

function distance(x: number, y: number, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const at = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - a.x) * dx + (y - a.y) * dy) / length));
  return Math.hypot(x - a.x - at * dx, y - a.y - at * dy);
}
