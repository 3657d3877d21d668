/** What pointers do on the canvas: pan, zoom, pinch, select, move, connect. */
import { duplicate, select, selectEdge, selectFrame, setUi } from "../app/editing.ts";
import { hasInner, openInner } from "../app/inner.ts";
import { dialog, opened, selection } from "../app/store.ts";
import { positionOf } from "../model/document.ts";
import { ledEdges, pointsOf } from "../model/points.ts";
import { beginWire, endWire, moveWire } from "./connect.ts";
import { heldPoints } from "./curves.ts";
import { edgeAt, wirePointAt } from "./draw.ts";
import { addPoint, dropNodes, dropPoints, edgeUnder, movedEdges, removePoint } from "./drops.ts";
import { frameAt } from "./frames.ts";
import { MIN_HEIGHT, MIN_WIDTH, dragged, isNote, measure, portAt } from "./geometry.ts";
import { dropEdge, grid, marquee, moved, pending, update } from "./scene.ts";
import { panBy, screen, toCanvas, view, zoomAt } from "./view.ts";

const SNAP = 8;
const SLOP = 4;

type Point = { x: number; y: number };
type Gesture =
  | { kind: "pan"; last: Point; moved: boolean; click: boolean }
  | { kind: "marquee"; from: Point; before: ReadonlySet<string> }
  | { kind: "move"; from: Point; begin: Map<string, Point>; moved: boolean; node: string; add: boolean; was: boolean }
  | { kind: "wire"; from: Point; moved: boolean }
  | { kind: "point"; edge: string; index: number; moved: boolean }
  | { kind: "resize"; node: string; from: Point; width: number; height: number };

export class Gestures {
  private gesture: Gesture | null = null;
  private readonly pointers = new Map<number, Point>();
  private space = false;

  constructor(private readonly host: HTMLElement) {
    host.addEventListener("pointerdown", this.down);
    host.addEventListener("pointermove", this.move);
    host.addEventListener("pointerup", this.up);
    host.addEventListener("pointercancel", this.up);
    host.addEventListener("wheel", this.wheel, { passive: false });
    host.addEventListener("dblclick", this.doubleClick);
    addEventListener("keydown", this.spaceKey);
    addEventListener("keyup", this.spaceKey);
  }

  close(): void {
    removeEventListener("keydown", this.spaceKey);
    removeEventListener("keyup", this.spaceKey);
  }

  private spaceKey = (event: KeyboardEvent): void => {
    if (event.code === "Space") this.space = event.type === "keydown";
    if (event.key === "Escape" && !this.gesture) pending.value = null;
  };

