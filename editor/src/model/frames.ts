/** Frames around nodes: a title and a colour, kept in the file as `editor.frames`. */
import { type Patch, type WorkflowDocument, textOf } from "./document.ts";
import { freeId } from "./ids.ts";
import { type Json, type JsonObject, isObject, same } from "./json.ts";
import { setEditor } from "./operations.ts";

export interface Frame {
  id: string;
  title: string;
  color: string;
  nodes: string[];
}

/** Colours of frames and nodes that are offered; a file may have any other. */
export const COLORS = ["#7a8290", "#3b7de0", "#1f9d8f", "#2f9e55", "#c98a1b", "#d2574f", "#c2508f", "#8b62e0"] as const;

/** A colour of a file as styles may have it; undefined where it is none. */
export function colorOf(value: Json | undefined): string | undefined {
  return typeof value === "string" && /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(value) ? value : undefined;
}

function records(document: WorkflowDocument): JsonObject[] {
  const { frames } = document.editor;
  return Array.isArray(frames) ? frames.filter(isObject) : [];
}

const membersOf = (record: JsonObject): string[] => (Array.isArray(record.nodes) ? record.nodes.map(String) : []);

/** The frames that have nodes, in the order of the file. */
export function readFrames(document: WorkflowDocument): Frame[] {
  return records(document)
    .map((record): Frame => ({ id: String(record.id), title: textOf(record.title), color: colorOf(record.color) ?? COLORS[0], nodes: membersOf(record).filter((id) => document.nodes.has(id)) }))
    .filter((frame) => frame.nodes.length > 0);
}

function write(document: WorkflowDocument, next: JsonObject[]): Patch[] {
  if (same(next, records(document))) return [];
  return setEditor(document, "frames", next.length ? next : undefined);
}

/** Puts nodes into a new frame, and takes them out of those that they were in. */
export function addFrame(document: WorkflowDocument, nodes: readonly string[], title: string): { patches: Patch[]; id: string } {
  const taken = new Set(records(document).map((record) => String(record.id)));
  const id = freeId("frame", (one) => taken.has(one));
  const frame: JsonObject = { id, title, color: COLORS[(taken.size + 1) % COLORS.length]!, nodes: [...nodes] };
  return { patches: write(document, [...without(document, new Set(nodes)), frame]), id };
}

export function removeFrame(document: WorkflowDocument, id: string): Patch[] {
  return write(document, records(document).filter((record) => String(record.id) !== id));
}

export function setFrame(document: WorkflowDocument, id: string, name: "title" | "color", value: string): Patch[] {
  return write(document, records(document).map((record) => (String(record.id) === id ? { ...record, [name]: value } : record)));
}

/** The records without some nodes; a frame that loses its last one goes. */
function without(document: WorkflowDocument, gone: ReadonlySet<string>, keep?: string): JsonObject[] {
  return records(document).flatMap((record) => {
    const members = membersOf(record);
    const left = members.filter((id) => !gone.has(id));
    if (left.length === members.length || String(record.id) === keep) return [record];
    return left.some((id) => document.nodes.has(id)) ? [{ ...record, nodes: left }] : [];
  });
}

/** Takes nodes out of all frames, as when they are removed. */
export function leaveFrames(document: WorkflowDocument, nodes: ReadonlySet<string>): Patch[] {
  return write(document, without(document, nodes));
}

/** Puts each node into a frame, or into none where it is null. */
export function setFrames(document: WorkflowDocument, wanted: ReadonlyMap<string, string | null>): Patch[] {
  const next = without(document, new Set([...wanted].filter(([, to]) => to === null).map(([id]) => id))).flatMap((record): JsonObject[] => {
    const own = String(record.id);
    const members = membersOf(record).filter((id) => !wanted.has(id) || wanted.get(id) === own);
    const joining = [...wanted].filter(([id, to]) => to === own && !members.includes(id)).map(([id]) => id);
    return members.length + joining.length ? [{ ...record, nodes: [...members, ...joining] }] : [];
  });
  return write(document, next);
}

/** A node has another id: frames follow. */
export function renameInFrames(document: WorkflowDocument, id: string, to: string): Patch[] {
  return write(document, records(document).map((record) => {
    const members = membersOf(record);
    return members.includes(id) ? { ...record, nodes: members.map((one) => (one === id ? to : one)) } : record;
  }));
}
