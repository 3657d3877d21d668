/** What becomes of a file that was dropped or pasted. */
import type { Point } from "../model/operations.ts";
import type { ReadAnswer } from "../net/schema.ts";
import { t } from "../text.ts";
import type { Zone } from "./dropping.ts";
import { addNode } from "./editing.ts";
import { openRead } from "./reports.ts";
import { complain } from "./running.ts";
import { dialog, say, server, types } from "./store.ts";

const IMAGE_INPUT = "nodetool.input.ImageInput";

export async function takeFile(file: File, at: Point, into: Zone = "ask"): Promise<void> {
  try {
    const answer = await server.api.readFile(file, file.name);
    if (answer.document && answer.upload && into === "ask") dialog.value = { kind: "drop", data: { answer, name: file.name, at } };
    else if (answer.document && !(answer.upload && into === "use")) openRead(answer, file.name);
    else if (answer.upload && into === "open") say(t.noWorkflowIn(file.name), "error");
    else if (answer.upload) useDropped(answer, at);
    else if (answer.notes?.length) dialog.value = { kind: "report", data: { answer, name: file.name } };
    else say(t.dropUnknown(file.name), "error");
  } catch (error) {
    complain(error);
  }
}

/** Adds an input with an image that was dropped. */
export function useDropped({ upload }: ReadAnswer, at: Point): void {
  const type = types.value.node(IMAGE_INPUT);
  if (type && upload) addNode(type, at, undefined, { value: { type: "image", asset_id: upload.asset_id } });
}
