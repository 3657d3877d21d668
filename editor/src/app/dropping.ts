/** Files that are dropped or pasted anywhere on the page. */
import { screen, toCanvas } from "../canvas/view.ts";
import { t } from "../text.ts";
import { addNode, lastCopied, pasteText } from "./editing.ts";
import { newWorkflow } from "./files.ts";
import { route } from "./route.ts";
import { complain } from "./running.ts";
import { dialog, say, server, status, types } from "./store.ts";
import type { Point } from "../model/operations.ts";

const IMAGE_INPUT = "nodetool.input.ImageInput";

export async function takeFile(file: File, at: Point): Promise<void> {
  try {
    const answer = await server.api.readFile(file, file.name);
    if (answer.document && answer.upload) dialog.value = { kind: "drop", data: { answer, name: file.name, at } };
    else if (answer.document) newWorkflow(answer.document, file.name.replace(/\.[^.]+$/, ""));
    else if (answer.upload) {
      const type = types.value.node(IMAGE_INPUT);
      if (type) addNode(type, at, undefined, { value: { type: "image", asset_id: answer.upload.asset_id } });
    } else say(t.dropUnknown(file.name), "error");
    for (const note of answer.upload ? [] : (answer.notes ?? []).slice(0, 2)) say(`${note.message} ${note.hint}`.trim());
  } catch (error) {
    complain(error);
  }
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
  const shade = (on: boolean): void => void body.classList.toggle("dropping", on);
  const isFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => {
    if (!isFile(event)) return;
    // Where a new element comes under the pointer, browsers ask by this event alone.
    event.preventDefault();
    shade(++depth > 0);
  });
  addEventListener("dragleave", (event) => {
    if (isFile(event)) shade(--depth > 0);
  });
  addEventListener("dragover", (event) => {
    if (isFile(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    depth = 0;
    shade(false);
    if (event.defaultPrevented || !isFile(event)) return;
    event.preventDefault();
    if (route.peek().view === "form" || status.peek()?.owner !== true) return;
    // Where no graph is shown, what is dropped begins a new one.
    if (route.peek().view !== "graph") newWorkflow();
    const at = place(event);
    [...(event.dataTransfer?.files ?? [])].forEach((file, index) => void takeFile(file, { x: at.x + index * 40, y: at.y + index * 40 }));
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
