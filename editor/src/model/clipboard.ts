/** Copies of nodes as text, so that they can be pasted into another workflow, or another window. */
import type { Patch, WorkflowDocument } from "./document.ts";
import { part, positionOf } from "./document.ts";
import { freeId } from "./ids.ts";
import { type JsonObject, isObject, parseJson, writeJson } from "./json.ts";
import { addNodes } from "./operations.ts";

const MARK = "nodetool";

export interface Copied {
  nodes: JsonObject[];
  edges: JsonObject[];
  /** The workflow from whose folder their paths start; none for what was copied elsewhere. */
  from?: string | undefined;
}

/** Nodes with the edges among them, and those that come in from others. */
export function copyNodes(document: WorkflowDocument, ids: Iterable<string>): Copied {
  const chosen = new Set(ids);
  const nodes = [...document.nodes].filter(([id]) => chosen.has(id)).map(([, record]) => record);
  const edges = [...document.edges.values()].filter((edge) => chosen.has(String(edge.target)));
  return { nodes, edges };
}

export function writeCopied(copied: Copied): string {
  return writeJson({ [MARK]: "nodes", from: copied.from ?? null, nodes: copied.nodes, edges: copied.edges });
}

/** Reads what `writeCopied` wrote, or a whole workflow. Null where the text is something else. */
export function readCopied(text: string): Copied | null {
  if (!text.trimStart().startsWith("{")) return null;
  try {
    const content = parseJson(text);
    if (!isObject(content)) return null;
    const graph = isObject(content.graph) ? content.graph : content;
    if (!Array.isArray(graph.nodes)) return null;
    const nodes = graph.nodes.filter(isObject).filter((node) => typeof node.type === "string");
    const edges = Array.isArray(graph.edges) ? graph.edges.filter(isObject) : [];
    const from = typeof content.from === "string" ? content.from : undefined;
    return nodes.length ? { nodes, edges, from } : null;
  } catch {
    return null;
  }
}

export interface Pasted {
  patches: Patch[];
  ids: string[];
}

/**
 * Adds copies under free ids, moved so that their upper left corner lies at a point. Edges from nodes
 * that are not copied are kept where `incoming` is asked for and those nodes are there.
 */
export function paste(
  document: WorkflowDocument,
  copied: Copied,
  at: { x: number; y: number },
  incoming = false,
): Pasted {
  const names = new Map<string, string>();
  const given = new Set<string>();
  const taken = (id: string) => document.nodes.has(id) || given.has(id);
  const left = Math.min(...copied.nodes.map((node) => positionOf(node).x));
  const top = Math.min(...copied.nodes.map((node) => positionOf(node).y));
  const records = copied.nodes.map((node) => {
    const old = String(node.id);
    const id = freeId(old, taken);
    names.set(old, id);
    given.add(id);
    const { x, y } = positionOf(node);
    const position = { x: Math.round(x - left + at.x), y: Math.round(y - top + at.y) };
    return { ...node, id, ui_properties: { ...part(node, "ui_properties"), position } };
  });
  const edges: Patch[] = [];
  for (const edge of copied.edges) {
    const target = names.get(String(edge.target));
    const inner = names.get(String(edge.source));
    const source = inner ?? (incoming ? String(edge.source) : undefined);
    if (target === undefined || source === undefined) continue;
    if (inner === undefined && !document.nodes.has(source)) continue;
    const index = document.edges.size + edges.length;
    edges.push({ kind: "edge", id: document.newEdgeId(), after: { ...edge, source, target }, index });
  }
  return { patches: [...addNodes(document, records), ...edges], ids: records.map((record) => record.id) };
}
