/** Draws wires, far nodes and the marquee on the one <canvas>. */
import type { Kind } from "../net/schema.ts";
import { MARKS, type Mark } from "../model/state.ts";
import { imagesOf, nodeResult } from "../app/results.ts";
import { nodeState, opened, selectedEdge, selection } from "../app/store.ts";
import { title } from "../app/editing.ts";
import { thumbnail } from "../net/api.ts";
import { type Curve, bendOf, isNear } from "./curves.ts";
import { HEADER, measure, portPoint } from "./geometry.ts";
import type { Rect } from "./grid.ts";
import { curves, dropEdge, grid, invalidate, marquee, pending } from "./scene.ts";
import { screen, seen, view } from "./view.ts";

export interface Colors {
  kinds: Record<Kind, string>;
  marks: Partial<Record<Mark, string>>;
  panel: string;
  header: string;
  border: string;
  text: string;
  muted: string;
  accent: string;
  canvas: string;
}

const KINDS: Kind[] = ["image", "text", "number", "switch", "choice", "model", "color", "file", "list", "any"];
let colors: Colors | null = null;

/** Reads the colours of the theme again at the next frame. */
export function forgetColors(): void {
  colors = null;
  invalidate();
}

export function themeColors(): Colors {
  if (colors) return colors;
  // The computed value of `color` is resolved for the present theme; that of a variable is not.
  const probe = document.createElement("span");
  document.body.append(probe);
  const read = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  colors = {
    kinds: Object.fromEntries(KINDS.map((kind) => [kind, read(`kind-${kind}`)])) as Record<Kind, string>,
    marks: { known: read("good"), "will-run": read("muted"), running: read("accent"), queued: read("accent"), mistake: read("bad"), failed: read("bad"), volatile: read("warn") },
    panel: read("node"),
    header: read("node-header"),
    border: read("node-border"),
    text: read("text"),
    muted: read("muted"),
    accent: read("accent"),
    canvas: read("canvas"),
  };
  probe.remove();
  return colors;
}

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
  drawWires(context, rect, zoom);
  drawFar(context, rect, zoom, isMounted);
  drawPending(context, zoom);
  drawMarquee(context, zoom);
}

