/** Where frames lie: around their nodes, with a title above. */
import { shortened } from "./shortened.ts";
import { colorOf, readFrames, type Frame } from "../model/frames.ts";
import { opened } from "../app/store.ts";
import { measure } from "./geometry.ts";
import type { Rect } from "./grid.ts";
import { sceneVersion } from "./scene.ts";
import { view } from "./view.ts";

const PAD = 16;
const HEAD = 30;
const READABLE = 22;

export interface FrameBox extends Frame, Rect {}

let boxes: FrameBox[] = [];
let at = -1;

/** All frames, the largest first, so that one within another lies above it. */
export function frameBoxes(): FrameBox[] {
  if (at !== sceneVersion) {
    boxes = readFrames(opened.peek().document).map((frame) => ({ ...frame, ...around(frame.nodes) }));
    boxes.sort((a, b) => b.width * b.height - a.width * a.height);
    at = sceneVersion;
  }
  return boxes;
}

export function frameBox(id: string): FrameBox | undefined {
  return frameBoxes().find((one) => one.id === id);
}

/** The rectangle around nodes, with room for the title. */
export function around(nodes: readonly string[]): Rect {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const id of nodes) {
    const box = measure(id);
    left = Math.min(left, box.x);
    top = Math.min(top, box.y);
    right = Math.max(right, box.x + box.width);
    bottom = Math.max(bottom, box.y + box.height);
  }
  return { x: left - PAD, y: top - PAD - HEAD, width: right - left + 2 * PAD, height: bottom - top + 2 * PAD + HEAD };
}

/** Height of the title, in the canvas's measure: it can be read and hit from far, too. */
export function headHeight(): number {
  return Math.max(HEAD, READABLE / view.peek().zoom);
}

/** The frame whose title is at a point, the innermost first. */
export function frameAt(x: number, y: number): FrameBox | undefined {
  const height = headHeight();
  return frameBoxes().findLast((box) => x >= box.x && x <= box.x + box.width && y >= box.y + HEAD - height && y <= box.y + HEAD);
}

/** Which frame each of some nodes belongs to once it lies where it does now; only what changes. */
export function settled(nodes: Iterable<string>): Map<string, string | null> {
  const moved = new Set(nodes);
  const frames = readFrames(opened.peek().document);
  const rects = frames.map((frame) => {
    const rest = frame.nodes.filter((id) => !moved.has(id));
    return { frame, rest, rect: rest.length ? around(rest) : null };
  });
  const found = new Map<string, string | null>();
  for (const id of moved) {
    const box = measure(id);
    const [x, y] = [box.x + box.width / 2, box.y + Math.min(box.height / 2, 60)];
    const own = rects.find(({ frame }) => frame.nodes.includes(id));
    // A frame that is moved as a whole keeps its nodes.
    if (own && !own.rest.length) continue;
    const inside = rects.filter(({ rect }) => rect && x >= rect.x && x <= rect.x + rect.width && y >= rect.y && y <= rect.y + rect.height);
    const to = inside.sort((a, b) => a.rect!.width * a.rect!.height - b.rect!.width * b.rect!.height)[0]?.frame.id ?? null;
    if (to !== (own?.frame.id ?? null)) found.set(id, to);
  }
  return found;
}

export function drawFrames(context: CanvasRenderingContext2D, seen: Rect, zoom: number, theme: { text: string; canvas: string }, chosen: string | null): void {
  const font = Math.max(14, Math.min(12 / zoom, 90));
  const height = headHeight();
  for (const box of frameBoxes()) {
    if (box.x > seen.x + seen.width || box.x + box.width < seen.x || box.y - height > seen.y + seen.height || box.y + box.height < seen.y) continue;
    const color = colorOf(box.color) ?? theme.text;
    const path = new Path2D();
    // Far away the title grows; the frame grows with it.
    const top = box.y + HEAD - height;
    path.roundRect(box.x, top, box.width, box.y + box.height - top, 12);
    context.fillStyle = color;
    context.globalAlpha = 0.1;
    context.fill(path);
    context.globalAlpha = box.id === chosen ? 1 : 0.55;
    context.strokeStyle = color;
    context.lineWidth = (box.id === chosen ? 2 : 1) / zoom;
    context.stroke(path);
    context.globalAlpha = 1;
    if (zoom < 0.06) continue;
    context.save();
    context.beginPath();
    context.rect(box.x, top, box.width - 8, height);
    context.clip();
    context.font = `600 ${font}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.fillStyle = theme.text;
    const inset = Math.max(12, 8 / zoom);
    context.fillText(shortened(context, box.title, box.width - 2 * inset), box.x + inset, box.y + HEAD - height / 2);
    context.restore();
  }
}
