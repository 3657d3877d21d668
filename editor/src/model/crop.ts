/** The rectangle that a crop keeps, moved by its edges and corners. */

export interface Crop {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Which edges a handle moves: -1 the left or upper one, 1 the other, 0 none. Both 0 moves it all. */
export interface Handle {
  x: -1 | 0 | 1;
  y: -1 | 0 | 1;
}

export const HANDLES: Handle[] = ([-1, 0, 1] as const).flatMap((y) => ([-1, 0, 1] as const).map((x) => ({ x, y })));

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

/** Within the image, and at least a pixel wide and high. */
export function kept({ left, top, right, bottom }: Crop, width: number, height: number): Crop {
  const [x, y] = [clamp(left, 0, width - 1), clamp(top, 0, height - 1)];
  return { left: x, top: y, right: clamp(right, x + 1, width), bottom: clamp(bottom, y + 1, height) };
}

export function moved(crop: Crop, { x, y }: Handle, dx: number, dy: number, width: number, height: number): Crop {
  if (x === 0 && y === 0) {
    const [byX, byY] = [clamp(dx, -crop.left, width - crop.right), clamp(dy, -crop.top, height - crop.bottom)];
    return { left: crop.left + byX, top: crop.top + byY, right: crop.right + byX, bottom: crop.bottom + byY };
  }
  return {
    left: x < 0 ? clamp(crop.left + dx, 0, crop.right - 1) : crop.left,
    right: x > 0 ? clamp(crop.right + dx, crop.left + 1, width) : crop.right,
    top: y < 0 ? clamp(crop.top + dy, 0, crop.bottom - 1) : crop.top,
    bottom: y > 0 ? clamp(crop.bottom + dy, crop.top + 1, height) : crop.bottom,
  };
}
