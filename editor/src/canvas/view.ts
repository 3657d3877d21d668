/** Which part of the canvas is seen: a corner and a zoom. */
import { signal } from "@preact/signals";
import type { Rect } from "./grid.ts";

export const MIN_ZOOM = 0.05;
export const MAX_ZOOM = 2;

export interface View {
  /** The point of the canvas in the upper left corner of the screen. */
  x: number;
  y: number;
  zoom: number;
}

export const view = signal<View>({ x: -40, y: -40, zoom: 1 });
export const screen = signal({ width: 800, height: 600 });

export const clampZoom = (zoom: number): number => Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom));

export function toCanvas(x: number, y: number, { x: left, y: top, zoom } = view.peek()): { x: number; y: number } {
  return { x: left + x / zoom, y: top + y / zoom };
}

/** What is seen, in the canvas's own measure, with a margin in pixels of the screen. */
export function seen(margin = 0): Rect {
  const { x, y, zoom } = view.peek();
  const { width, height } = screen.peek();
  return { x: x - margin / zoom, y: y - margin / zoom, width: (width + 2 * margin) / zoom, height: (height + 2 * margin) / zoom };
}

export function panBy(dx: number, dy: number): void {
  const { x, y, zoom } = view.peek();
  view.value = { x: x - dx / zoom, y: y - dy / zoom, zoom };
}

/** Zooms so that what is under a point of the screen stays there. */
export function zoomAt(x: number, y: number, factor: number): void {
  zoomAround(x, y, clampZoom(view.peek().zoom * factor));
}

function zoomAround(x: number, y: number, zoom: number): void {
  const point = toCanvas(x, y, view.peek());
  view.value = { x: point.x - x / zoom, y: point.y - y / zoom, zoom };
}

/** Exactly that much: below a zoom that a factor may just miss, nodes have no fields. */
export function zoomTo(zoom: number): void {
  const { width, height } = screen.peek();
  zoomAround(width / 2, height / 2, clampZoom(zoom));
}

/** Shows a rectangle, with some room around it. */
export function fit(rect: Rect | null, most = 1): void {
  const { width, height } = screen.peek();
  if (!rect) {
    view.value = { x: -width / 2, y: -height / 2, zoom: 1 };
    return;
  }
  const room = Math.min(64, width / 8);
  const zoom = clampZoom(Math.min((width - 2 * room) / Math.max(rect.width, 1), (height - 2 * room) / Math.max(rect.height, 1), most));
  view.value = {
    x: rect.x + rect.width / 2 - width / 2 / zoom,
    y: rect.y + rect.height / 2 - height / 2 / zoom,
    zoom,
  };
}

/** Moves the view as little as is needed for a rectangle to be seen. */
export function reveal(rect: Rect): void {
  const room = 24 / view.peek().zoom;
  const now = seen();
  let { x, y, zoom } = view.peek();
  if (rect.x - room < now.x) x = rect.x - room;
  else if (rect.x + rect.width + room > now.x + now.width) x = Math.min(rect.x - room, rect.x + rect.width + room - now.width);
  if (rect.y - room < now.y) y = rect.y - room;
  else if (rect.y + rect.height + room > now.y + now.height) y = Math.min(rect.y - room, rect.y + rect.height + room - now.height);
  if (x !== view.peek().x || y !== view.peek().y) view.value = { x, y, zoom };
}
