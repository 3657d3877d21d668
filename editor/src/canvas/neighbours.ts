/** Going from node to node by the arrows. */
import { select } from "../app/editing.ts";
import { opened, selection } from "../app/store.ts";
import type { Point } from "../model/operations.ts";
import { WIDTH, measure } from "./geometry.ts";
import { grid } from "./scene.ts";
import { reveal } from "./view.ts";

export type Direction = "left" | "right" | "up" | "down";

const WAYS: Record<Direction, [number, number]> = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };

/** The node that lies best in a direction: near, and not far off to the side. */
export function neighbour(id: string, direction: Direction): string | null {
  const from = measure(id);
  const [ways, down] = WAYS[direction];
  let best: string | null = null;
  let least = Infinity;
  for (const other of opened.peek().document.nodes.keys()) {
    if (other === id) continue;
    const box = measure(other);
    const dx = box.x + box.width / 2 - from.x - from.width / 2;
    const dy = box.y + Math.min(box.height, 60) / 2 - from.y - Math.min(from.height, 60) / 2;
    const along = dx * ways + dy * down;
    const aside = Math.abs(dx * down) + Math.abs(dy * ways);
    if (along <= 8 || aside > along * 3 + 60) continue;
    const cost = along + aside * 2;
    if (cost < least) [best, least] = [other, cost];
  }
  return best;
}

/** Goes down from a point until nothing lies there. */
export function freePlace({ x, y }: Point, height = 120): Point {
  const isTaken = (at: number): boolean => grid.find({ x: x - 16, y: at - 16, width: WIDTH + 32, height }).length > 0;
  let at = y;
  for (let tries = 0; tries < 60 && isTaken(at); tries++) at += 48;
  return { x, y: at };
}

export function goTo(direction: Direction, extend: boolean): void {
  const { document } = opened.peek();
  const chosen = [...selection.peek()];
  const last = chosen.at(-1);
  const next = last === undefined ? document.nodes.keys().next().value : neighbour(last, direction);
  if (!next) return;
  select(extend ? [...chosen, next] : [next]);
  reveal(measure(next));
}

export function showNode(id: string): void {
  select([id]);
  reveal(measure(id));
}