function trace(path: Path2D, { x1, y1, x2, y2, bend }: Curve): void {
  path.moveTo(x1, y1);
  path.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
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
    const left = Math.min(curve.x1, curve.x2 - curve.bend);
    const right = Math.max(curve.x1 + curve.bend, curve.x2);
    const top = Math.min(curve.y1, curve.y2);
    if (right < rect.x || left > rect.x + rect.width || top > rect.y + rect.height || Math.max(curve.y1, curve.y2) < rect.y) continue;
    const lit = near(id);
    if (curve.hidden && !lit) {
      drawStub(context, curve, kinds[curve.kind], zoom);
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
}

/** Both ends of a wire that is hidden. */
function drawStub(context: CanvasRenderingContext2D, { x1, y1, x2, y2 }: Curve, color: string, zoom: number): void {
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
}

const images = new Map<string, HTMLImageElement>();
const MOST_IMAGES = 400;

function loaded(url: string): HTMLImageElement | null {
  let image = images.get(url);
  if (!image) {
    image = new Image();
    image.onload = invalidate;
    image.src = url;
    images.set(url, image);
    if (images.size > MOST_IMAGES) images.delete(images.keys().next().value!);
  }
  return image.complete && image.naturalWidth > 0 ? image : null;
}

function drawFar(context: CanvasRenderingContext2D, rect: Rect, zoom: number, isMounted: (id: string) => boolean): void {
  const theme = themeColors();
  const chosen = selection.peek();
  const fitting = pending.peek()?.fitting;
  const far = grid.find(rect).filter((id) => !isMounted(id));
  const font = zoom >= 0.25 ? 13 : Math.min(40, 11 / zoom);
  context.font = `500 ${font}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const boxes = far.map((id) => ({ id, box: measure(id), state: nodeState(id) }));
  const fill = (color: string, add: (path: Path2D, one: (typeof boxes)[number]) => void, which = boxes): void => {
    const path = new Path2D();
    for (const one of which) add(path, one);
    context.fillStyle = color;
    context.fill(path);
  };
  for (const dim of fitting ? [true, false] : [false]) {
    const which = fitting ? boxes.filter((one) => fitting.has(one.id) !== dim) : boxes;
    context.globalAlpha = dim ? 0.35 : 1;
    fill(theme.panel, (path, { box }) => path.roundRect(box.x, box.y, box.width, box.height, 8), which);
    fill(theme.header, (path, { box }) => path.roundRect(box.x, box.y, box.width, zoom < 0.12 ? box.height : HEADER, 8), which);
  }
  context.globalAlpha = 1;
  const outline = (color: string, width: number, which: typeof boxes): void => {
    const path = new Path2D();
    for (const { box } of which) path.roundRect(box.x, box.y, box.width, box.height, 8);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke(path);
  };
  outline(theme.border, 1 / zoom, boxes.filter((one) => !chosen.has(one.id)));
  outline(theme.accent, 2 / zoom, boxes.filter((one) => chosen.has(one.id)));
  for (const one of boxes) drawFace(context, one.id, one.box, one.state.mark, zoom, font, theme);
}

function drawFace(context: CanvasRenderingContext2D, id: string, box: ReturnType<typeof measure>, mark: Mark, zoom: number, font: number, theme: Colors): void {
  if (zoom >= 0.12) {
    context.fillStyle = theme.marks[mark] ?? theme.muted;
    context.fillText(MARKS[mark], box.x + 10, box.y + Math.max(HEADER / 2, font * 0.6));
    context.fillStyle = theme.text;
    context.save();
    context.beginPath();
    context.rect(box.x, box.y, box.width - 6, box.height);
    context.clip();
    context.fillText(title(id), box.x + 14 + font, box.y + Math.max(HEADER / 2, font * 0.6));
    context.restore();
  } else if (mark !== "unchecked" && mark !== "will-run" && mark !== "unneeded") {
    context.fillStyle = theme.marks[mark] ?? theme.muted;
    context.fillRect(box.x, box.y, Math.min(box.width, 5 / zoom), box.height);
  }
  const image = imagesOf(nodeResult(id))[0];
  const drawn = image && box.resultY !== null ? loaded(thumbnail(image.url)) : null;
  if (drawn && box.resultY !== null) {
    const room = { width: box.width - 16, height: box.height - box.resultY - 8 };
    const scale = Math.min(room.width / drawn.naturalWidth, room.height / drawn.naturalHeight);
    const [width, height] = [drawn.naturalWidth * scale, drawn.naturalHeight * scale];
    context.drawImage(drawn, box.x + (box.width - width) / 2, box.y + box.resultY + (room.height - height) / 2, width, height);
  }
  if (zoom < 0.25) return;
  const dot = (x: number, y: number, color: string): void => {
    context.fillStyle = color;
    context.beginPath();
    context.arc(x, y, 4.5, 0, 7);
    context.fill();
  };
  for (const curve of opened.peek().document.edgesOf(id)) {
    const found = curves.get(curve.id);
    if (!found) continue;
    if (curve.source === id) dot(found.x1, found.y1, theme.kinds[found.kind]);
    else dot(found.x2, found.y2, theme.kinds[found.kind]);
  }
}

function drawPending(context: CanvasRenderingContext2D, zoom: number): void {
  const wire = pending.peek();
  if (!wire) return;
  const from = portPoint(wire.node, wire.port, wire.side);
  const to = wire.over ? portPoint(wire.over.node, wire.over.port, wire.side === "out" ? "in" : "out") : wire;
  const [a, b] = wire.side === "out" ? [from, to] : [to, from];
  const path = new Path2D();
  trace(path, { x1: a.x, y1: a.y, x2: b.x, y2: b.y, bend: bendOf(a.x, a.y, b.x, b.y), kind: "any", hidden: false });
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
    if (!curve.hidden && !except?.(id) && isNear(curve, x, y, reach)) found = id;
  }
  return found;
}
