/** Draws wires, far nodes and the marquee on the one <canvas>. */
import type { Kind } from "../net/schema.ts";
import { title } from "../app/editing.ts";
import { opened, selectedEdge, selectedFrame, selection } from "../app/store.ts";
import { themeColors } from "./colors.ts";
import { type Curve, partAt, through } from "./curves.ts";
import { drawFar } from "./far.ts";
import { drawFrames } from "./frames.ts";
import { portPoint } from "./geometry.ts";
import type { Rect } from "./grid.ts";
import { curves, dropEdge, marquee, pending } from "./scene.ts";
import { shortened } from "./shortened.ts";
import type { JsonObject } from "../model/json.ts";
import { screen, seen, view } from "./view.ts";

const POINT = 5;

export function drawCanvas(canvas: HTMLCanvasElement, isMounted: (id: string) => boolean): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width, height } = screen.peek();
  const ratio = Math.min(2, devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const { x, y, zoom } = view.peek();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio * zoom, 0, 0, ratio * zoom, -x * zoom * ratio, -y * zoom * ratio);
  const rect = seen(16);
  drawFrames(context, rect, zoom, themeColors(), selectedFrame.peek());
  drawWires(context, rect, zoom);
  drawFar(context, rect, zoom, isMounted);
  drawPending(context, zoom);
  drawMarquee(context, zoom);
}

function trace(path: Path2D, { parts }: Curve): void {
  for (const { x1, y1, x2, y2, bend } of parts) {
    path.moveTo(x1, y1);
    path.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
  }
}

function drawWires(context: CanvasRenderingContext2D, rect: Rect, zoom: number): void {
  const { kinds, accent } = themeColors();
  const chosen = selection.peek();
  const { document } = opened.peek();
  const plain = new Map<Kind, Path2D>();
  const bright = new Map<Kind, Path2D>();
  const near = (id: string): boolean => {
    if (!chosen.size) return false;
    const edge = document.edges.get(id);
    return chosen.has(String(edge?.source)) || chosen.has(String(edge?.target));
  };
  for (const [id, curve] of curves) {
    if (curve.right < rect.x || curve.left > rect.x + rect.width || curve.top > rect.y + rect.height || curve.bottom < rect.y) continue;
    const lit = near(id);
    if (curve.hidden && !lit) {
      drawStub(context, curve, kinds[curve.kind], zoom, document.edges.get(id));
      continue;
    }
    const paths = lit ? bright : plain;
    let path = paths.get(curve.kind);
    if (!path) paths.set(curve.kind, (path = new Path2D()));
    trace(path, curve);
  }
  const dim = pending.peek() ? 0.25 : chosen.size && zoom < 0.3 ? 0.4 : 0.75;
  const line = Math.max(1.75, 1 / zoom);
  const stroke = (paths: Map<Kind, Path2D>, alpha: number, width: number): void => {
    context.globalAlpha = alpha;
    context.lineWidth = width;
    for (const [kind, path] of paths) {
      context.strokeStyle = kinds[kind];
      context.stroke(path);
    }
  };
  stroke(plain, dim, line);
  stroke(bright, 1, line * 1.35);
  for (const id of [selectedEdge.peek(), dropEdge.peek()]) {
    const curve = id === null ? undefined : curves.get(id);
    if (!curve) continue;
    const path = new Path2D();
    trace(path, curve);
    context.globalAlpha = 1;
    context.strokeStyle = accent;
    context.lineWidth = line * 2;
    context.stroke(path);
  }
  context.globalAlpha = 1;
  if (zoom >= 0.25) drawPoints(context, rect, kinds);
}

/** The points that wires are led through. */
function drawPoints(context: CanvasRenderingContext2D, rect: Rect, kinds: Record<Kind, string>): void {
  for (const curve of curves.values()) {
    if (curve.parts.length < 2 || curve.hidden || curve.right < rect.x || curve.left > rect.x + rect.width) continue;
    context.fillStyle = kinds[curve.kind];
    for (const { x1, y1 } of curve.parts.slice(1)) {
      context.beginPath();
      context.arc(x1, y1, POINT, 0, 7);
      context.fill();
    }
  }
}

/** Both ends of a wire that is hidden, each with the name of the node at the other one. */
function drawStub(context: CanvasRenderingContext2D, { parts }: Curve, color: string, zoom: number, edge: JsonObject | undefined): void {
  const { x1, y1 } = parts[0]!;
  const { x2, y2 } = parts.at(-1)!;
  context.strokeStyle = color;
  context.lineWidth = Math.max(1.75, 1 / zoom);
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 + 18, y1);
  context.moveTo(x2 - 18, y2);
  context.lineTo(x2, y2);
  context.stroke();
  context.setLineDash([]);
  if (zoom < 0.35) return;
  context.fillStyle = color;
  context.font = "500 11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillText(shortened(context, title(String(edge?.target)), LABEL), x1 + 22, y1);
  context.textAlign = "right";
  context.fillText(shortened(context, title(String(edge?.source)), LABEL), x2 - 22, y2);
  context.textAlign = "left";
}

/** Room for the name at a hidden wire. */
const LABEL = 110;

function drawPending(context: CanvasRenderingContext2D, zoom: number): void {
  const wire = pending.peek();
  if (!wire) return;
  const from = portPoint(wire.node, wire.port, wire.side);
  const to = wire.over ? portPoint(wire.over.node, wire.over.port, wire.side === "out" ? "in" : "out") : wire;
  const [a, b] = wire.side === "out" ? [from, to] : [to, from];
  const path = new Path2D();
  trace(path, through([a, b]));
  context.strokeStyle = themeColors().accent;
  context.lineWidth = Math.max(2.5, 1.5 / zoom);
  context.setLineDash(wire.over ? [] : [6, 5]);
  context.stroke(path);
  context.setLineDash([]);
}

function drawMarquee(context: CanvasRenderingContext2D, zoom: number): void {
  const rect = marquee.peek();
  if (!rect) return;
  const { accent } = themeColors();
  context.globalAlpha = 0.1;
  context.fillStyle = accent;
  context.fillRect(rect.x, rect.y, rect.width, rect.height);
  context.globalAlpha = 1;
  context.strokeStyle = accent;
  context.lineWidth = 1 / zoom;
  context.strokeRect(rect.x, rect.y, rect.width, rect.height);
}

export function edgeAt(x: number, y: number, reach: number, except?: (id: string) => boolean): string | null {
  let found: string | null = null;
  for (const [id, curve] of curves) {
    if (!curve.hidden && !except?.(id) && partAt(curve, x, y, reach) >= 0) found = id;
  }
  return found;
}

/** The point of a wire at a place: the edge, and its number among the edge's points. */
export function wirePointAt(x: number, y: number, reach: number): { edge: string; index: number } | null {
  for (const [edge, curve] of curves) {
    if (curve.hidden) continue;
    const index = curve.parts.slice(1).findIndex(({ x1, y1 }) => Math.hypot(x1 - x, y1 - y) <= reach);
    if (index >= 0) return { edge, index };
  }
  return null;
}
