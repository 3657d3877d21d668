/** Edits as patches: each is made from the document as it is, and `inverse` takes it back. */
import type { Patch, WorkflowDocument } from "./document.ts";
import { part } from "./document.ts";
import { type Json, type JsonObject, same } from "./json.ts";

export interface Point {
  x: number;
  y: number;
}

/** What takes patches back, in the order in which it is applied. */
export function inverse(patches: readonly Patch[]): Patch[] {
  return patches
    .map((patch) => ({ ...patch, before: patch.after, after: patch.before }) as Patch)
    .reverse();
}

/** Adds records of nodes, at the end of the file. */
export function addNodes(document: WorkflowDocument, records: readonly JsonObject[]): Patch[] {
  return records.map((after, offset) => ({
    kind: "node",
    id: String(after.id),
    after,
    index: document.nodes.size + offset,
  }));
}

/** Removes nodes and all edges to and from them. */
export function removeNodes(document: WorkflowDocument, ids: Iterable<string>): Patch[] {
  const gone = new Set([...ids].filter((id) => document.nodes.has(id)));
  const edges = new Set([...gone].flatMap((id) => document.edgesOf(id).map((edge) => edge.id)));
  return [...disconnect(document, edges), ...removed("node", document.nodes, gone)];
}

export function disconnect(document: WorkflowDocument, edges: Iterable<string>): Patch[] {
  return removed("edge", document.edges, new Set(edges));
}

/** From the last to the first, so that each place holds when it is put back. */
function removed(kind: "node" | "edge", map: Map<string, JsonObject>, gone: Set<string>): Patch[] {
  const patches: Patch[] = [];
  let index = 0;
  for (const [id, before] of map) {
    if (gone.has(id)) patches.push({ kind, id, before, index });
    index++;
  }
  return patches.reverse();
}

/** Connects an output to a property, in place of what was connected there. */
export function connect(
  document: WorkflowDocument,
  source: string,
  sourceHandle: string,
  target: string,
  targetHandle: string,
): Patch[] {
  const present = document.edgeInto(target, targetHandle);
  if (present?.source === source && present.sourceHandle === sourceHandle) return [];
  const after: JsonObject = { source, sourceHandle, target, targetHandle };
  const patches = present ? disconnect(document, [present.id]) : [];
  const index = document.edges.size - patches.length;
  return [...patches, { kind: "edge", id: document.newEdgeId(), after, index }];
}

/** Sets the value of a property; undefined takes it out of the file, so that the default holds. */
export function setValue(document: WorkflowDocument, id: string, name: string, value: Json | undefined): Patch[] {
  const before = document.nodes.get(id);
  if (!before) return [];
  const dynamic = part(before, "dynamic_properties");
  const field = name in dynamic ? "dynamic_properties" : "data";
  return changed(before, id, field, name, value);
}

export function setDynamic(document: WorkflowDocument, id: string, name: string, value: Json | undefined): Patch[] {
  const before = document.nodes.get(id);
  return before ? changed(before, id, "dynamic_properties", name, value) : [];
}

export function setUi(document: WorkflowDocument, id: string, name: string, value: Json | undefined): Patch[] {
  const before = document.nodes.get(id);
  return before ? changed(before, id, "ui_properties", name, value) : [];
}

function changed(before: JsonObject, id: string, field: string, name: string, value: Json | undefined): Patch[] {
  const values = part(before, field);
  if (name in values === (value !== undefined) && same(values[name], value)) return [];
  return [{ kind: "node", id, before, after: { ...before, [field]: withField(values, name, value) } }];
}

function withField(fields: JsonObject, name: string, value: Json | undefined): JsonObject {
  if (value !== undefined) return { ...fields, [name]: value };
  const { [name]: _gone, ...rest } = fields;
  return rest;
}

export function move(document: WorkflowDocument, positions: ReadonlyMap<string, Point>): Patch[] {
  return [...positions].flatMap(([id, { x, y }]) =>
    setUi(document, id, "position", { ...part(part(document.nodes.get(id), "ui_properties"), "position"), x: Math.round(x), y: Math.round(y) }),
  );
}

/** Gives a node another id; its edges follow. */
export function rename(document: WorkflowDocument, id: string, to: string): Patch[] {
  const before = document.nodes.get(id);
  if (!before || id === to || document.nodes.has(to)) return [];
  const index = [...document.nodes.keys()].indexOf(id);
  const edges = document.edgesOf(id).map((edge): Patch => {
    const record = document.edges.get(edge.id)!;
    const after = { ...record };
    if (record.source === id) after.source = to;
    if (record.target === id) after.target = to;
    return { kind: "edge", id: edge.id, before: record, after };
  });
  return [
    { kind: "node", id, before, index },
    { kind: "node", id: to, after: { ...before, id: to }, index },
    ...edges,
  ];
}

/** Sets a field of an edge's `ui_properties`, such as `hidden`. */
export function setEdgeUi(document: WorkflowDocument, id: string, name: string, value: Json | undefined): Patch[] {
  const before = document.edges.get(id);
  if (!before || (value === undefined && !(name in part(before, "ui_properties")))) return [];
  const values = withField(part(before, "ui_properties"), name, value);
  const { ui_properties: _old, ...rest } = before;
  const after = Object.keys(values).length ? { ...before, ui_properties: values } : rest;
  return [{ kind: "edge", id, before, after }];
}

/** Sets a field of the file: its name, its description. */
export function setField(document: WorkflowDocument, name: string, value: Json | undefined): Patch[] {
  const before = document.fields;
  if (same(before[name], value)) return [];
  return [{ kind: "fields", before, after: withField(before, name, value) }];
}

/** Sets a field of `editor`: frames, notes. */
export function setEditor(document: WorkflowDocument, name: string, value: Json | undefined): Patch[] {
  return setField(document, "editor", withField({ version: 1, ...document.editor }, name, value));
}

/** Puts a node with one fitting input and output into an edge. */
export function insertInto(
  document: WorkflowDocument,
  edgeId: string,
  node: string,
  property: string,
  output: string,
): Patch[] {
  const edge = document.edge(edgeId);
  if (!edge) return [];
  const index = document.edges.size - 1;
  const into: JsonObject = { source: edge.source, sourceHandle: edge.sourceHandle, target: node, targetHandle: property };
  const from: JsonObject = { source: node, sourceHandle: output, target: edge.target, targetHandle: edge.targetHandle };
  return [
    ...disconnect(document, [edgeId]),
    { kind: "edge", id: document.newEdgeId(), after: into, index },
    { kind: "edge", id: document.newEdgeId(), after: from, index: index + 1 },
  ];
}
