/**
 * The workflow file in memory: plain data, no framework.
 *
 * Records are the file's own JSON objects, never changed in place: an edit replaces a record, keeps
 * its other fields and their order, and so keeps what is not known here. `apply` is the only door.
 */
import { type Json, type JsonObject, isObject, numberOf, parseJson, writeJson } from "./json.ts";

export interface NodePatch {
  kind: "node";
  id: string;
  before?: JsonObject | undefined;
  after?: JsonObject | undefined;
  /** Place in the file, where the node comes or goes. */
  index?: number;
}

export interface EdgePatch {
  kind: "edge";
  id: string;
  before?: JsonObject | undefined;
  after?: JsonObject | undefined;
  index?: number;
}

export interface FieldsPatch {
  kind: "fields";
  before: JsonObject;
  after: JsonObject;
}

export type Patch = NodePatch | EdgePatch | FieldsPatch;

export interface Change {
  nodes: Set<string>;
  /** Whether nodes or edges came or went. */
  structure: boolean;
  fields: boolean;
}

export interface Edge {
  id: string;
  source: string;
  sourceHandle: string;
  target: string;
  targetHandle: string;
}

type Listener = (change: Change) => void;

const EMPTY = '{"schema_version": 1, "name": "", "description": "", "graph": {"nodes": [], "edges": []}}';

export class WorkflowDocument {
  /** Fields of the file; `graph` stands there as a place alone. */
  fields: JsonObject;
  /** Fields of the graph; `nodes` and `edges` stand there as places alone. */
  readonly graph: JsonObject;
  readonly nodes = new Map<string, JsonObject>();
  readonly edges = new Map<string, JsonObject>();
  private readonly byTarget = new Map<string, string>();
  private readonly byNode = new Map<string, Set<string>>();
  private readonly listeners = new Set<Listener>();
  private edgeNumber = 0;

  constructor(content: JsonObject) {
    const bare = !isObject(content.graph);
    const { nodes, edges, ...rest } = content;
    this.fields = bare ? { schema_version: 1, ...rest, graph: null } : { ...content, graph: null };
    const graph = bare ? { nodes: nodes ?? [], edges: edges ?? [] } : (content.graph as JsonObject);
    this.graph = { ...graph, nodes: [], edges: [] };
    for (const node of records(graph.nodes)) {
      this.nodes.set(this.freeKey(String(node.id)), node);
    }
    for (const edge of records(graph.edges)) this.put(this.newEdgeId(), edge);
  }

  static read(text: string): WorkflowDocument {
    const content = parseJson(text);
    if (!isObject(content)) throw new SyntaxError("a workflow is a JSON object");
    return new WorkflowDocument(content);
  }

  static empty(): WorkflowDocument {
    return WorkflowDocument.read(EMPTY);
  }

  /** Two nodes of one id are a mistake that is shown, not one that loses a node. */
  private freeKey(id: string): string {
    let key = id;
    for (let number = 2; this.nodes.has(key); number++) key = `${id}#${number}`;
    return key;
  }

  newEdgeId(): string {
    return `e${++this.edgeNumber}`;
  }

  get name(): string {
    return textOf(this.fields.name);
  }

  get description(): string {
    return textOf(this.fields.description);
  }

  get editor(): JsonObject {
    return isObject(this.fields.editor) ? this.fields.editor : {};
  }

  toJson(): JsonObject {
    const graph = { ...this.graph, nodes: [...this.nodes.values()], edges: [...this.edges.values()] };
    return { ...this.fields, graph };
  }

  /** The file's text: a field a line, a node a line, an edge a line. */
  toText(): string {
    const lines = (items: Iterable<Json>, indent: string): string => {
      const written = [...items].map((item) => `${indent}  ${writeJson(item)}`);
      return written.length ? `[\n${written.join(",\n")}\n${indent}]` : "[]";
    };
    const inner = Object.entries(this.graph).map(([name, value]) => {
      const text =
        name === "nodes"
          ? lines(this.nodes.values(), "    ")
          : name === "edges"
            ? lines(this.edges.values(), "    ")
            : writeJson(value);
      return `    ${JSON.stringify(name)}: ${text}`;
    });
    const outer = Object.entries(this.fields).map(([name, value]) => {
      const text = name === "graph" ? `{\n${inner.join(",\n")}\n  }` : writeJson(value);
      return `  ${JSON.stringify(name)}: ${text}`;
    });
    return `{\n${outer.join(",\n")}\n}\n`;
  }

  // What is connected to what.

