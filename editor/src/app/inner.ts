/** Workflow nodes: what one stands for, a file or a workflow of its own, opened in a tab. */
import { part, textOf } from "../model/document.ts";
import { t } from "../text.ts";
import { openWorkflow } from "./files.ts";
import { isInline, openInline } from "./inside.ts";
import { go } from "./route.ts";
import { opened, placeName, say } from "./store.ts";

/** The name of the workflow that a node stands for; none where it stands for none of this folder. */
export function innerName(id: string): string | null {
  const path = textOf(part(opened.value.document.nodes.get(id), "data").path);
  return path && /\.json$/i.test(path) ? resolved(placeName(), path) : null;
}

export const hasInner = (id: string): boolean => isInline(id) || innerName(id) !== null;

/** A path beside a workflow, as the name of another: `a/b` and `../c.json` make `c`. */
export function resolved(name: string, path: string): string | null {
  if (path.startsWith("/") || /^[a-z]+:/i.test(path)) return null;
  const parts = name.split("/").slice(0, -1);
  for (const part of path.replace(/\.json$/i, "").split("/")) {
    if (part === "..") {
      if (!parts.length) return null;
      parts.pop();
    } else if (part && part !== ".") parts.push(part);
  }
  return parts.join("/") || null;
}

/** The other way round: the path from a workflow's folder to something below that of all workflows. */
export function pathFrom(name: string, to: string): string {
  const from = name.split("/").slice(0, -1);
  const parts = to.split("/");
  while (from.length && parts.length > 1 && from[0] === parts[0]) {
    from.shift();
    parts.shift();
  }
  return [...from.map(() => ".."), ...parts].join("/");
}

export function openInner(id: string): void {
  const name = innerName(id);
  if (name) void openWorkflow(name);
  else if (isInline(id)) {
    openInline(id);
    go({ view: "graph", name: "" });
  } else say(t.noInner);
}
