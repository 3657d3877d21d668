/** A mask as what was painted: kept in the node, so that it stays editable, and drawn when needed. */
import { type Json, type JsonObject, isObject, numberOf } from "./json.ts";

export type MaskStep =
  | { mode: "paint" | "erase"; radius: number; softness: number; points: number[] }
  | { mode: "box"; points: number[] }
  | { mode: "fill" | "invert" | "clear" };

export function readSteps(value: Json | undefined): MaskStep[] {
  const steps = isObject(value) ? value.steps : undefined;
  if (!Array.isArray(steps)) return [];
  return steps.filter(isObject).flatMap((step): MaskStep[] => {
    const points = Array.isArray(step.points) ? step.points.map((one) => numberOf(one) ?? 0) : [];
    switch (step.mode) {
      case "paint":
      case "erase":
        return [{ mode: step.mode, radius: numberOf(step.radius) ?? 16, softness: numberOf(step.softness) ?? 0, points }];
      case "box":
        return points.length === 4 ? [{ mode: "box", points }] : [];
      case "fill":
      case "invert":
      case "clear":
        return [{ mode: step.mode }];
      default:
        return [];
    }
  });
}

export function writeSteps(steps: readonly MaskStep[]): JsonObject {
  return { steps: steps.map((step) => ({ ...step })) };
}

type Context = CanvasRenderingContext2D;

/** Draws one step: what is painted is opaque, all else transparent. */
export function drawStep(context: Context, step: MaskStep): void {
  const { width, height } = context.canvas;
  context.save();
  context.fillStyle = context.strokeStyle = context.shadowColor = "#ffffff";
  switch (step.mode) {
    case "fill":
      context.fillRect(0, 0, width, height);
      break;
    case "clear":
      context.clearRect(0, 0, width, height);
      break;
    case "invert":
      context.globalCompositeOperation = "xor";
      context.fillRect(0, 0, width, height);
      break;
    case "box": {
      const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = step.points;
      context.fillRect(Math.min(x1, x2), Math.min(y1, y2), Math.abs(x2 - x1), Math.abs(y2 - y1));
      break;
    }
    default:
      if (step.mode === "erase") context.globalCompositeOperation = "destination-out";
      drawStroke(context, step);
  }
  context.restore();
}

function drawStroke(context: Context, { points, radius, softness }: { points: number[]; radius: number; softness: number }): void {
  const soft = Math.min(0.95, Math.max(0, softness));
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = Math.max(1, 2 * radius * (1 - soft * 0.7));
  context.shadowBlur = radius * soft;
  context.beginPath();
  context.moveTo(points[0] ?? 0, points[1] ?? 0);
  for (let at = 2; at < points.length; at += 2) context.lineTo(points[at]!, points[at + 1]!);
  // A press without a move is a dot.
  if (points.length === 2) context.lineTo(points[0]! + 0.01, points[1]!);
  context.stroke();
}

export function drawSteps(context: Context, steps: readonly MaskStep[]): void {
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  for (const step of steps) drawStep(context, step);
}
