/** Properties of a node as it stands in a document: dynamic ones have more than their type declares. */
import type { NodeCheck, Property } from "../net/schema.ts";
import { type WorkflowDocument, part, textOf } from "./document.ts";
import type { Types } from "./types.ts";

const PLACEHOLDER = /\{\{\s*(\w+)/g;

/** What the type declares, what the last check knew, and what this node was given besides. */
export function propertiesOf(types: Types, document: WorkflowDocument, id: string, check?: NodeCheck): Property[] {
  const record = document.nodes.get(id);
  const type = types.node(textOf(record?.type));
  const declared = check?.ports?.properties ?? type?.properties ?? [];
  if (!type?.dynamic) return declared;
  const known = new Set(declared.map((one) => one.name));
  const names = new Set<string>();
  const data = part(record, "data");
  for (const name of Object.keys(data)) names.add(name);
  for (const [, name] of textOf(data.template).matchAll(PLACEHOLDER)) names.add(name!);
  for (const name of Object.keys(part(record, "dynamic_properties"))) names.add(name);
  for (const edge of document.edgesInto(id)) names.add(edge.targetHandle);
  const more = [...names].filter((name) => !known.has(name));
  return more.length ? [...declared, ...more.map((name) => ({ name, type: -1, required: false, description: "" }))] : declared;
}

/** Whether a node takes properties of any name, rather than those of the workflow it stands for. */
export function takesAny(types: Types, document: WorkflowDocument, id: string): boolean {
  const type = types.node(textOf(document.nodes.get(id)?.type));
  return !!type?.dynamic && !type.properties.some((one) => one.name === "workflow_json");
}
