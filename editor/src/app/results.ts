/** Results by key: a node shows the result of the key that its present values have, or none. */
import { type Signal, signal } from "@preact/signals";
import type { ImageValue, ResultAnswer, ResultValue } from "../net/schema.ts";
import { textOf } from "../model/document.ts";
import { isObject } from "../model/json.ts";
import { drawn } from "./drawn.ts";
import { announce, check, freshKeys, opened, server, types } from "./store.ts";

const MOST = 500;
const known = new Map<string, Signal<ResultAnswer | null>>();
const waiting = new Set<string>();

/** The result of a key; null until it has come, or where there is none any more. */
export function resultOf(key: string): Signal<ResultAnswer | null> {
  const found = known.get(key);
  if (found) {
    known.delete(key);
    known.set(key, found);
    return found;
  }
  const made = signal<ResultAnswer | null>(null);
  known.set(key, made);
  const oldest = known.keys().next().value;
  if (known.size > MOST && oldest !== undefined) known.delete(oldest);
  void fetchResult(key, made);
  return made;
}

async function fetchResult(key: string, into: Signal<ResultAnswer | null>): Promise<void> {
  if (waiting.has(key)) return;
  waiting.add(key);
  try {
    into.value = await server.api.result(key);
    const { document } = opened.value;
    const ids = [...document.nodes.keys()].filter((id) => keyOf(id) === key);
    announce(new Set(ids.flatMap((id) => [id, ...document.edgesFrom(id).map((edge) => edge.target)])));
  } catch {
    // It has left the cache: the next check says so.
    known.delete(key);
  } finally {
    waiting.delete(key);
  }
}

/** The key whose result a node may show now. */
export function keyOf(id: string): string | null {
  const node = check.peek()?.nodes[id];
  if (node?.key && (node.state === "known" || freshKeys.has(node.key))) return node.key;
  // A seed that is drawn anew: the result of the number that was drawn last.
  const last = node?.state === "volatile" ? drawn.peek()[id] : undefined;
  return last?.state === "known" ? last.key : null;
}

export function nodeResult(id: string): ResultAnswer | null {
  const key = keyOf(id);
  return key === null ? null : resultOf(key).peek();
}

/** The same; of an output, which has none of its own, what comes into it. */
export function passedResult(id: string): ResultAnswer | null {
  const [edge] = opened.peek().document.edgesInto(id);
  const own = nodeResult(id);
  const isOutput = types.peek().node(textOf(opened.peek().document.nodes.get(id)?.type))?.role === "output";
  const made = own || !edge || !isOutput ? null : nodeResult(edge.source);
  const value = made?.outputs[edge!.sourceHandle];
  return made && value !== undefined ? { ...made, outputs: { value } } : own;
}

export function isImage(value: ResultValue | undefined): value is ImageValue {
  return isObject(value) && value.type === "image" && typeof value.url === "string";
}

/** All images in a value, in order. */
export function imagesIn(value: ResultValue | undefined): ImageValue[] {
  if (isImage(value)) return [value];
  return Array.isArray(value) ? value.flatMap((one) => imagesIn(one as ResultValue)) : [];
}

/** Those of all outputs; where `images` are several, `output` is the first of them. */
export function imagesOf(result: { outputs: Record<string, ResultValue> } | null): ImageValue[] {
  if (!result) return [];
  const { output, images, ...rest } = result.outputs;
  const both = isImage(output) && imagesIn(images).length > 0 ? imagesIn(images) : [...imagesIn(output), ...imagesIn(images)];
  return [...both, ...Object.values(rest).flatMap(imagesIn)];
}
