/** Workflows that are in a node instead of a file: edited in tabs of their own, saved into the node. */
import { batch } from "@preact/signals";
import { WorkflowDocument, part, textOf } from "../model/document.ts";
import { type JsonObject, isObject, same } from "../model/json.ts";
import { setValue } from "../model/operations.ts";
import { nodeTitle } from "../model/shown.ts";
import { t } from "../text.ts";
import { type Opened, file, opened, placeName, show, types, unsaved } from "./store.ts";
import { type Tab, activate, active, fileOf, noteSaved, openTab, openedOf, tabs } from "./tabs.ts";

const EMPTY: JsonObject = { graph: { nodes: [], edges: [] } };

/** Whether a node's workflow is in the node itself, or has yet to be made. */
export function isInline(id: string): boolean {
  const record = opened.peek().document.nodes.get(id);
  return types.peek().node(textOf(record?.type))?.role === "workflow" && !textOf(part(record, "data").path);
}

function contentOf({ document }: Opened, id: string): JsonObject {
  const found = part(document.nodes.get(id), "data").workflow_json;
  return isObject(found) && isObject(found.graph) ? found : EMPTY;
}

/** Opens the workflow of a node; what the node has is read again where nothing was edited in its tab. */
export function openInline(id: string): void {
  const content = contentOf(opened.peek(), id);
  const { id: outer } = active.peek();
  const there = tabs.peek().find((tab) => fileOf(tab).inside?.tab === outer && fileOf(tab).inside?.node === id);
  if (there) {
    activate(there);
    if (!unsaved.peek() && !same(opened.peek().document.toJson(), content)) show(new WorkflowDocument(content), file.peek());
    return;
  }
  const { name, label, readOnly } = file.peek();
  const title = nodeTitle(opened.peek().document.nodes.get(id));
  const inside = { tab: outer, node: id, place: placeName() };
  openTab(new WorkflowDocument(content), { name: "", etag: "", readOnly, label: `${label || name || t.untitled} › ${title}`, inside });
}

/** Puts the open workflow into its node, which can be undone there. Returns the node's tab; none where the node is gone. */
export function putInside(): Tab | undefined {
  const { inside } = file.peek();
  const { document, history } = opened.peek();
  const outer = tabs.peek().find((tab) => tab.id === inside?.tab);
  const target = outer && openedOf(outer);
  if (!inside || !target?.document.nodes.has(inside.node)) return undefined;
  history.seal();
  batch(() => {
    target.history.commit(t.editInside, setValue(target.document, inside.node, "workflow_json", document.toJson()));
    noteSaved(document, file.peek(), history.top);
  });
  return outer;
}
