/** What is painted on, and where the mask goes. */
import { part, positionOf, textOf } from "../model/document.ts";
import type { Crop } from "../model/crop.ts";
import { type Json, type JsonObject, numberOf } from "../model/json.ts";
import { type MaskStep, writeSteps } from "../model/mask.ts";
import * as operations from "../model/operations.ts";
import { freeId } from "../model/ids.ts";
import { t } from "../parts/text.ts";
import { commit, portsOf } from "./editing.ts";
import { imageUrl } from "./images.ts";
import { imagesIn, nodeResult } from "./results.ts";
import { opened } from "./store.ts";

const IMAGE_INPUT = "nodetool.input.ImageInput";

/** Whether a property, or the input that it belongs to, is a mask already. */
export function isMask(node: string, property: string): boolean {
  const record = opened.peek().document.nodes.get(node);
  return /mask/i.test(property) || /mask/i.test(textOf(part(record, "data").name));
}

/** The image that lies below: of a mask, the one that it belongs to; else the image itself. */
export function groundOf(node: string, property: string): string | null {
  const { document } = opened.peek();
  const own = imageUrl(part(document.nodes.get(node), "data")[property] as Json | undefined);
  if (!isMask(node, property)) return own ?? above(node, property);
  const users = /mask/i.test(property) ? [node] : document.edgesFrom(node).map((edge) => edge.target);
  for (const user of users) {
    const edge = document.edgeInto(user, "image");
    const direct = imageUrl(part(document.nodes.get(edge?.source ?? user), "data")[edge ? "value" : "image"] as Json | undefined);
    const made = edge && imagesIn(nodeResult(edge.source)?.outputs[edge.sourceHandle])[0]?.url;
    if (made ?? direct) return made ?? direct;
  }
  return own;
}

/** The image that comes along a wire: the result of its source, or the one that an input was given. */
function above(node: string, property: string): string | null {
  const { document } = opened.peek();
  const edge = document.edgeInto(node, property);
  if (!edge) return null;
  const made = imagesIn(nodeResult(edge.source)?.outputs[edge.sourceHandle])[0]?.url;
  return made ?? imageUrl(part(document.nodes.get(edge.source), "data").value);
}

/** Puts the mask where it belongs: into the property that is a mask, or into an input beside the image. */
export function keepMask(node: string, property: string, image: JsonObject, steps: readonly MaskStep[]): void {
  const { document } = opened.peek();
  const strokes = writeSteps(steps);
  if (isMask(node, property)) {
    const set = operations.setValue(document, node, property, image);
    const before = document.nodes.get(node)!;
    const after = set[0]?.kind === "node" && set[0].after ? set[0].after : before;
    commit(t.mask, [{ kind: "node", id: node, before, after: { ...after, ui_properties: { ...part(after, "ui_properties"), mask: strokes } } }]);
    return;
  }
  const wanted = maskPortsOf(node);
  const before = textOf(part(part(document.nodes.get(node), "ui_properties"), "mask").node);
  const present = document.nodes.has(before) ? before : wanted.map((port) => document.edgeInto(port.node, port.name)?.source).find((id) => id !== undefined && isImageInput(id));
  if (present !== undefined) {
    commit(t.mask, [...operations.setValue(document, present, "value", image), ...operations.setUi(document, node, "mask", { ...strokes, node: present })]);
    return;
  }
  const id = freeId("mask", (one) => document.nodes.has(one));
  const { x, y } = positionOf(document.nodes.get(node));
  const record = { id, type: IMAGE_INPUT, data: { name: id, value: image }, ui_properties: { position: { x, y: y + 180 } } };
  const edges = wanted
    .filter((port) => !document.edgeInto(port.node, port.name))
    .flatMap((port) => operations.connect(document, id, "output", port.node, port.name));
  commit(t.mask, [...operations.addNodes(document, [record]), ...edges, ...operations.setUi(document, node, "mask", { ...strokes, node: id })]);
}

function isImageInput(id: string): boolean {
  return textOf(opened.peek().document.nodes.get(id)?.type) === IMAGE_INPUT;
}

/** Properties for a mask of the nodes that take the image of a node. */
function maskPortsOf(node: string): { node: string; name: string }[] {
  const users = new Set(opened.peek().document.edgesFrom(node).map((edge) => edge.target));
  return [...users].flatMap((user) => portsOf(user).properties.filter((one) => /^mask(_image)?$/i.test(one.name)).map((one) => ({ node: user, name: one.name })));
}

// Crops.

const CROP = "nodetool.image.Crop";

export function isCrop(node: string): boolean {
  return textOf(opened.value.document.nodes.get(node)?.type) === CROP;
}

/** The edges that a crop has; none where it is made by something else than its edges. */
export function cropOf(node: string): Crop | null {
  const data = part(opened.peek().document.nodes.get(node), "data");
  if (data.by !== undefined && data.by !== "edges") return null;
  const [left, top, right, bottom] = [data.left, data.top, data.right, data.bottom].map(numberOf);
  return right === undefined && bottom === undefined && !left && !top ? null : { left: left ?? 0, top: top ?? 0, right: right ?? 512, bottom: bottom ?? 512 };
}

/** Sets all four edges in one step of undo. */
export function keepCrop(node: string, crop: Crop): void {
  const before = opened.peek().document.nodes.get(node);
  if (!before) return;
  const { by: _by, ...rest } = part(before, "data");
  commit(t.crop, [{ kind: "node", id: node, before, after: { ...before, data: { ...rest, ...crop } } }]);
}
