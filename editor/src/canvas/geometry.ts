/**
 * Where everything of a node lies, reckoned from its data alone.
 *
 * Rows have fixed heights, in the styles as here, so that wires, hits and far nodes need no DOM.
 */
import { part, positionOf, textOf } from "../model/document.ts";
import { type JsonObject, numberOf } from "../model/json.ts";
import { isNoteType } from "../model/notes.ts";
import { propertiesOf } from "../model/ports.ts";
import { type FieldKind, asGiven, fieldKind, shownProperties, unknownValues, valueOf } from "../model/shown.ts";
import type { Output, Property } from "../net/schema.ts";
import { imagesOf, nodeResult } from "../app/results.ts";
import { checkOf, opened, shownRun, types } from "../app/store.ts";

export const WIDTH = 240;
export const MIN_WIDTH = 180;
const MAX_WIDTH = 800;
export const HEADER = 32;
const ROW = 28;
const TALL = 64;
const IMAGE_ROW = 108;
const MORE = 24;
export const RESULT = 160;
const FOOT = 8;
const NOTE_HEIGHT = 136;
export const MIN_HEIGHT = 72;
export const HEAD_PORT = HEADER / 2;

export interface Row {
  property: Property;
  kind: FieldKind;
  y: number;
  height: number;
}

export interface OutputRow {
  output: Output;
  y: number;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  rows: Row[];
  outputs: OutputRow[];
  /** Height of the list of outputs; none where a single one stands at the head. */
  outputsHeight: number;
  hidden: number;
  unknown: string[];
  /** Where the image of the result stands, or null. */
  resultY: number | null;
}

interface Cached {
  record: object | undefined;
  box: Box;
}

const cache = new Map<string, Cached>();

/** Forgets what was reckoned of some nodes, or of all. */
export function forget(ids?: Iterable<string>): void {
  if (ids) for (const id of ids) cache.delete(id);
  else cache.clear();
}

/** Where nodes are while they are dragged; the document learns of it when they are let go of. */
export const dragged = new Map<string, { x: number; y: number }>();

export function measure(id: string): Box {
  const record = opened.peek().document.nodes.get(id);
  let found = cache.get(id);
  if (!found || found.record !== record) {
    found = { record, box: reckon(id) };
    cache.set(id, found);
  }
  const at = dragged.get(id);
  return at ? { ...found.box, ...at } : found.box;
}

function heightOf(kind: FieldKind, connected: boolean): number {
  if (connected) return ROW;
  return kind === "multiline" ? TALL : kind === "image" ? IMAGE_ROW : ROW;
}

export function isNote(id: string): boolean {
  return isNoteType(types.peek().node(textOf(opened.peek().document.nodes.get(id)?.type)));
}

/** A note is a box with a text: it has neither rows nor ports. */
function reckonNote(record: JsonObject | undefined): Box {
  const ui = part(record, "ui_properties");
  const height = Math.max(MIN_HEIGHT, numberOf(ui.height) ?? NOTE_HEIGHT);
  const width = Math.max(MIN_WIDTH, numberOf(ui.width) ?? WIDTH);
  return { ...positionOf(record), width, height, rows: [], outputs: [], outputsHeight: 0, hidden: 0, unknown: [], resultY: null };
}

function reckon(id: string): Box {
  if (isNote(id)) return reckonNote(opened.peek().document.nodes.get(id));

  const { document } = opened.peek();
  const record = document.nodes.get(id);
  const typeName = textOf(record?.type);
  const type = types.peek().node(typeName);
  const ui = part(record, "ui_properties");
  const properties = propertiesOf(types.peek(), document, id, checkOf(id));
  const outputs = types.peek().outputs(typeName, checkOf(id));
  const { rows: shown, hidden } = shownProperties(document, id, type, properties);
  let y = HEADER;
  const several = outputs.length > 1;
  const outputRows = outputs.map((output) => {
    const at = several ? y + ROW / 2 : HEAD_PORT;
    if (several) y += ROW;
    return { output, y: at };
  });
  const outputsHeight = y - HEADER;
  if (shown.length) y += 4;
  const rows = shown.map((declared): Row => {
    const property = asGiven(declared, record, type);
    const kind = fieldKind(property, types.peek(), valueOf(record, property));
    const height = heightOf(kind, document.edgeInto(id, property.name) !== undefined);
    const row = { property, kind, y, height };
    y += height;
    return row;
  });
  const unknown = unknownValues(record, properties);
  y += unknown.length * ROW;
  if (hidden > 0 || ui.shown !== undefined) y += MORE;
  const shows = type?.role !== "input" && ui.collapsed !== true && (imagesOf(nodeResult(id)).length > 0 || !!shownRun.peek()?.previews.has(id));
  const resultY = shows ? y + 4 : null;
  if (shows) y += RESULT + 4;
  const asked = numberOf(ui.width);
  const width = asked === undefined ? WIDTH : Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, asked));
  return { ...positionOf(record), width, height: y + (y > HEADER ? FOOT : 0), rows, outputs: outputRows, outputsHeight, hidden, unknown, resultY };
}

/** Where the wire of a port begins or ends; the head of the node where the row is hidden. */
export function portPoint(id: string, name: string, side: "in" | "out", at = measure(id)): { x: number; y: number } {
  if (side === "out") {
    const row = at.outputs.find((one) => one.output.name === name);
    return { x: at.x + at.width, y: at.y + (row?.y ?? HEAD_PORT) };
  }
  const row = at.rows.find((one) => one.property.name === name);
  return { x: at.x, y: at.y + (row ? row.y + Math.min(ROW, row.height) / 2 : HEAD_PORT) };
}

export interface Found {
  name: string;
  side: "in" | "out";
}

/** Inputs of the workflow are the beginning: their own ports are shown only where they are connected. */
export function hasPort(id: string, property: string): boolean {
  const { document } = opened.peek();
  const role = types.peek().node(textOf(document.nodes.get(id)?.type))?.role;
  return role !== "input" || document.edgeInto(id, property) !== undefined;
}

/** The port of a node at a point of the canvas, within a reach. */
export function portAt(id: string, x: number, y: number, reach: number): Found | null {
  const box = measure(id);
  const near = (side: "in" | "out", name: string): boolean => {
    const point = portPoint(id, name, side, box);
    return Math.abs(point.x - x) <= reach && Math.abs(point.y - y) <= Math.min(reach, ROW / 2);
  };
  for (const { output } of box.outputs) if (near("out", output.name)) return { name: output.name, side: "out" };
  for (const { property } of box.rows) if (hasPort(id, property.name) && near("in", property.name)) return { name: property.name, side: "in" };
  return null;
}
