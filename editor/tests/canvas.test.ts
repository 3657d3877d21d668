import { expect, test } from "vitest";
import { view, zoomTo } from "../src/canvas/view.ts";
import { Grid, overlaps } from "../src/canvas/grid.ts";
import { bendOf, isNear, pointAt } from "../src/canvas/curves.ts";
import { randomOf } from "./random.ts";

test("the grid finds what a look at all boxes finds", () => {
  const random = randomOf(3);
  const box = () => ({ x: random() * 8000 - 4000, y: random() * 8000 - 4000, width: 40 + random() * 900, height: 40 + random() * 900 });
  const grid = new Grid();
  const all = new Map<string, ReturnType<typeof box>>();
  for (let step = 0; step < 400; step++) {
    const name = `n${Math.floor(random() * 200)}`;
    if (random() < 0.2) {
      grid.delete(name);
      all.delete(name);
    } else {
      const next = box();
      grid.set(name, next);
      all.set(name, next);
    }
    const look = box();
    const wanted = [...all].filter(([, one]) => overlaps(one, look)).map(([one]) => one);
    expect(grid.find(look).sort()).toEqual(wanted.sort());
  }
  const bounds = grid.bounds()!;
  expect(bounds.x).toBe(Math.min(...[...all.values()].map((one) => one.x)));
});

test.each([
  [0, 0, 300, 100],
  [300, 0, 0, 200],
  [0, 0, 10, 0],
])("a wire from %d,%d to %d,%d is hit along its whole length and not beside it", (x1, y1, x2, y2) => {
  const curve = { x1, y1, x2, y2, bend: bendOf(x1, y1, x2, y2) };
  for (let at = 0; at <= 1; at += 0.05) {
    const { x, y } = pointAt(curve, at);
    expect(isNear(curve, x, y + 3, 6)).toBe(true);
  }
  expect(isNear(curve, x1 - 400, y1 - 60, 6)).toBe(false);
});

test("a zoom that is asked for is met exactly", () => {
  for (let start = 0.05; start < 4; start += 0.0137) {
    view.value = { x: 3, y: 4, zoom: start };
    zoomTo(0.5);
    expect(view.value.zoom).toBe(0.5);
  }
});
