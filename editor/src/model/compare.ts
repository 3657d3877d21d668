/** What is different between two documents, node by node. */
import { type WorkflowDocument, part } from "./document.ts";
import { type Json, same } from "./json.ts";

export interface Difference {
  id: string;
  how: "added" | "removed" | "changed";
  /** Names of properties whose values, or whose wires, are different. */
  properties: string[];
}

/** What `theirs` has otherwise than `ours`; places and other looks do not count. */
export function differences(ours: WorkflowDocument, theirs: WorkflowDocument): Difference[] {
  const found: Difference[] = [];
  for (const id of theirs.nodes.keys()) {
    if (!ours.nodes.has(id)) found.push({ id, how: "added", properties: [] });
    else {
      const properties = changed(ours, theirs, id);
      if (properties.length) found.push({ id, how: "changed", properties });
    }
  }
  for (const id of ours.nodes.keys()) if (!theirs.nodes.has(id)) found.push({ id, how: "removed", properties: [] });
  return found;
}

function changed(ours: WorkflowDocument, theirs: WorkflowDocument, id: string): string[] {
  const [a, b] = [valuesOf(ours, id), valuesOf(theirs, id)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !same(a[name], b[name]));
}

function valuesOf(document: WorkflowDocument, id: string): Record<string, Json | undefined> {
  const record = document.nodes.get(id);
  const wires = document.edgesInto(id).map((edge) => [edge.targetHandle, `${edge.source}.${edge.sourceHandle}`] as const);
  return { type: record?.type, ...part(record, "data"), ...part(record, "dynamic_properties"), ...Object.fromEntries(wires) };
}