  edge(id: string): Edge | undefined {
    const record = this.edges.get(id);
    return record && edgeOf(id, record);
  }

  edgeInto(node: string, property: string): Edge | undefined {
    const id = this.byTarget.get(port(node, property));
    return id === undefined ? undefined : this.edge(id);
  }

  edgesOf(node: string): Edge[] {
    return [...(this.byNode.get(node) ?? [])].map((id) => this.edge(id)!);
  }

  edgesInto(node: string): Edge[] {
    return this.edgesOf(node).filter((edge) => edge.target === node);
  }

  edgesFrom(node: string, output?: string): Edge[] {
    return this.edgesOf(node).filter(
      (edge) => edge.source === node && (output === undefined || edge.sourceHandle === output),
    );
  }

  /** The nodes that a node's result depends on, itself among them. */
  ancestors(ids: Iterable<string>): Set<string> {
    return this.reach(ids, (id) => this.edgesInto(id).map((edge) => edge.source));
  }

  descendants(ids: Iterable<string>): Set<string> {
    return this.reach(ids, (id) => this.edgesFrom(id).map((edge) => edge.target));
  }

  private reach(ids: Iterable<string>, next: (id: string) => string[]): Set<string> {
    const found = new Set<string>();
    const waiting = [...ids];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (found.has(id) || !this.nodes.has(id)) continue;
      found.add(id);
      waiting.push(...next(id));
    }
    return found;
  }

  // Changes.

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  apply(patches: readonly Patch[]): void {
    const change: Change = { nodes: new Set(), structure: false, fields: false };
    for (const patch of patches) this.applyOne(patch, change);
    for (const listener of this.listeners) listener(change);
  }

  private applyOne(patch: Patch, change: Change): void {
    if (patch.kind === "fields") {
      this.fields = patch.after;
      change.fields = true;
      return;
    }
    change.structure ||= !patch.before || !patch.after;
    if (patch.kind === "node") {
      change.nodes.add(patch.id);
      place(this.nodes, patch.id, patch.after, patch.index);
      return;
    }
    for (const record of [patch.before, patch.after]) {
      if (!record) continue;
      change.nodes.add(String(record.source));
      change.nodes.add(String(record.target));
    }
    change.structure = true;
    if (patch.before) this.forget(patch.id, patch.before);
    if (patch.after) this.put(patch.id, patch.after, patch.index);
    else this.edges.delete(patch.id);
  }

  private put(id: string, record: JsonObject, index?: number): void {
    place(this.edges, id, record, index);
    const edge = edgeOf(id, record);
    const key = port(edge.target, edge.targetHandle);
    if (!this.byTarget.has(key)) this.byTarget.set(key, id);
    for (const node of [edge.source, edge.target]) {
      let ids = this.byNode.get(node);
      if (!ids) this.byNode.set(node, (ids = new Set()));
      ids.add(id);
    }
  }

  private forget(id: string, record: JsonObject): void {
    const edge = edgeOf(id, record);
    const key = port(edge.target, edge.targetHandle);
    if (this.byTarget.get(key) === id) this.byTarget.delete(key);
    this.byNode.get(edge.source)?.delete(id);
    this.byNode.get(edge.target)?.delete(id);
  }
}

/** Sets, inserts at a place, or removes. A map keeps its order, so that a file does. */
function place(map: Map<string, JsonObject>, key: string, value?: JsonObject, index?: number): void {
  if (!value) {
    map.delete(key);
    return;
  }
  if (map.has(key) || index === undefined || index >= map.size) {
    map.set(key, value);
    return;
  }
  const entries = [...map];
  map.clear();
  entries.splice(index, 0, [key, value]);
  for (const [name, one] of entries) map.set(name, one);
}

function records(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function port(node: string, property: string): string {
  return `${node}\0${property}`;
}

function edgeOf(id: string, record: JsonObject): Edge {
  return {
    id,
    source: String(record.source),
    sourceHandle: textOf(record.sourceHandle) || "output",
    target: String(record.target),
    targetHandle: String(record.targetHandle),
  };
}

export function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** A field of a record that is an object: `data`, `ui_properties`. */
export function part(record: JsonObject | undefined, name: string): JsonObject {
  const found = record?.[name];
  return isObject(found) ? found : {};
}

export function positionOf(record: JsonObject | undefined): { x: number; y: number } {
  const position = part(part(record, "ui_properties"), "position");
  return { x: numberOf(position.x) ?? 0, y: numberOf(position.y) ?? 0 };
}
