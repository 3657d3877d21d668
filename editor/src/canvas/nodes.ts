/** Mounts the nodes near the view as DOM, a few a frame, and takes away those that are far. */
import { type ComponentChild, render } from "preact";
import { opened, selection } from "../app/store.ts";
import { measure } from "./geometry.ts";
import { grid, invalidate, pending } from "./scene.ts";
import { seen, view } from "./view.ts";

/** Below this zoom fields can't be read: nodes are drawn on the canvas alone. */
export const DOM_ZOOM = 0.5;
const MARGIN = 160;
const A_FRAME = 10;
const MOST = 110;

export class Mounted {
  private readonly elements = new Map<string, HTMLElement>();
  private shown: unknown;
  private over: Element | undefined;

  constructor(
    private readonly layer: HTMLElement,
    private readonly draw: (id: string) => ComponentChild,
  ) {}

  has = (id: string): boolean => this.elements.has(id);

  element(id: string): HTMLElement | undefined {
    return this.elements.get(id);
  }

  /** Brings the DOM in step with the view. `all` mounts at once what is needed. */
  sync(all = false): void {
    const { document } = opened.peek();
    if (this.shown !== document) {
      for (const id of [...this.elements.keys()]) this.remove(id);
      this.shown = document;
    }
    const { zoom, x, y } = view.peek();
    this.layer.style.transform = `scale(${zoom}) translate(${-x}px, ${-y}px)`;
    const wanted = zoom >= DOM_ZOOM ? grid.find(seen(MARGIN)) : [];
    const near = new Set(wanted);
    const focus = globalThis.document.activeElement;
    for (const [id, element] of this.elements) {
      // What is being typed into stays, wherever it is.
      const gone = !document.nodes.has(id);
      if (gone || (!near.has(id) && !(zoom >= DOM_ZOOM && element.contains(focus)))) this.remove(id);
    }
    let budget = all ? Infinity : A_FRAME;
    for (const id of wanted) {
      if (!document.nodes.has(id)) continue;
      if (!this.elements.has(id)) {
        if (budget-- <= 0 || this.elements.size >= MOST) {
          if (budget < 0 && this.elements.size < MOST) invalidate();
          break;
        }
        this.add(id);
      }
    }
    const chosen = selection.peek();
    for (const [id, element] of this.elements) {
      place(element, id);
      element.classList.toggle("chosen", chosen.has(id));
    }
    this.markOver();
  }

  /** The port that a wire would be connected to. */
  private markOver(): void {
    const wire = pending.peek();
    const side = wire?.side === "out" ? "in" : "out";
    const next = wire?.over
      ? this.elements.get(wire.over.node)?.querySelector(`[data-port="${CSS.escape(`${side} ${wire.over.port}`)}"]`)
      : undefined;
    if (next === this.over) return;
    this.over?.classList.remove("over");
    next?.classList.add("over");
    this.over = next ?? undefined;
  }

  clear(): void {
    for (const id of [...this.elements.keys()]) this.remove(id);
  }

  private add(id: string): void {
    const element = document.createElement("div");
    element.className = "node-place";
    element.dataset.node = id;
    place(element, id);
    this.layer.append(element);
    this.elements.set(id, element);
    render(this.draw(id), element);
  }

  private remove(id: string): void {
    const element = this.elements.get(id);
    if (!element) return;
    render(null, element);
    element.remove();
    this.elements.delete(id);
  }
}

const places = new WeakMap<HTMLElement, string>();

function place(element: HTMLElement, id: string): void {
  const box = measure(id);
  const text = `${box.x} ${box.y} ${box.width} ${box.height}`;
  if (places.get(element) === text) return;
  places.set(element, text);
  element.style.transform = `translate(${box.x}px, ${box.y}px)`;
  element.style.width = `${box.width}px`;
  element.style.height = `${box.height}px`;
}
