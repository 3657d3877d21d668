/** Notes: nodes that never run, for whoever reads the workflow. */
import type { NodeType } from "../net/schema.ts";
import { type Json, isObject } from "./json.ts";

export const NOTE = "nodetool.workflows.base_node.Comment";

export function isNoteType(type: NodeType | undefined): boolean {
  return type?.role === "comment";
}

/** A note's text; of one that another editor wrote as a tree, the texts in it, one paragraph a line. */
export function noteText(value: Json | undefined): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(noteText).filter(Boolean).join("\n");
  if (!isObject(value)) return "";
  if (typeof value.text === "string") return value.text;
  const inner = value.children ?? value.root;
  if (!Array.isArray(inner)) return noteText(inner);
  const isLine = inner.some((one) => isObject(one) && typeof one.text === "string");
  return inner.map(noteText).join(isLine ? "" : "\n");
}
