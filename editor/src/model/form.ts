/** The form of a workflow: its inputs, as fields, in the order of the document. */
import type { FieldSchema, Property, WorkflowInfo } from "../net/schema.ts";
import { type WorkflowDocument, part, textOf } from "./document.ts";
import { type Json, type JsonObject, isObject, numberOf } from "./json.ts";
import { type FieldKind, fieldKind } from "./shown.ts";
import { type Types, labelOf } from "./types.ts";

export interface FormField {
  name: string;
  property: Property;
  typeName: string;
  kind: FieldKind;
  value: Json | undefined;
  label: string;
  /** Fields of one group stand below its heading; those of none come first. */
  group: string;
  /** Whether it stands behind "More". */
  more: boolean;
}

/** What a document says of a field of its form, in `editor.form`: the order is that of the list. */
export interface FormRow {
  name: string;
  label?: string | undefined;
  group?: string | undefined;
  more?: boolean | undefined;
  /** Another field for it, where that can hold its values. */
  widget?: string | undefined;
}

function readRows(found: Json | undefined): FormRow[] {
  if (!Array.isArray(found)) return [];
  return found.filter(isObject).map((row) => ({
    name: textOf(row.name),
    label: textOf(row.label),
    group: textOf(row.group),
    more: typeof row.more === "boolean" ? row.more : undefined,
    widget: textOf(row.widget),
  }));
}

/** Kinds of fields that can take each other's place. */
const EXCHANGED: readonly (readonly FieldKind[])[] = [["text", "multiline"], ["number", "slider"]];

function withRow(field: FormField, row: FormRow): FormField {
  const wanted = EXCHANGED.find((kinds) => kinds.includes(field.kind))?.find((kind) => kind === row.widget);
  return { ...field, label: row.label || field.label, group: row.group ?? "", more: row.more ?? false, kind: wanted ?? field.kind };
}

const REST = /seed|negative|steps|guidance|model|scheduler/i;

/** From the document that is open: what is edited shows at once. */
export function fieldsOfDocument(document: WorkflowDocument, types: Types): FormField[] {
  const found: FormField[] = [];
  for (const record of document.nodes.values()) {
    const type = types.node(textOf(record.type));
    if (type?.role !== "input") continue;
    const data = part(record, "data");
    const value = type.properties.find((property) => property.name === "value");
    const name = textOf(data.name);
    if (!value || !name) continue;
    const options = Array.isArray(data.options) ? data.options : undefined;
    const property: Property = {
      ...value,
      name,
      description: textOf(data.description) || value.description,
      default: data.value ?? value.default,
      ...(options ? { choices: options } : {}),
      ...bound("min", data.min),
      ...bound("max", data.max),
      ...(isSeed(name, data.min) ? { seed: true } : {}),
    };
    const given = property.default;
    const kind = textOf(data.line_mode) === "multiline" ? "multiline" : fieldKind({ ...property, name: LONG.test(name) || textOf(given).length > ONE_LINE ? "prompt" : name }, types, given);
    const typeName = types.info(value.type).name;
    found.push({ name, property, typeName, kind, value: given, label: labelOf(name), group: "", more: REST.test(name) });
  }
  return arranged(found, readRows((document.fields.editor as JsonObject | undefined)?.form));
}

const LONG = /prompt|text|template/i;
const ONE_LINE = 60;

function bound(name: "min" | "max", value: Json | undefined): Partial<Property> {
  const number = numberOf(value);
  return number === undefined ? {} : { [name]: number };
}

function isSeed(name: string, low: Json | undefined): boolean {
  return /seed/i.test(name) && numberOf(low) === -1;
}

/** From the server's description: all that a client without rights has. */
export function fieldsOfSchema(info: WorkflowInfo): FormField[] {
  const required = new Set(info.inputs.required ?? []);
  return arranged(Object.entries(info.inputs.properties ?? {}).map(([name, schema]) => fieldOf(name, schema, required.has(name))), info.form ?? []);
}

function fieldOf(name: string, schema: FieldSchema & { anyOf?: FieldSchema[] }, required: boolean): FormField {
  const low = numberOf(schema.minimum);
  const high = numberOf(schema.maximum);
  const seed = schema.seed ?? isSeed(name, low);
  const image = schema["x-default-image"];
  const given = image === undefined ? schema.default : { type: "image", url: image };
  const property: Property = {
    name,
    type: -1,
    required,
    description: schema.description ?? "",
    ...(given === undefined ? {} : { default: given }),
    ...(low === undefined ? {} : { min: low }),
    ...(high === undefined ? {} : { max: high }),
    ...(schema.maxLength === undefined ? {} : { max_length: schema.maxLength }),
    ...(schema.enum ? { choices: schema.enum } : {}),
    ...(seed ? { seed: true } : {}),
  };
  const [kind, typeName] = kindOf(name, schema, low, high, seed);
  return { name, property, typeName, kind, value: given, label: labelOf(name), group: "", more: REST.test(name) };
}

function kindOf(name: string, schema: FieldSchema & { anyOf?: FieldSchema[] }, low?: number, high?: number, seed?: boolean): [FieldKind, string] {
  if (schema.enum) return ["choice", "str"];
  const image = (one: FieldSchema | undefined): boolean => !!(one as { anyOf?: { properties?: { type?: { const?: string } } }[] } | undefined)?.anyOf?.some((part) => part.properties?.type?.const === "image");
  if (image(schema)) return ["image", "image"];
  switch (schema.type) {
    case "boolean":
      return ["switch", "bool"];
    case "integer":
    case "number":
      return [low !== undefined && high !== undefined && high - low <= 4096 && !seed ? "slider" : "number", schema.type === "integer" ? "int" : "float"];
    case "array":
      return ["list", image(schema.items) ? "list[image]" : `list[${schema.items?.type === "string" ? "str" : "int"}]`];
    case "object": {
      const given = isObject(schema.default) ? textOf(schema.default.type) : "";
      if (given === "color") return ["color", given];
      return given.startsWith("hf.") ? ["model", given] : ["json", "any"];
    }
    default:
      return [schema.widget === "multiline" || LONG.test(name) || textOf(schema.default).length > ONE_LINE ? "multiline" : "text", "str"];
  }
}

/** As the document arranges it; else what everybody sets first, and the rest behind "More", unless it is all there is. */
function arranged(fields: FormField[], rows: readonly FormRow[]): FormField[] {
  if (rows.length) {
    const places = new Map(rows.map((row, index) => [row.name, index]));
    const at = (field: FormField): number => places.get(field.name) ?? rows.length;
    return [...fields].sort((a, b) => at(a) - at(b)).map((field) => (places.has(field.name) ? withRow(field, rows[at(field)]!) : field));
  }
  const rank = (field: FormField): number => (field.kind === "image" ? 0 : field.kind === "multiline" ? 1 : 2);
  const sorted = fields.map((field, index) => ({ field, index })).sort((a, b) => rank(a.field) - rank(b.field) || a.index - b.index).map(({ field }) => field);
  return sorted.every((field) => field.more) ? sorted.map((field) => ({ ...field, more: false })) : sorted;
}
