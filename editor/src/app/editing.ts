/** Edits of the open document: what the canvas, the outline and the fields do, each undoable. */
import { batch } from "@preact/signals";
import { type Copied, copyNodes, paste, readCopied, writeCopied } from "../model/clipboard.ts";
import { type Patch, part, positionOf, textOf } from "../model/document.ts";
import * as frames from "../model/frames.ts";
import { folderOf, freeId, idFor } from "../model/ids.ts";
import type { Json, JsonObject } from "../model/json.ts";
import * as operations from "../model/operations.ts";
import { propertiesOf, takesAny } from "../model/ports.ts";
import { nodeTitle } from "../model/shown.ts";
import type { NodeType } from "../net/schema.ts";
import { t } from "../text.ts";
import { complain } from "./running.ts";
import { countUse } from "./settings.ts";
import { checkOf, file, opened, placeName, say, selectedEdge, selectedFrame, selection, spoken, types } from "./store.ts";

export function commit(label: string, patches: Patch[], merge?: string): boolean {
  if (file.value.readOnly) {
    say(t.readOnly);
    return false;
  }
  // What listens to the document asks the history, too: it is told when both have the change.
  return batch(() => opened.value.history.commit(label, patches, merge));
}

export function undo(): void {
  if (!file.value.readOnly) batch(() => opened.value.history.undo());
}

export function redo(): void {
  if (!file.value.readOnly) batch(() => opened.value.history.redo());
}

export function select(ids: Iterable<string>): void {
  const { document } = opened.value;
  const kept = new Set([...ids].filter((id) => document.nodes.has(id)));
  batch(() => {
    selection.value = kept;
    if (kept.size) selectedEdge.value = selectedFrame.value = null;
  });
  const [first] = kept;
  if (kept.size === 1 && first !== undefined) spoken.value = title(first);
  else if (kept.size) spoken.value = t.selectedMany(kept.size);
}

export function selectEdge(id: string | null): void {
  batch(() => {
    selectedEdge.value = id;
    selectedFrame.value = null;
    if (id !== null) selection.value = new Set();
  });
}

export function selectFrame(id: string | null): void {
  batch(() => {
    selectedFrame.value = id;
    selectedEdge.value = null;
    if (id !== null) selection.value = new Set();
  });
  const frame = id === null ? undefined : frames.readFrames(opened.value.document).find((one) => one.id === id);
  if (frame) spoken.value = `${t.frame}: ${frame.title}`;
}

export function title(id: string): string {
  const record = opened.value.document.nodes.get(id);
  return nodeTitle(record, types.value.node(textOf(record?.type)));
}

export function portsOf(id: string) {
  const type = textOf(opened.value.document.nodes.get(id)?.type);
  return { properties: propertiesOf(types.value, opened.value.document, id, checkOf(id)), outputs: types.value.outputs(type, checkOf(id)) };
}

/** A name for one more property of a node that takes any; none where it does not. */
export function newPort(id: string, wanted: string): string | undefined {
  if (!takesAny(types.value, opened.value.document, id)) return undefined;
  const names = new Set(portsOf(id).properties.map((one) => one.name));
  return freeId(wanted, (name) => names.has(name));
}

// Nodes.

export interface From {
  node: string;
  port: string;
  side: "in" | "out";
}

/** Adds a node at a point, connected to a port where one is given. Returns its id. */
export function addNode(type: NodeType, at: operations.Point, from?: From, data: JsonObject = {}): string {
  const { document } = opened.value;
  const id = idFor(type.type, (one) => document.nodes.has(one));
  const values = { ...data };
  if ((type.role === "input" || type.role === "output") && values.name === undefined) values.name = freeName(type, id);
  const record: JsonObject = {
    id,
    type: type.type,
    data: values,
    ui_properties: { position: { x: Math.round(at.x), y: Math.round(at.y) } },
  };
  const patches = operations.addNodes(document, [record]);
  if (from) patches.push(...connecting(from, id, type));
  if (!commit(t.addNode, patches)) return "";
  countUse(type.type);
  select([id]);
  return id;
}

/** Names of inputs, and of outputs, differ: they are how a run names them. */
function freeName(type: NodeType, id: string): string {
  const taken = new Set(
    [...opened.value.document.nodes.values()]
      .filter((record) => types.value.node(textOf(record.type))?.role === type.role)
      .map((record) => textOf(part(record, "data").name)),
  );
  const base = id.replace(/_(input|output)(_\d+)?$/, "") || id;
  return freeId(type.role === "output" ? "result" : base, (one) => taken.has(one));
}

