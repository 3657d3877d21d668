/** What is let go of on the canvas, and what that does to the document: nodes into wires and frames, points of wires. */
import { commit } from "../app/editing.ts";
import { opened, types } from "../app/store.ts";
import { textOf } from "../model/document.ts";
import type { Patch } from "../model/document.ts";
import { setFrames } from "../model/frames.ts";
import { insertInto, move, type Point } from "../model/operations.ts";
import { movePoints, pointsOf, setPoints } from "../model/points.ts";
import { positionOf } from "../model/document.ts";
import { t } from "../text.ts";
import { type Curve, curveOf, heldPoints, partAt } from "./curves.ts";
import { edgeAt } from "./draw.ts";
import { settled } from "./frames.ts";
import { dragged, measure } from "./geometry.ts";
import { curves, dropEdge, redrawEdges, update } from "./scene.ts";

/** Puts nodes where they were dragged to: wires among them and frames follow, in one step of undo. */
export function dropNodes(ends: ReadonlyMap<string, Point>, node: string): void {
  const { document } = opened.peek();
  for (const [id, place] of ends) dragged.set(id, place);
  const frames = settled(ends.keys());
  dragged.clear();
  heldPoints.clear();
  const edge = dropEdge.peek();
  dropEdge.value = null;
  const fit = edge && fitting(edge, node);
  const begin = positionOf(document.nodes.get(node));
  const end = ends.get(node) ?? begin;
  const ids = new Set(ends.keys());
  const patches: Patch[] = [...move(document, ends), ...movePoints(document, ids, end.x - begin.x, end.y - begin.y), ...setFrames(document, frames)];
  if (edge && fit) patches.push(...insertInto(document, edge, node, fit.property, fit.output));
  commit(fit ? t.connect : t.move, patches);
  update(ids);
}

/** The edge that a single node without wires lies on, and into which it fits. */
export function edgeUnder(id: string): string | null {
  const { document } = opened.peek();
  if (document.edgesOf(id).length || !curves.size) return null;
  const box = measure(id);
  const edge = edgeAt(box.x + box.width / 2, box.y + Math.min(box.height / 2, 40), 24);
  return edge && fitting(edge, id) ? edge : null;
}

function fitting(edgeId: string, id: string): { property: string; output: string } | null {
  const { document } = opened.peek();
  const edge = document.edge(edgeId);
  const type = types.peek().node(textOf(document.nodes.get(id)?.type));
  if (!edge || !type) return null;
  const nodeOf = (one: string) => types.peek().node(textOf(document.nodes.get(one)?.type));
  const given = nodeOf(edge.source)?.outputs.find((one) => one.name === edge.sourceHandle);
  const wanted = nodeOf(edge.target)?.properties.find((one) => one.name === edge.targetHandle);
  const property = given && types.peek().best(given, type.properties);
  const output = wanted && types.peek().bestOutput(wanted, type.outputs);
  return property && output ? { property: property.name, output: output.name } : null;
}

// Points of wires.

/** Reckons the curves of edges again while their points are dragged. */
export function movedEdges(edges: Iterable<string>): void {
  const { document } = opened.peek();
  for (const id of edges) {
    const edge = document.edge(id);
    if (edge) curves.set(id, curveOf(edge));
  }
  redrawEdges();
}

export function dropPoints(edge: string): void {
  const points = heldPoints.get(edge);
  heldPoints.delete(edge);
  if (points) commit(t.reroute, setPoints(opened.peek().document, edge, points));
  movedEdges([edge]);
}

export function addPoint(edge: string, at: Point): void {
  const curve = curves.get(edge);
  if (!curve) return;
  const { document } = opened.peek();
  commit(t.reroute, setPoints(document, edge, pointsOf(document, edge).toSpliced(nearest(curve, at), 0, at)));
}

/** Of a curve's parts the one that comes closest to a point. */
function nearest(curve: Curve, at: Point): number {
  for (let reach = 1; reach <= 64; reach *= 2) {
    const found = partAt(curve, at.x, at.y, reach);
    if (found >= 0) return found;
  }
  return 0;
}

export function removePoint(edge: string, index: number): void {
  const { document } = opened.peek();
  commit(t.reroute, setPoints(document, edge, pointsOf(document, edge).toSpliced(index, 1)));
}
