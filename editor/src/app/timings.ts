/** How long results took and when they were made, as far as the events of runs have said. */
import type { JobEvent } from "../net/stream.ts";
import { checkOf, placeName, shownRun } from "./store.ts";
import { keyOf } from "./results.ts";

export interface Made {
  seconds: number;
  /** Unix time in seconds. */
  at: number;
}

const MOST = 20_000;
const byKey = new Map<string, Made>();
/** Of nodes by workflow and id: what they took when they were computed last, whatever their values. */
const byNode = new Map<string, number>();

const place = (workflow: string, id: string): string => `${workflow}\n${id}`;

function put<T>(into: Map<string, T>, name: string, value: T): void {
  into.set(name, value);
  const oldest = into.keys().next().value;
  if (into.size > MOST && oldest !== undefined) into.delete(oldest);
}

export function noteTiming(event: Extract<JobEvent, { event: "node_finished" }>, workflow: string): void {
  if (event.cached) return;
  const seconds = event.seconds ?? 0;
  if (event.key) put(byKey, event.key, { seconds, at: event.at });
  put(byNode, place(workflow, event.node_id), seconds);
}

/** Of the result that a node shows. */
export function madeOf(id: string): Made | undefined {
  const key = keyOf(id);
  const own = key === null ? undefined : byKey.get(key);
  const node = shownRun.peek()?.nodes.get(id);
  return own ?? (checkOf(id)?.state === "volatile" && node?.state === "done" && node.key ? byKey.get(node.key) : undefined);
}

/** Seconds that a run of some nodes will take; 0 where not all of them have been computed before. */
export function expected(ids: string[]): number {
  const seconds = ids.map((id) => byNode.get(place(placeName(), id)));
  return seconds.every((one) => one !== undefined) ? seconds.reduce((sum, one) => sum + one, 0) : 0;
}
