/** The theme's colours as the <canvas> needs them. */
import type { Mark } from "../model/state.ts";
import type { Kind } from "../net/schema.ts";
import { invalidate } from "./scene.ts";

export interface Colors {
  kinds: Record<Kind, string>;
  marks: Partial<Record<Mark, string>>;
  panel: string;
  header: string;
  border: string;
  text: string;
  muted: string;
  accent: string;
  canvas: string;
}

const KINDS: Kind[] = ["image", "text", "number", "switch", "choice", "model", "color", "file", "list", "any"];
let colors: Colors | null = null;

/** Reads the colours of the theme again at the next frame. */
export function forgetColors(): void {
  colors = null;
  invalidate();
}

export function themeColors(): Colors {
  if (colors) return colors;
  // The computed value of `color` is resolved for the present theme; that of a variable is not.
  const probe = document.createElement("span");
  document.body.append(probe);
  const read = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  colors = {
    kinds: Object.fromEntries(KINDS.map((kind) => [kind, read(`kind-${kind}`)])) as Record<Kind, string>,
    marks: { known: read("good"), "will-run": read("muted"), running: read("accent"), queued: read("accent"), mistake: read("bad"), failed: read("bad"), volatile: read("warn") },
    panel: read("node"),
    header: read("node-header"),
    border: read("node-border"),
    text: read("text"),
    muted: read("muted"),
    accent: read("accent"),
    canvas: read("canvas"),
  };
  probe.remove();
  return colors;
}
