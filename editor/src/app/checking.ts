/** Asks the server what the document is about, a moment after each change. */
import { batch, effect } from "@preact/signals";
import { ApiError, OfflineError } from "../net/api.ts";
import type { NodeCheck } from "../net/schema.ts";
import { checkDrawn } from "./drawn.ts";
import { reason } from "./reasons.ts";
import { announce, check, connected, freshKeys, opened, placeName, problems, revision, server, status } from "./store.ts";

const SHORTEST = 80;
const LONGEST = 1000;

let took = 0;
let ended = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let abort: AbortController | undefined;
let asked = 0;

export async function checkNow(): Promise<void> {
  clearTimeout(timer);
  if (status.peek()?.owner !== true) return;
  abort?.abort();
  abort = new AbortController();
  const number = ++asked;
  const { document } = opened.value;
  const begun = performance.now();
  const told = [...freshKeys];
  try {
    const answer = await server.api.check({ document: document.toJson(), name: placeName() || undefined }, abort.signal);
    if (number !== asked || document !== opened.value.document) return;
    ended = performance.now();
    took = ended - begun;
    batch(() => {
      const before = check.value;
      const marked = new Set(problems.value.keys());
      reason(document, answer, before, freshKeys);
      // What a run makes meanwhile, the answer may not know of.
      for (const key of told) freshKeys.delete(key);
      check.value = answer;
      connected.value = true;
      for (const id of problems.value.keys()) marked.add(id);
      announce([...document.nodes.keys()].filter((id) => marked.has(id) || !alike(before?.nodes[id], answer.nodes[id])));
    });
    announce(await checkDrawn(abort.signal));
  } catch (error) {
    if (error instanceof OfflineError) connected.value = false;
    else if (error instanceof ApiError && number === asked) {
      check.value = { problems: error.problems, notes: [], nodes: {}, will_run: 0, total: 0 };
    }
  }
}

function alike(a: NodeCheck | undefined, b: NodeCheck | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The shortest wait, but after a slow check a pause of twice its time: the server has other work. */
export function checkSoon(): void {
  clearTimeout(timer);
  const pause = Math.min(LONGEST, took * 2) - (performance.now() - ended);
  timer = setTimeout(() => void checkNow(), Math.max(SHORTEST, pause));
}

export function keepChecking(): () => void {
  return effect(() => {
    revision.value;
    if (status.value?.can_run || status.value?.owner) checkSoon();
  });
}
