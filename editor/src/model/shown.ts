/** Which properties of a node are shown on the canvas, and what a field works on. */
import type { NodeType, Property } from "../net/schema.ts";
import type { WorkflowDocument } from "./document.ts";
import { part, textOf } from "./document.ts";
import { type Json, type JsonObject, isObject, numberOf, same } from "./json.ts";
import { noteText } from "./notes.ts";
import { type Types, labelOf, titleOf } from "./types.ts";

/** What a node shows as its name: a title of its own, the name of an input or output, its type. */
export function nodeTitle(record: JsonObject | undefined, type?: NodeType): string {
  const own = textOf(part(record, "ui_properties").title);
  if (own) return own;
  const name = textOf(part(record, "data").name);
  if (name && (type?.role === "input" || type?.role === "output")) return labelOf(name);
  if (type?.role === "comment") return textOf(part(record, "data").headline) || noteText(part(record, "data").comment).split("\n")[0]!.slice(0, 60) || titleOf("Note");
  return titleOf(textOf(record?.type));
}

export function valueOf(record: JsonObject | undefined, property: Property): Json | undefined {
  const dynamic = part(record, "dynamic_properties");
  if (property.name in dynamic) return dynamic[property.name];
  const data = part(record, "data");
  return property.name in data ? data[property.name] : property.default;
}

export function isChanged(record: JsonObject | undefined, property: Property): boolean {
  const data = { ...part(record, "data"), ...part(record, "dynamic_properties") };
  return property.name in data && !same(data[property.name], property.default);
}

/** Of an input or output, what it is about is its value alone: the rest is for the Inspector. */
const BESIDE = new Set(["name", "description", "min", "max", "options", "label"]);
const MOST_AT_FIRST = 3;
/** Type of a property that the node was given besides those of its type. */
const ANY_NAME = -1;

export interface Shown {
  rows: Property[];
  /** How many more there are. */
  hidden: number;
}

/** Whether edges are led past a node. */
export function isBypassed(record: JsonObject | undefined): boolean {
  return part(record, "ui_properties").bypassed === true;
}

/** Whether a node is a face of the workflow: an input or an output. */
export function isFace(type: NodeType | undefined): boolean {
  return type?.role === "input" || type?.role === "output";
}

/** A property as this node has it: the value of an input has the bounds that stand in the node. */
export function asGiven(property: Property, record: JsonObject | undefined, type: NodeType | undefined): Property {
  if (type?.role !== "input" || property.name !== "value") return property;
  const data = part(record, "data");
  const [min, max] = [numberOf(data.min), numberOf(data.max)];
  const options = Array.isArray(data.options) && data.options.length ? data.options : undefined;
  if (min === undefined && max === undefined && !options) return property;
  return {
    ...property,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(options ? { choices: options } : {}),
    ...(min === -1 && /seed/i.test(textOf(data.name)) ? { seed: true } : {}),
  };
}

export function shownProperties(
  document: WorkflowDocument,
  id: string,
  type: NodeType | undefined,
  properties: readonly Property[],
): Shown {
  const record = document.nodes.get(id);
  const ui = part(record, "ui_properties");
  if (ui.collapsed === true) {
    const rows = properties.filter((property) => document.edgeInto(id, property.name));
    return { rows, hidden: properties.length - rows.length };
  }
  const named = Array.isArray(ui.shown) ? new Set(ui.shown.map(String)) : null;
  if (named) {
    const rows = properties.filter((one) => named.has(one.name) || document.edgeInto(id, one.name));
    return { rows, hidden: properties.length - rows.length };
  }
  const face = isFace(type);
  const rows = properties.filter(
    (property, index) =>
      document.edgeInto(id, property.name) !== undefined ||
      property.type === ANY_NAME ||
      (!(face && BESIDE.has(property.name)) &&
        (property.required || isChanged(record, property) || index < MOST_AT_FIRST || (face && property.name === "value"))),
  );
  return { rows, hidden: face ? 0 : properties.length - rows.length };
}

/** The properties that a node of this file has and its type does not know: kept, and shown in red. */
export function unknownValues(record: JsonObject | undefined, properties: readonly Property[]): string[] {
  const names = new Set(properties.map((property) => property.name));
  return Object.keys(part(record, "data")).filter((name) => !names.has(name));
}

export type FieldKind =
  | "text"
  | "multiline"
  | "number"
  | "slider"
  | "switch"
  | "choice"
  | "color"
  | "image"
  | "model"
  | "path"
  | "list"
  | "json"
  | "none";

const LONG = new Set(["prompt", "negative_prompt", "template", "text", "description", "value", "comment"]);

/** Which field a property is edited with. */
export function fieldKind(property: Property, types: Types, value?: Json): FieldKind {
  const { kind, name } = types.info(property.type);
  if (property.choices) return "choice";
  switch (property.widget) {
    case "multiline":
    case "prompt":
      return "multiline";
    case "text":
    case "color":
    case "json":
    case "path":
    case "slider":
      return property.widget;
    case "folder":
      return "path";
    case "mask":
      return "image";
  }
  switch (kind) {
    case "text":
      return LONG.has(property.name) || /\n/.test(String(value ?? "")) ? "multiline" : "text";
    case "number":
      return isBounded(property) ? "slider" : "number";
    case "switch":
    case "choice":
    case "color":
    case "image":
    case "model":
      return kind;
    case "file":
      return "path";
    case "list":
      return /^list\[(str|int|float|image)\]/.test(name) ? "list" : "json";
    default:
      return typeof value === "string" ? "text" : numberOf(value) !== undefined ? "number" : isObject(value) || Array.isArray(value) ? "json" : "text";
  }
}

/** Whether a slider makes sense: both ends known, and not so far apart that it can't be aimed. */
export function isBounded(property: Property): boolean {
  const low = property.min ?? property.above;
  const high = property.max ?? property.below;
  if (low === undefined || high === undefined || property.seed) return false;
  return high - low <= 4096;
}
