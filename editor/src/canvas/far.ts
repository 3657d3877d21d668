/** Nodes that have no DOM: boxes with title, mark and image, in a size that can still be read. */
import { shortened } from "./shortened.ts";
import { title } from "../app/editing.ts";
import { imageUrl } from "../app/images.ts";
import { imagesOf, nodeResult } from "../app/results.ts";
import { nodeState, opened, selection } from "../app/store.ts";
import { part } from "../model/document.ts";
import { noteText } from "../model/notes.ts";
import { MARKS, type Mark } from "../model/state.ts";
import { thumbnail } from "../net/api.ts";
import { type Colors, themeColors } from "./colors.ts";
import { type Box, HEADER, isNote, measure } from "./geometry.ts";
import type { Rect } from "./grid.ts";
import { curves, grid, invalidate, pending, sceneVersion } from "./scene.ts";

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

export function drawFar(context: CanvasRenderingContext2D, rect: Rect, zoom: number, isMounted: (id: string) => boolean): void {
  const theme = themeColors();
  const chosen = selection.peek();
  const fitting = pending.peek()?.fitting;
  const far = grid.find(rect).filter((id) => !isMounted(id));
  // Titles stay readable when far away, as long as the boxes have room.
  const font = Math.max(13, Math.min(44, 9.5 / zoom));
  const head = Math.max(HEADER, font * 1.5);
  // Corners that can't be seen cost more than all the rest.
  const corner = (path: Path2D, box: Box, height: number): void =>
    zoom < 0.2 ? path.rect(box.x, box.y, box.width, height) : path.roundRect(box.x, box.y, box.width, height, 8);
  context.font = `500 ${font}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  if (facesAt !== sceneVersion) {
    faces.clear();
    facesAt = sceneVersion;
  }
  const boxes = far.map(faceOf);
  const fill = (color: string, add: (path: Path2D, one: (typeof boxes)[number]) => void, which = boxes): void => {
    const path = new Path2D();
    for (const one of which) add(path, one);
    context.fillStyle = color;
    context.fill(path);
  };
  for (const dim of fitting ? [true, false] : [false]) {
    const which = fitting ? boxes.filter((one) => fitting.has(one.id) !== dim) : boxes;
    context.globalAlpha = dim ? 0.35 : 1;
    fill(theme.panel, (path, { box }) => corner(path, box, box.height), which);
    fill(theme.header, (path, { box }) => corner(path, box, zoom < 0.12 ? box.height : Math.min(head, box.height)), which);
  }
  context.globalAlpha = 1;
  const outline = (color: string, width: number, which: typeof boxes): void => {
    const path = new Path2D();
    for (const { box } of which) corner(path, box, box.height);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke(path);
  };
  outline(theme.border, 1 / zoom, boxes.filter((one) => !chosen.has(one.id)));
  outline(theme.accent, 2 / zoom, boxes.filter((one) => chosen.has(one.id)));
  // Too small to tell anything but the state.
  if (zoom < 0.03) return;
  for (const one of boxes) drawFace(context, one, zoom, font, theme, head);
}

interface FarNode {
  id: string;
  box: Box;
  mark: Mark;
  title: string;
  /** As much of the title as has room in a font of this size. */
  shown: string;
  shownAt: number;
  /** Of a note, its text. */
  note: string;
  /** Where its image stands, and which it is. */
  top: number | undefined;
  url: string | null;
}

const faces = new Map<string, FarNode>();
let facesAt = -1;

function faceOf(id: string): FarNode {
  let face = faces.get(id);
  if (!face) {
    const box = measure(id);
    const top = box.resultY ?? box.rows.find((row) => row.kind === "image" && row.height > HEADER)?.y;
    const url = top === undefined ? null : faceUrl(id, box.resultY === null);
    const note = isNote(id) ? noteText(part(opened.peek().document.nodes.get(id), "data").comment) : "";
    faces.set(id, (face = { id, box, mark: nodeState(id).mark, title: title(id), shown: "", shownAt: 0, top, url, note }));
  }
  return face;
}

/** A note's text, broken after so many letters as have room. */
function drawNote(context: CanvasRenderingContext2D, { box, note }: FarNode, zoom: number, font: number, theme: Colors): void {
  const most = Math.floor((box.width - 24) / LETTER);
  const lines = note.split("\n").flatMap((line) => line.match(new RegExp(`.{1,${most}}(?:\\s|$)|\\S{${most}}`, "g")) ?? [""]);
  context.font = `${TEXT}px system-ui, sans-serif`;
  context.fillStyle = theme.text;
  const room = Math.floor((box.height - HEADER - 8) / LINE);
  if (zoom >= 0.25) lines.slice(0, room).forEach((line, at) => context.fillText(line, box.x + 12, box.y + Math.max(HEADER, font * 1.5) + LINE * (at + 0.5)));
  context.font = `500 ${font}px system-ui, sans-serif`;
}

const [TEXT, LINE, LETTER] = [12.5, 18, 6.6];

function drawFace(context: CanvasRenderingContext2D, face: FarNode, zoom: number, font: number, theme: Colors, head: number): void {
  const { id, box, mark, title, top, url } = face;
  if (face.note !== "") drawNote(context, face, zoom, font, theme);
  if (zoom >= 0.12) {
    context.fillStyle = theme.marks[mark] ?? theme.muted;
    context.fillText(MARKS[mark], box.x + 10, box.y + Math.max(HEADER / 2, font * 0.75));
    context.fillStyle = theme.text;
    if (face.shownAt !== font) Object.assign(face, { shownAt: font, shown: shortened(context, title, box.width - 20 - font) });
    context.fillText(face.shown, box.x + 14 + font, box.y + Math.max(HEADER / 2, font * 0.75));
  } else if (mark !== "unchecked" && mark !== "will-run" && mark !== "unneeded") {
    context.fillStyle = theme.marks[mark] ?? theme.muted;
    context.fillRect(box.x, box.y, Math.min(box.width, 5 / zoom), box.height);
  }
  const drawn = url && box.width * zoom > 20 ? loaded(url) : null;
  if (drawn && top !== undefined) {
    // Below the title, which is taller here than on a node that is near.
    const below = Math.max(top, zoom < 0.12 ? 0 : head + 4);
    const room = { width: box.width - 16, height: Math.max(0, box.height - below - 8) };
    const scale = Math.min(room.width / drawn.naturalWidth, room.height / drawn.naturalHeight);
    const [width, height] = [drawn.naturalWidth * scale, drawn.naturalHeight * scale];
    context.drawImage(drawn, box.x + (box.width - width) / 2, box.y + below + (room.height - height) / 2, width, height);
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
    const [first, last] = [found.parts[0]!, found.parts.at(-1)!];
    if (curve.source === id) dot(first.x1, first.y1, theme.kinds[found.kind]);
    else dot(last.x2, last.y2, theme.kinds[found.kind]);
  }
}

/** The image that a node shows: its result, or the one that it was given. */
function faceUrl(id: string, given: boolean): string | null {
  const image = imagesOf(nodeResult(id))[0];
  if (image) return thumbnail(image.url, 256);
  return given ? imageUrl(part(opened.peek().document.nodes.get(id), "data").value, 256) : null;
}
