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

/** Moves a waiting job before (-1) or after (1) its neighbour. Those of one priority go by their age. */
export async function moveJob(id: string, by: number): Promise<void> {
  const waiting = runs.value.filter((run) => run.state === "queued").sort((a, b) => b.priority - a.priority || a.created - b.created);
  const at = waiting.findIndex((run) => run.id === id);
  const [run, other] = [waiting[at], waiting[at + by]];
  if (!run || !other) return;
  [waiting[at], waiting[at + by]] = [other, run];
  // From the last one up, each is raised where it would not come before the one that follows it.
  const raised: [typeof run, number][] = [];
  for (let index = waiting.length - 1, next = { priority: -Infinity, created: Infinity }; index >= 0; index--) {
    const one = waiting[index]!;
    const least = next.priority + (one.created <= next.created ? 0 : 1);
    const priority = Math.min(100, Math.max(one.priority, least));
    if (priority !== one.priority) raised.push([one, priority]);
    next = { priority, created: one.created };
  }
  for (const [one, priority] of raised) {
    await server.api.changeJob(one.id, { priority });
    one.priority = priority;
  }
  runs.value = [...runs.value];
}
