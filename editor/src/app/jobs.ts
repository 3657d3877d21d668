/** Jobs that have ended: the history and the gallery. */
import { signal } from "@preact/signals";
import { hasEnded } from "../model/runs.ts";
import type { Job } from "../net/schema.ts";
import { runs, server } from "./store.ts";
import { runOfJob } from "../model/runs.ts";

export const history = signal<Job[]>([]);
export const historyNext = signal<string | null>(null);
export const keptOnly = signal(false);

function query(): Record<string, string> {
  return { limit: "40", with: "outputs", ...(keptOnly.value ? { kept: "true" } : {}) };
}

/** Counts up with each question and each change: an answer to an older question is passed over. */
let asked = 0;

export async function loadHistory(): Promise<void> {
  const number = ++asked;
  try {
    const page = await server.api.jobs(query());
    if (number !== asked) return;
    history.value = page.jobs.filter((job) => hasEnded(job.state));
    historyNext.value = page.next;
    const waiting = page.jobs.filter((job) => !hasEnded(job.state) && !runs.value.some((run) => run.id === job.id));
    if (waiting.length) runs.value = [...runs.value, ...waiting.reverse().map(runOfJob)];
  } catch {
    // Shown as not connected already.
  }
}

export async function loadOlder(): Promise<void> {
  if (!historyNext.value) return;
  const page = await server.api.jobs({ ...query(), before: historyNext.value });
  history.value = [...history.value, ...page.jobs.filter((job) => hasEnded(job.state))];
  historyNext.value = page.next;
}

export async function keepJob(job: Job, kept: boolean): Promise<void> {
  const changed = await server.api.changeJob(job.id, { kept });
  history.value = history.value.map((one) => (one.id === job.id ? { ...one, kept: changed.kept } : one));
  await loadHistory();
}

export async function removeJob(job: Job): Promise<void> {
  await server.api.deleteJob(job.id);
  history.value = history.value.filter((one) => one.id !== job.id);
  await loadHistory();
}

/** Moves a waiting job before (-1) or after (1) its neighbour. */
export async function moveJob(id: string, by: number): Promise<void> {
  const waiting = runs.value.filter((run) => run.state === "queued").sort((a, b) => b.priority - a.priority);
  const at = waiting.findIndex((run) => run.id === id);
  const other = waiting[at + by];
  const run = waiting[at];
  if (!run || !other) return;
  const priority = Math.max(-100, Math.min(100, other.priority - Math.sign(by)));
  await server.api.changeJob(id, { priority });
  run.priority = priority;
  runs.value = [...runs.value];
}