function connecting(from: From, id: string, type: NodeType): Patch[] {
  const { document } = opened.value;
  const ports = portsOf(from.node);
  if (from.side === "out") {
    const output = ports.outputs.find((one) => one.name === from.port);
    const property = output && types.value.best(output, type.properties);
    const name = property?.name ?? (output && type.dynamic ? output.name : undefined);
    return name === undefined ? [] : operations.connect(document, from.node, from.port, id, name);
  }
  const property = ports.properties.find((one) => one.name === from.port);
  const output = property && types.value.bestOutput(property, type.outputs);
  return output ? operations.connect(document, id, output.name, from.node, from.port) : [];
}

export function removeSelected(): void {
  if (selectedEdge.value) {
    commit(t.disconnect, operations.disconnect(opened.value.document, [selectedEdge.value]));
    return;
  }
  if (selectedFrame.value) {
    commit(t.remove, frames.removeFrame(opened.value.document, selectedFrame.value));
    selectedFrame.value = null;
    return;
  }
  const { document } = opened.value;
  commit(t.remove, [...operations.removeNodes(document, selection.value), ...frames.leaveFrames(document, selection.value)]);
}

export function setFrame(id: string, name: "title" | "color", value: string): void {
  commit(t.frame, frames.setFrame(opened.value.document, id, name, value), `frame ${id} ${name}`);
}

export function setValue(id: string, name: string, value: Json | undefined): void {
  commit(name, operations.setValue(opened.value.document, id, name, value), `${id}.${name}`);
}

/** Gives a node that takes any property one more. */
export function setDynamic(id: string, name: string, value: Json): void {
  commit(t.addProperty, operations.setDynamic(opened.value.document, id, name, value));
}

/** The same property of several nodes at once. */
export function setValues(ids: Iterable<string>, name: string, value: Json | undefined): void {
  const list = [...ids];
  const patches = list.flatMap((id) => operations.setValue(opened.value.document, id, name, value));
  commit(name, patches, `${list.join()}.${name}`);
}

export function setUi(ids: Iterable<string>, name: string, value: Json | undefined, merge?: string): void {
  commit(name, [...ids].flatMap((id) => operations.setUi(opened.value.document, id, name, value)), merge);
}

export function setField(name: string, value: Json | undefined): void {
  commit(name, operations.setField(opened.value.document, name, value), `.${name}`);
}

export function moveNodes(positions: ReadonlyMap<string, operations.Point>, merge?: string): void {
  commit(t.move, operations.move(opened.value.document, positions), merge);
}

export function renameNode(id: string, to: string): boolean {
  const { document } = opened.value;
  const done = commit(t.rename, [...operations.rename(document, id, to), ...(document.nodes.has(to) ? [] : frames.renameInFrames(document, id, to))]);
  if (done) select([to]);
  return done;
}

// Edges.

export function connect(source: string, output: string, target: string, property: string): boolean {
  const { document } = opened.value;
  // What comes out of a node can't go into it again.
  if (document.descendants([target]).has(source)) return false;
  return commit(t.connect, operations.connect(document, source, output, target, property));
}

export function disconnect(node: string, property: string): void {
  const edge = opened.value.document.edgeInto(node, property);
  if (edge) commit(t.disconnect, operations.disconnect(opened.value.document, [edge.id]));
}

// The clipboard.

/** What was copied last. The browser may keep it off the clipboard, or keep the clipboard from the page. */
export const lastCopied = { text: "", isWithheld: false };

export function copySelected(): string {
  if (!selection.value.size) return "";
  say(t.copied(selection.value.size));
  return writeCopied({ ...copyNodes(opened.value.document, selection.value), from: placeName() });
}

export function pasteText(text: string, at: operations.Point, incoming = false): boolean {
  const copied = readCopied(text);
  if (!copied) return false;
  const { from, nodes } = copied;
  const name = placeName();
  const put = (one: Copied): void => {
    const { patches, ids } = paste(opened.value.document, one, at, incoming);
    commit(t.duplicate, patches);
    select(ids);
  };
  if (from === undefined || folderOf(from) === folderOf(name)) put(copied);
  else void import("./relocating.ts").then(({ moved }) => moved(nodes, from, name)).then((after) => put({ ...copied, nodes: after }), complain);
  return true;
}

export function duplicate(): string[] {
  const { document } = opened.value;
  if (!selection.value.size) return [];
  const copied = copyNodes(document, selection.value);
  const corner = {
    x: Math.min(...copied.nodes.map((node) => positionOf(node).x)) + 32,
    y: Math.min(...copied.nodes.map((node) => positionOf(node).y)) + 32,
  };
  const { patches, ids } = paste(document, copied, corner, true);
  commit(t.duplicate, patches);
  select(ids);
  return ids;
}

export function toggleUi(name: "bypassed" | "collapsed"): void {
  const { document } = opened.value;
  const all = [...selection.value].every((id) => part(document.nodes.get(id), "ui_properties")[name] === true);
  setUi(selection.value, name, all ? undefined : true);
}

