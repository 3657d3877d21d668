/** Why a node will run: what is different from when its result was known last. */
import { type WorkflowDocument, part, textOf } from "../model/document.ts";
import { type Json, type JsonObject, same } from "../model/json.ts";
import { labelOf } from "../model/types.ts";
import type { CheckAnswer } from "../net/schema.ts";
import { t } from "../text.ts";
import { title } from "./editing.ts";

interface Known {
  type: Json | undefined;
  values: JsonObject;
  /** Where each connected property came from. */
  wires: Map<string, string>;
}

const known = new WeakMap<WorkflowDocument, Map<string, Known>>();
/** What nodes were that no result was known of, by the key of the result. */
const wanted = new Map<string, Known>();

function now(document: WorkflowDocument, id: string): Known {
  const record = document.nodes.get(id);
  const wires = new Map(document.edgesInto(id).map((edge) => [edge.targetHandle, `${edge.source}.${edge.sourceHandle}`]));
  return { type: record?.type, values: { ...part(record, "data"), ...part(record, "dynamic_properties") }, wires };
}

/** Remembers what is known now, or was made since the last answer, and gives each node that will run its reason. */
export function reason(document: WorkflowDocument, { nodes }: CheckAnswer, last: CheckAnswer | null, made: ReadonlySet<string>): void {
  let before = known.get(document);
  if (!before) known.set(document, (before = new Map()));
  for (const [id, { key }] of Object.entries(last?.nodes ?? {})) {
    const was = key && made.has(key) ? wanted.get(key) : undefined;
    if (was) before.set(id, was);
  }
  wanted.clear();
  for (const [id, node] of Object.entries(nodes)) {
    if (node.state === "missing" && node.key) wanted.set(node.key, now(document, id));
    if (node.state === "known") before.set(id, now(document, id));
    else if (node.state === "missing") node.reason = changesOf(document, id, before.get(id), nodes) ?? node.reason;
  }
}

function changesOf(document: WorkflowDocument, id: string, before: Known | undefined, nodes: CheckAnswer["nodes"]): string | undefined {
  if (!before) return undefined;
  const { type, values, wires } = now(document, id);
  if (!same(type, before.type)) return t.whyType(textOf(before.type));
  const rewired = [...new Set([...wires.keys(), ...before.wires.keys()])].filter((name) => wires.get(name) !== before.wires.get(name));
  const changed = [...new Set([...Object.keys(values), ...Object.keys(before.values)])].filter((name) => !wires.has(name) && !rewired.includes(name) && !same(values[name], before.values[name]));
  const above = [...new Set(document.edgesInto(id).map((edge) => edge.source))].filter((source) => ["missing", "volatile"].includes(nodes[source]?.state ?? ""));
  const said = [
    ...(changed.length ? [t.whyChanged(changed.map(labelOf).join(", "))] : []),
    ...(rewired.length ? [t.whyRewired(rewired.map(labelOf).join(", "))] : []),
    ...(above.length ? [t.whyAbove(above.map(title).join(", "))] : []),
  ];
  return said.length ? said.join(" ") : undefined;
}
