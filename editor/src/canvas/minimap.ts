/** A small map of the whole workflow; drag in it to go there. */
import { nodeState, selection } from "../app/store.ts";
import { measure } from "./geometry.ts";
import { themeColors } from "./colors.ts";
import { type Rect, union } from "./grid.ts";
import { grid, sceneVersion } from "./scene.ts";
import { seen, view } from "./view.ts";

export const MAP_WIDTH = 168;
export const MAP_HEIGHT = 104;
const ROOM = 6;

interface Frame {
  rect: Rect;
  scale: number;
  /** Where the rectangle begins in the map, whose middle it lies in. */
  left: number;
  top: number;
}

function frameOf(): Frame | null {
  const bounds = grid.bounds();
  if (!bounds) return null;
  const rect = union(bounds, seen());
  const scale = Math.min((MAP_WIDTH - 2 * ROOM) / rect.width, (MAP_HEIGHT - 2 * ROOM) / rect.height);
  return { rect, scale, left: (MAP_WIDTH - rect.width * scale) / 2, top: (MAP_HEIGHT - rect.height * scale) / 2 };
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
  const { rect, scale, left, top } = frame;
  drawBoxes(context, frame, ratio);
  const now = seen();
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.5;
  context.strokeRect((now.x - rect.x) * scale + left, (now.y - rect.y) * scale + top, now.width * scale, now.height * scale);
}

const kept = typeof document === "undefined" ? null : document.createElement("canvas");
let keptFor = "";

/** The boxes of all nodes: drawn once, and copied to where they are seen until the scene is another. */
function drawBoxes(context: CanvasRenderingContext2D, { rect, scale, left, top }: Frame, ratio: number): void {
  const theme = themeColors();
  const chosen = selection.peek();
  const bounds = grid.bounds();
  const inner = kept?.getContext("2d");
  if (!kept || !inner || !bounds) return;
  const key = [sceneVersion, ratio, theme.panel, chosen.size, [...chosen].at(-1)].join();
  if (key !== keptFor) {
    keptFor = key;
    const own = Math.min(MAP_WIDTH / bounds.width, MAP_HEIGHT / bounds.height) * ratio;
    kept.width = Math.max(1, Math.ceil(bounds.width * own));
    kept.height = Math.max(1, Math.ceil(bounds.height * own));
    inner.globalAlpha = 0.65;
    for (const id of grid.find(bounds)) {
      inner.fillStyle = chosen.has(id) ? theme.accent : (theme.marks[nodeState(id).mark] ?? theme.muted);
      const box = measure(id);
      inner.fillRect((box.x - bounds.x) * own, (box.y - bounds.y) * own, Math.max(2, box.width * own), Math.max(2, box.height * own));
    }
  }
  context.drawImage(kept, (bounds.x - rect.x) * scale + left, (bounds.y - rect.y) * scale + top, bounds.width * scale, bounds.height * scale);
}

/** Puts the middle of the view where the map was pressed. */
export function goInMinimap(x: number, y: number): void {
  const frame = frameOf();
  if (!frame) return;
  const now = seen();
  view.value = {
    ...view.peek(),
    x: (x - frame.left) / frame.scale + frame.rect.x - now.width / 2,
    y: (y - frame.top) / frame.scale + frame.rect.y - now.height / 2,
  };
}
