/** What is done with an image that a workflow made: it becomes an input, it is copied, it is painted over. */
import { screen, toCanvas } from "../canvas/view.ts";
import type { ImageValue } from "../net/schema.ts";
import { t } from "../parts/text.ts";
import { addNode } from "./editing.ts";
import { uploaded } from "./images.ts";
import { go } from "./route.ts";
import { complain } from "./running.ts";
import { file, say, types } from "./store.ts";

const IMAGE_INPUT = "nodetool.input.ImageInput";

/** Adds an input with an image to the workflow that is open. Returns the node's id. */
export async function useAsInput(image: ImageValue): Promise<string> {
  const type = types.value.node(IMAGE_INPUT);
  if (!type) return "";
  try {
    const id = image.asset_id ?? /\/v1\/files\/([0-9a-f]+)/.exec(image.url)?.[1];
    const value = id ? { type: "image", asset_id: id } : await uploaded(await contentOf(image.url));
    go({ view: "graph", name: file.value.name });
    const { width, height } = screen.peek();
    return addNode(type, toCanvas(width / 2 - 120, height / 3), undefined, { value });
  } catch (error) {
    complain(error);
    return "";
  }
}

async function contentOf(url: string): Promise<Blob> {
  return (await fetch(url, { credentials: "same-origin" })).blob();
}

/** Puts an image into the clipboard, as PNG: browsers take no other. */
export async function copyImage(url: string): Promise<void> {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": contentOf(url).then(asPng) })]);
    say(t.imageCopied);
  } catch {
    say(t.cantCopyImage, "error");
  }
}

async function asPng(content: Blob): Promise<Blob> {
  if (content.type === "image/png") return content;
  const bitmap = await createImageBitmap(content);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
