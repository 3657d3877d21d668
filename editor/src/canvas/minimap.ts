/** A small map of the whole workflow; drag in it to go there. */
import { nodeState, selection } from "../app/store.ts";
import { measure } from "./geometry.ts";
import { themeColors } from "./colors.ts";
import { type Rect, Grid } from "./grid.ts";
import { grid, sceneVersion } from "./scene.ts";
import { seen, view } from "./view.ts";

export const MAP_WIDTH = 168;
export const MAP_HEIGHT = 104;
const ROOM = 6;

interface Frame {
  rect: Rect;
  scale: number;
}

let bounds: Rect | null = null;
let boundsAt = -1;

function frameOf(): Frame | null {
  if (boundsAt !== sceneVersion) {
    bounds = grid.bounds();
    boundsAt = sceneVersion;
  }
  if (!bounds) return null;
  const now = seen();
  const both = new Grid();
  both.set("all", bounds);
  both.set("view", now);
  const rect = both.bounds()!;
  const scale = Math.min((MAP_WIDTH - 2 * ROOM) / rect.width, (MAP_HEIGHT - 2 * ROOM) / rect.height);
  return { rect, scale };
}

export function drawMinimap(canvas: HTMLCanvasElement): void {
  const context = canvas.getContext("2d");
  const frame = frameOf();
  if (!context) return;
  const ratio = Math.min(2, devicePixelRatio || 1);
  if (canvas.width !== MAP_WIDTH * ratio) {
    canvas.width = MAP_WIDTH * ratio;
    canvas.height = MAP_HEIGHT * ratio;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, MAP_WIDTH, MAP_HEIGHT);
  if (!frame) return;
  const theme = themeColors();
  const { rect, scale } = frame;
  drawBoxes(context, frame, ratio);
  const now = seen();
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.5;
  context.strokeRect((now.x - rect.x) * scale + ROOM, (now.y - rect.y) * scale + ROOM, now.width * scale, now.height * scale);
}

const kept = typeof document === "undefined" ? null : document.createElement("canvas");
let keptFor = "";

/** The boxes of all nodes: drawn once, and copied until the scene or the frame is another. */
function drawBoxes(context: CanvasRenderingContext2D, { rect, scale }: Frame, ratio: number): void {
  const theme = themeColors();
  const chosen = selection.peek();
  const key = [sceneVersion, rect.x, rect.y, scale, ratio, theme.panel, chosen.size, [...chosen].at(-1)].join();
  const inner = kept?.getContext("2d");
  if (!kept || !inner) return;
  if (key !== keptFor) {
    keptFor = key;
    kept.width = MAP_WIDTH * ratio;
    kept.height = MAP_HEIGHT * ratio;
    inner.setTransform(ratio, 0, 0, ratio, 0, 0);
    inner.globalAlpha = 0.65;
    for (const id of grid.find(rect)) {
      inner.fillStyle = chosen.has(id) ? theme.accent : (theme.marks[nodeState(id).mark] ?? theme.muted);
      const box = measure(id);
      inner.fillRect((box.x - rect.x) * scale + ROOM, (box.y - rect.y) * scale + ROOM, Math.max(2, box.width * scale), Math.max(2, box.height * scale));
    }
  }
  context.drawImage(kept, 0, 0, MAP_WIDTH, MAP_HEIGHT);
}

/** Puts the middle of the view where the map was pressed. */
export function goInMinimap(x: number, y: number): void {
  const frame = frameOf();
  if (!frame) return;
  const now = seen();
  view.value = {
    ...view.peek(),
    x: (x - ROOM) / frame.scale + frame.rect.x - now.width / 2,
    y: (y - ROOM) / frame.scale + frame.rect.y - now.height / 2,
  };
}
