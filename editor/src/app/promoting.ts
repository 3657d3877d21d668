/** Makes a property an input of the workflow: a node for it, with the present value, connected. */
import { freePlace } from "../canvas/neighbours.ts";
import { part, positionOf, textOf } from "../model/document.ts";
import { freeId } from "../model/ids.ts";
import type { JsonObject } from "../model/json.ts";
import * as operations from "../model/operations.ts";
import { asGiven, valueOf } from "../model/shown.ts";
import type { Property } from "../net/schema.ts";
import { t } from "../parts/text.ts";
import { commit, select } from "./editing.ts";
import { opened, types } from "./store.ts";

const INPUTS: [RegExp, string][] = [
  [/^image\b(?!_)/, "ImageInput"],
  [/^list\[image\]/, "ImageListInput"],
  [/^list\[str\]/, "StringListInput"],
  [/^str\b/, "StringInput"],
  [/^int\b/, "IntegerInput"],
  [/^float\b/, "FloatInput"],
  [/^bool\b/, "BooleanInput"],
  [/^enum\b/, "SelectInput"],
  [/^hf\./, "HuggingFaceModelInput"],
  [/^color\b/, "ColorInput"],
  [/^image_size\b/, "ImageSizeInput"],
];

function inputFor(property: Property): string | undefined {
  const { name } = types.value.info(property.type);
  const found = INPUTS.find(([pattern]) => pattern.test(name))?.[1];
  const type = found && `nodetool.input.${found}`;
  return type && types.value.node(type) ? type : undefined;
}

export function canBeInput(id: string, property: Property): boolean {
  const { document } = opened.value;
  const role = types.value.node(textOf(document.nodes.get(id)?.type))?.role;
  return role !== "input" && role !== "output" && !document.edgeInto(id, property.name) && inputFor(property) !== undefined;
}

export function makeInput(id: string, declared: Property): void {
  const { document } = opened.value;
  const record = document.nodes.get(id);
  const property = asGiven(declared, record, undefined);
  const type = inputFor(property);
  if (!record || !type) return;
  const taken = new Set([...document.nodes.values()].map((one) => textOf(part(one, "data").name)));
  const name = freeId(property.name, (one) => taken.has(one));
  const node = freeId(property.name, (one) => document.nodes.has(one));
  const value = valueOf(record, property);
  const data: JsonObject = { name, ...(value === undefined ? {} : { value }), description: property.description };
  if (property.choices) data.options = property.choices;
  if (/Integer|Float/.test(type)) {
    if (property.min !== undefined && Number.isSafeInteger(Math.trunc(property.min))) data.min = property.min;
    if (property.max !== undefined && Number.isSafeInteger(Math.trunc(property.max))) data.max = property.max;
  }
  const { x, y } = positionOf(record);
  const input = { id: node, type, data, ui_properties: { position: { ...freePlace({ x: x - 320, y }) } } };
  commit(t.makeInput, [...operations.addNodes(document, [input]), ...operations.connect(document, node, "output", id, property.name)]);
  select([node]);
}
