/** Workflows that go into another folder: their relative paths keep leading to the same files. */
import type { WorkflowDocument } from "../model/document.ts";
import { folderOf } from "../model/ids.ts";
import { type Json, type JsonObject, isObject } from "../model/json.ts";
import type { RelocateAnswer } from "../net/schema.ts";
import { type Opened, server } from "./store.ts";

/** A workflow on its way from the folder of one name into that of another. */
export class Relocation {
  private readonly known = new Map<JsonObject, JsonObject>();

  constructor(
    private readonly opened: Opened,
    private readonly before: string,
    private readonly after: string,
  ) {}

  /** Learns how each record has to be, those too that undo would bring back. */
  async learn(): Promise<void> {
    const { document, history } = this.opened;
    const records = (): JsonObject[] => [...new Set([...document.nodes.values(), ...history.records()])].filter((one) => !this.known.has(one));
    for (let nodes = records(); nodes.length; nodes = records()) {
      const after = await moved(nodes, this.before, this.after);
      nodes.forEach((record, at) => this.known.set(record, after[at]!));
    }
  }

  /** The document as it has to be there. */
  toJson(): JsonObject {
    const content = this.opened.document.toJson();
    const graph = content.graph as JsonObject;
    const nodes = (graph.nodes as JsonObject[]).map((one) => this.known.get(one) ?? one);
    return { ...content, graph: { ...graph, nodes } };
  }

  /** Makes the open document, and its history, one of there: this is nothing that could be undone. */
  apply(): void {
    const { document, history } = this.opened;
    history.replace(this.known);
    document.apply(changed(document, this.known));
  }
}

function changed(document: WorkflowDocument, known: ReadonlyMap<JsonObject, JsonObject>) {
  return [...document.nodes].flatMap(([id, before]) => {
    const after = known.get(before) ?? before;
    return after === before ? [] : [{ kind: "node" as const, id, before, after }];
  });
}

/** Records of nodes with their paths as they have to be in another workflow. */
export async function moved(nodes: JsonObject[], before: string, after: string): Promise<JsonObject[]> {
  if (folderOf(before) === folderOf(after) || !nodes.length) return nodes;
  const answer: RelocateAnswer = await server.api.relocate({ nodes, before, after });
  const result = [...nodes];
  for (const { node, place, value } of answer.changes) result[node] = put(result[node]!, place, value) as JsonObject;
  return result;
}

/** The content of a file for another folder. */
export async function movedContent(content: JsonObject, before: string, after: string): Promise<JsonObject> {
  const graph = isObject(content.graph) ? content.graph : content;
  if (!Array.isArray(graph.nodes) || !graph.nodes.every(isObject)) return content;
  const nodes = await moved(graph.nodes, before, after);
  return graph === content ? { ...content, nodes } : { ...content, graph: { ...graph, nodes } };
}

function put(value: Json | undefined, [first, ...rest]: readonly (string | number)[], text: string): Json {
  if (first === undefined) return text;
  if (Array.isArray(value)) return value.with(Number(first), put(value[Number(first)], rest, text));
  const record = isObject(value) ? value : {};
  return { ...record, [first]: put(record[first], rest, text) };
}
