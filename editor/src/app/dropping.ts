/** Files that are dropped or pasted anywhere on the page. */
import { signal } from "@preact/signals";
import { screen, toCanvas } from "../canvas/view.ts";
import { lastCopied, pasteText } from "./editing.ts";
import { newWorkflow } from "./files.ts";
import { route } from "./route.ts";
import { dialog, status } from "./store.ts";
import type { Point } from "../model/operations.ts";

/** What an image that is dropped is for: two zones of the canvas; "ask" where there are none. */
export type Zone = "use" | "open" | "ask";

/** The zone that an image is over while it is dragged; null where nothing is dragged. */
export const zone = signal<Zone | null>(null);

/** What is done with a file is fetched when there is one. */
async function takeFile(file: File, at: Point, into?: Zone): Promise<void> {
  const taking = await import("./taking.ts");
  await taking.takeFile(file, at, into);
}

/** The left half of the canvas uses an image, the right half opens its workflow. */
function zoneOf(event: DragEvent): Zone {
  const items = [...(event.dataTransfer?.items ?? [])];
  const box = document.querySelector("#canvas")?.getBoundingClientRect();
  const isImage = items.some((one) => one.type.startsWith("image/"));
  if (!box || !isImage || route.peek().view !== "graph" || status.peek()?.owner !== true) return "ask";
  return event.clientX <= box.left + box.width / 2 ? "use" : "open";
}

function place(event: MouseEvent): Point {
  const canvas = document.querySelector("#canvas");
  if (!canvas) return { x: 0, y: 0 };
  const { left, top } = canvas.getBoundingClientRect();
  return toCanvas(event.clientX - left, event.clientY - top);
}

export function takeDrops(): void {
  const body = document.body;
  let depth = 0;
  const isFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  // Fields that take images keep their events to themselves: what is shown is told before they have them.
  const shade = (event: DragEvent, by: number): void => {
    if (!isFile(event)) return;
    depth = event.type === "drop" ? 0 : depth + by;
    const isOwn = (event.target as Element | null)?.closest?.("[data-drop-image]") !== null;
    body.classList.toggle("dropping", depth > 0 && !isOwn);
    zone.value = depth > 0 ? (isOwn ? "ask" : zoneOf(event)) : null;
  };
  addEventListener("dragenter", (event) => shade(event, 1), true);
  addEventListener("dragleave", (event) => shade(event, -1), true);
  addEventListener("dragover", (event) => shade(event, 0), true);
  addEventListener("drop", (event) => shade(event, 0), true);
  // Where a new element comes under the pointer, browsers ask by "dragenter" alone.
  for (const name of ["dragenter", "dragover"] as const) {
    addEventListener(name, (event) => {
      if (isFile(event)) event.preventDefault();
    });
  }
  addEventListener("drop", (event) => {
    if (event.defaultPrevented || !isFile(event)) return;
    event.preventDefault();
    if (route.peek().view === "form" || status.peek()?.owner !== true) return;
    const into = zoneOf(event);
    // Where no graph is shown, what is dropped begins a new one.
    if (route.peek().view !== "graph") newWorkflow();
    const at = place(event);
    [...(event.dataTransfer?.files ?? [])].forEach((file, index) => void takeFile(file, { x: at.x + index * 40, y: at.y + index * 40 }, into));
  });
  addEventListener("paste", (event) => {
    const element = event.target as Element | null;
    if (event.defaultPrevented || element?.closest("input, textarea") || dialog.peek() || route.peek().view !== "graph") return;
    const { width, height } = screen.peek();
    const at = toCanvas(width / 2 - 120, height / 3);
    const [file] = event.clipboardData?.files ?? [];
    if (file) void takeFile(file, at);
    else if (!pasteText(lastCopied.isWithheld ? lastCopied.text : (event.clipboardData?.getData("text/plain") ?? ""), at)) return;
    event.preventDefault();
  });
}
