/**
 * What lies on the canvas and where, kept in step with the document, and when it is drawn.
 *
 * `invalidate` asks for one frame; whoever draws is registered with `onFrame`.
 */
import { computed, effect, signal } from "@preact/signals";
import { opened, selectedEdge, selectedFrame, selection, structure, touched } from "../app/store.ts";
import { type Curve, curveOf } from "./curves.ts";
import { forget, measure } from "./geometry.ts";
import { Grid } from "./grid.ts";
import { screen, view } from "./view.ts";

export const grid = new Grid();
export const curves = new Map<string, Curve>();

/** While a wire is dragged: where from, where to, and what is under it. */
export interface Pending {
  node: string;
  port: string;
  side: "in" | "out";
  x: number;
  y: number;
  over: { node: string; port: string } | null;
  fits: (node: string, port: string, side: "in" | "out") => boolean;
  fitting: Set<string>;
}

export const pending = signal<Pending | null>(null);
/** The port that a wire is dragged from: changes twice a drag, unlike the wire itself. */
export const wireFrom = computed(() => (pending.value ? `${pending.value.side} ${pending.value.node} ${pending.value.port}` : ""));
export const marquee = signal<{ x: number; y: number; width: number; height: number } | null>(null);
/** The edge that a dragged node would be put into. */
export const dropEdge = signal<string | null>(null);

/** Counts up when anything on the canvas is another; a look from elsewhere does not count. */
export let sceneVersion = 0;

const drawers = new Set<() => void>();
let asked = false;

export function onFrame(draw: () => void): () => void {
  drawers.add(draw);
  return () => drawers.delete(draw);
}

export function invalidate(): void {
  if (asked || typeof requestAnimationFrame === "undefined") return;
  asked = true;
  requestAnimationFrame(frame);
}

export function frame(): void {
  asked = false;
  for (const draw of drawers) draw();
}

/** Reckons some nodes again, and the wires at them. */
export function update(ids: Iterable<string>): void {
  const { document } = opened.peek();
  const list = [...ids];
  forget(list);
  for (const id of list) {
    if (document.nodes.has(id)) grid.set(id, measure(id));
    else grid.delete(id);
    for (const edge of document.edgesOf(id)) curves.set(edge.id, curveOf(edge));
  }
  sceneVersion++;
  invalidate();
}

/** Moves nodes without another look at what they hold. */
export function moved(ids: Iterable<string>): void {
  const { document } = opened.peek();
  for (const id of ids) {
    grid.set(id, measure(id));
    for (const edge of document.edgesOf(id)) curves.set(edge.id, curveOf(edge));
  }
  sceneVersion++;
  invalidate();
}

/** Draws wires again whose curves were set. */
export function redrawEdges(): void {
  sceneVersion++;
  invalidate();
}

function rebuild(): void {
  const { document } = opened.peek();
  forget();
  grid.clear();
  curves.clear();
  for (const id of document.nodes.keys()) grid.set(id, measure(id));
  for (const id of document.edges.keys()) curves.set(id, curveOf(document.edge(id)!));
  sceneVersion++;
  invalidate();
}

export function keepScene(): () => void {
  let shown: unknown;
  const stop = effect(() => {
    const { document } = opened.value;
    structure.value;
    if (shown !== document) {
      shown = document;
      rebuild();
      return;
    }
    for (const id of curves.keys()) if (!document.edges.has(id)) curves.delete(id);
    sceneVersion++;
    invalidate();
  });
  const redraw = effect(() => {
    view.value;
    screen.value;
    pending.value;
    marquee.value;
    dropEdge.value;
    selection.value;
    selectedEdge.value;
    selectedFrame.value;
    invalidate();
  });
  touched.add(update);
  return () => {
    stop();
    redraw();
    touched.delete(update);
  };
}

export { rebuild };