  private local(event: MouseEvent): Point {
    const { left, top } = this.host.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  /** The node under a point of the canvas: the one that was mounted last lies above. */
  private nodeAt({ x, y }: Point): string | undefined {
    const { document } = opened.peek();
    return grid.find({ x, y, width: 0, height: 0 }).filter((id) => document.nodes.has(id)).at(-1);
  }

  private down = (event: PointerEvent): void => {
    const element = event.target as Element;
    if (element.closest("[data-own]")) return;
    const screenPoint = this.local(event);
    this.pointers.set(event.pointerId, screenPoint);
    const field = element.closest("[data-field]");
    if (this.pointers.size === 2) {
      this.cancel();
      return;
    }
    if (field && event.button === 0) {
      const id = field.closest<HTMLElement>("[data-node]")?.dataset.node;
      if (id && !selection.peek().has(id)) select([id]);
      this.pointers.delete(event.pointerId);
      return;
    }
    if (!element.closest("[data-keep-focus]")) this.host.focus({ preventScroll: true });
    event.preventDefault();
    this.host.setPointerCapture(event.pointerId);
    const point = toCanvas(screenPoint.x, screenPoint.y);
    if (pending.peek()) {
      // A wire that was taken by a tap on its port is let go of by the next one.
      moveWire(point.x, point.y);
      endWire();
      return;
    }
    if (event.button === 1 || event.button === 2 || this.space) {
      this.gesture = { kind: "pan", last: screenPoint, moved: false, click: false };
      return;
    }
    this.gesture = this.begin(event, element, point, screenPoint);
  };

  private begin(event: PointerEvent, element: Element, point: Point, screenPoint: Point): Gesture {
    const touch = event.pointerType === "touch";
    const reach = (touch ? 20 : 10) / Math.min(1, view.peek().zoom);
    for (const id of grid.find({ x: point.x - reach, y: point.y - reach, width: 2 * reach, height: 2 * reach }).reverse()) {
      const port = view.peek().zoom >= 0.25 ? portAt(id, point.x, point.y, reach) : null;
      if (!port) continue;
      beginWire(id, port, point.x, point.y);
      return { kind: "wire", from: screenPoint, moved: false };
    }
    const resize = element.closest("[data-resize]")?.closest<HTMLElement>("[data-node]")?.dataset.node;
    if (resize) return { kind: "resize", node: resize, from: point, width: measure(resize).width, height: measure(resize).height };
    const id = element.closest<HTMLElement>("[data-node]")?.dataset.node ?? this.nodeAt(point);
    if (id === undefined) {
      const held = wirePointAt(point.x, point.y, (touch ? 16 : 8) / Math.min(1, view.peek().zoom));
      if (held) {
        selectEdge(held.edge);
        return { kind: "point", ...held, moved: false };
      }
      const edge = edgeAt(point.x, point.y, 8 / view.peek().zoom);
      if (edge && !event.shiftKey) {
        selectEdge(edge);
        return { kind: "pan", last: screenPoint, moved: false, click: false };
      }
      const frame = frameAt(point.x, point.y);
      if (frame && !event.shiftKey) {
        selectFrame(frame.id);
        return { kind: "move", from: point, begin: this.places(frame.nodes), moved: false, node: frame.nodes[0]!, add: false, was: false };
      }
      if (event.shiftKey || event.ctrlKey || event.metaKey) {
        return { kind: "marquee", from: point, before: event.shiftKey ? selection.peek() : new Set() };
      }
      return { kind: "pan", last: screenPoint, moved: false, click: true };
    }
    const was = selection.peek().has(id);
    const add = event.shiftKey || event.ctrlKey || event.metaKey;
    if (add) select(was ? selection.peek() : [...selection.peek(), id]);
    else if (!was) select([id]);
    if (event.altKey) duplicate();
    const chosen = event.altKey ? selection.peek() : selection.peek().has(id) ? selection.peek() : new Set([id]);
    return { kind: "move", from: point, begin: this.places(chosen), moved: false, node: id, add, was };
  }

  private places(ids: Iterable<string>): Map<string, Point> {
    return new Map([...ids].map((one) => [one, positionOf(opened.peek().document.nodes.get(one))]));
  }

  private move = (event: PointerEvent): void => {
    const screenPoint = this.local(event);
    if (this.pointers.has(event.pointerId)) {
      if (this.pointers.size === 2) {
        this.pinch(event.pointerId, screenPoint);
        return;
      }
      this.pointers.set(event.pointerId, screenPoint);
    }
    const { gesture } = this;
    const point = toCanvas(screenPoint.x, screenPoint.y);
    if (!gesture) {
      if (pending.peek()) moveWire(point.x, point.y);
      return;
    }
    switch (gesture.kind) {
      case "pan": {
        const [dx, dy] = [screenPoint.x - gesture.last.x, screenPoint.y - gesture.last.y];
        if (!gesture.moved && Math.hypot(dx, dy) < SLOP) return;
        gesture.moved = true;
        gesture.last = screenPoint;
        panBy(dx, dy);
        break;
      }
      case "marquee": {
        const { from, before } = gesture;
        const rect = { x: Math.min(from.x, point.x), y: Math.min(from.y, point.y), width: Math.abs(point.x - from.x), height: Math.abs(point.y - from.y) };
        marquee.value = rect;
        const next = new Set([...before, ...grid.find(rect)]);
        if (next.size !== selection.peek().size || [...next].some((id) => !selection.peek().has(id))) selection.value = next;
        break;
      }
      case "move":
        this.drag(gesture, point, event.altKey || event.ctrlKey);
        break;
      case "wire":
        gesture.moved ||= Math.hypot(screenPoint.x - gesture.from.x, screenPoint.y - gesture.from.y) >= SLOP;
        moveWire(point.x, point.y);
        this.panAtEdge(screenPoint);
        break;
      case "point": {
        const { edge, index } = gesture;
        gesture.moved = true;
        heldPoints.set(edge, pointsOf(opened.peek().document, edge).with(index, point));
        movedEdges([edge]);
        break;
      }
      case "resize":
        this.resize(gesture, point);
    }
  };

  private resize({ node, from, width, height }: Extract<Gesture, { kind: "resize" }>, point: Point): void {
    const grown = (size: number, by: number, least: number): number => Math.max(least, Math.round((size + by) / SNAP) * SNAP);
    setUi([node], "width", grown(width, point.x - from.x, MIN_WIDTH), `width ${node}`);
    if (isNote(node)) setUi([node], "height", grown(height, point.y - from.y, MIN_HEIGHT), `width ${node}`);
  }

  private drag(gesture: Extract<Gesture, { kind: "move" }>, point: Point, free: boolean): void {
    let [dx, dy] = [point.x - gesture.from.x, point.y - gesture.from.y];
    if (!gesture.moved && Math.hypot(dx, dy) * view.peek().zoom < SLOP) return;
    gesture.moved = true;
    if (!free) [dx, dy] = [Math.round(dx / SNAP) * SNAP, Math.round(dy / SNAP) * SNAP];
    for (const [id, { x, y }] of gesture.begin) dragged.set(id, { x: x + dx, y: y + dy });
    const { document } = opened.peek();
    for (const edge of ledEdges(document, new Set(gesture.begin.keys()))) heldPoints.set(edge, pointsOf(document, edge).map(({ x, y }) => ({ x: x + dx, y: y + dy })));
    moved(gesture.begin.keys());
    dropEdge.value = gesture.begin.size === 1 ? edgeUnder(gesture.node) : null;
  }

  private panAtEdge({ x, y }: Point): void {
    const { width, height } = screen.peek();
    const [dx, dy] = [x < 24 ? 12 : x > width - 24 ? -12 : 0, y < 24 ? 12 : y > height - 24 ? -12 : 0];
    if (dx || dy) panBy(dx, dy);
  }

  private up = (event: PointerEvent): void => {
    this.pointers.delete(event.pointerId);
    const { gesture } = this;
    this.gesture = null;
    if (!gesture) return;
    switch (gesture.kind) {
      case "pan":
        if (gesture.click && !gesture.moved) {
          select([]);
          selectEdge(null);
        }
        break;
      case "marquee":
        marquee.value = null;
        select(selection.peek());
        break;
      case "wire": {
        // A tap takes the wire along, to the port that is tapped next.
        if (!gesture.moved && event.type !== "pointercancel") break;
        const { x, y } = this.local(event);
        const left = event.type === "pointercancel" ? null : endWire();
        if (left && Math.hypot(x, y) > 0) {
          const at = toCanvas(x, y);
          const from = { node: left.node, port: left.port, side: left.side };
          dialog.value = { kind: "palette", data: { at, from } };
        }
        break;
      }
      case "point":
        if (gesture.moved) dropPoints(gesture.edge);
        break;
      case "move":
        this.drop(gesture);
    }
  };

  private drop(gesture: Extract<Gesture, { kind: "move" }>): void {
    const ends = new Map(dragged);
    dragged.clear();
    if (!gesture.moved) {
      if (gesture.add && gesture.was) select([...selection.peek()].filter((id) => id !== gesture.node));
      else if (!gesture.add && gesture.was && selection.peek().size > 1) select([gesture.node]);
      return;
    }
    dropNodes(ends, gesture.node);
  }

  /** Ends what a pointer began, as though it had not. */
  cancel(): void {
    const ids = [...dragged.keys()];
    const led = [...heldPoints.keys()];
    dragged.clear();
    heldPoints.clear();
    if (ids.length) update(ids);
    movedEdges(led);
    this.gesture = null;
    marquee.value = null;
    dropEdge.value = null;
    pending.value = null;
  }

  private pinch(id: number, to: Point): void {
    const [otherId] = [...this.pointers.keys()].filter((one) => one !== id);
    const from = this.pointers.get(id)!;
    const other = this.pointers.get(otherId!)!;
    const before = Math.hypot(from.x - other.x, from.y - other.y);
    const after = Math.hypot(to.x - other.x, to.y - other.y);
    panBy((to.x - from.x) / 2, (to.y - from.y) / 2);
    if (before > 0) zoomAt((to.x + other.x) / 2, (to.y + other.y) / 2, after / before);
    this.pointers.set(id, to);
  }

  private wheel = (event: WheelEvent): void => {
    const element = event.target as Element;
    const scrolled = element.closest("textarea, [data-scrolls]");
    if (scrolled && scrolled.scrollHeight > scrolled.clientHeight && !event.ctrlKey && scrolled.contains(document.activeElement)) return;
    event.preventDefault();
    const { x, y } = this.local(event);
    // A wheel comes in steps and without a sideways part; a trackpad in small amounts both ways.
    const isWheel = event.deltaMode !== 0 || (event.deltaX === 0 && Math.abs(event.deltaY) >= 60);
    if (event.ctrlKey || event.metaKey || (isWheel && !event.shiftKey)) {
      const amount = event.deltaMode === 1 ? event.deltaY * 20 : event.deltaY;
      zoomAt(x, y, Math.exp(-Math.max(-160, Math.min(160, amount)) * (event.ctrlKey && !isWheel ? 0.01 : 0.0022)));
    } else if (event.shiftKey && event.deltaX === 0) panBy(-event.deltaY, 0);
    else panBy(-event.deltaX, -event.deltaY);
  };

  private doubleClick = (event: MouseEvent): void => {
    // The canvas has captured the pointer, so that the event names it, whatever was clicked.
    const element = document.elementFromPoint(event.clientX, event.clientY) ?? (event.target as Element);
    const header = element.closest(".node-header")?.closest<HTMLElement>("[data-node]")?.dataset.node;
    if (header && hasInner(header)) openInner(header);
    if (element.closest("[data-own], [data-field], [data-node]")) return;
    const { x, y } = this.local(event);
    const at = toCanvas(x, y);
    if (this.nodeAt(at) !== undefined) return;
    const reach = 8 / Math.min(1, view.peek().zoom);
    const held = wirePointAt(at.x, at.y, reach);
    const edge = edgeAt(at.x, at.y, reach);
    const frame = frameAt(at.x, at.y);
    if (held) removePoint(held.edge, held.index);
    else if (edge) addPoint(edge, at);
    else if (frame) dialog.value = { kind: "rename-frame", data: frame.id };
    else dialog.value = { kind: "palette", data: { at } };
  };
}
