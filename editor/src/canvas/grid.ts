/** Boxes by the cells of a grid that they lie in, so that what is near a view is found at once. */

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

const CELL = 512;

export function overlaps(a: Rect, b: Rect): boolean {
  return a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height;
}

function contains(a: Rect, b: Rect): boolean {
  return a.x <= b.x && a.y <= b.y && a.x + a.width >= b.x + b.width && a.y + a.height >= b.y + b.height;
}

/** The smallest rectangle around two. */
export function union(a: Rect, b: Rect): Rect {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return { x, y, width: Math.max(a.x + a.width, b.x + b.width) - x, height: Math.max(a.y + a.height, b.y + b.height) - y };
}

export class Grid {
  private readonly cells = new Map<string, Set<string>>();
  private readonly boxes = new Map<string, Rect>();
  /** Around all boxes, while none has changed. */
  private whole: Rect | null | undefined;

  clear(): void {
    this.cells.clear();
    this.boxes.clear();
    this.whole = undefined;
  }

  set(id: string, box: Rect): void {
    const before = this.boxes.get(id);
    if (before && before.x === box.x && before.y === box.y && before.width === box.width && before.height === box.height) return;
    this.delete(id);
    this.whole = undefined;
    this.boxes.set(id, { x: box.x, y: box.y, width: box.width, height: box.height });
    for (const cell of cellsOf(box)) {
      let ids = this.cells.get(cell);
      if (!ids) this.cells.set(cell, (ids = new Set()));
      ids.add(id);
    }
  }

  delete(id: string): void {
    const box = this.boxes.get(id);
    if (!box) return;
    for (const cell of cellsOf(box)) this.cells.get(cell)?.delete(id);
    this.whole = undefined;
    this.boxes.delete(id);
  }

  /** All boxes that a rectangle touches. */
  find(rect: Rect): string[] {
    const all = this.bounds();
    if (!all || !overlaps(all, rect)) return [];
    if (contains(rect, all)) return [...this.boxes.keys()];
    const found: string[] = [];
    const columns = Math.ceil(rect.width / CELL) + 1;
    const rows = Math.ceil(rect.height / CELL) + 1;
    if (columns * rows > this.boxes.size) {
      for (const [id, box] of this.boxes) if (overlaps(box, rect)) found.push(id);
      return found;
    }
    const seen = new Set<string>();
    for (const cell of cellsOf(rect)) {
      for (const id of this.cells.get(cell) ?? []) {
        if (seen.has(id)) continue;
        seen.add(id);
        if (overlaps(this.boxes.get(id)!, rect)) found.push(id);
      }
    }
    return found;
  }

  /** The smallest rectangle around all boxes, or null where there are none. */
  bounds(ids?: Iterable<string>): Rect | null {
    if (ids) return this.around(ids);
    this.whole ??= this.around(this.boxes.keys());
    return this.whole;
  }

  private around(ids: Iterable<string>): Rect | null {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const id of ids) {
      const box = this.boxes.get(id);
      if (!box) continue;
      left = Math.min(left, box.x);
      top = Math.min(top, box.y);
      right = Math.max(right, box.x + box.width);
      bottom = Math.max(bottom, box.y + box.height);
    }
    return left === Infinity ? null : { x: left, y: top, width: right - left, height: bottom - top };
  }
}

function* cellsOf(box: Rect): Generator<string> {
  const right = Math.floor((box.x + box.width) / CELL);
  const bottom = Math.floor((box.y + box.height) / CELL);
  for (let column = Math.floor(box.x / CELL); column <= right; column++) {
    for (let row = Math.floor(box.y / CELL); row <= bottom; row++) yield `${column} ${row}`;
  }
}
