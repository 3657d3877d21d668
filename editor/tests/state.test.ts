import { expect, test } from "vitest";
import { type Run, fractionDone, newRun, takeEvent } from "../src/model/runs.ts";
import { type Given, stateOf } from "../src/model/state.ts";
import type { JobEvent } from "../src/net/stream.ts";
import type { Problem } from "../src/net/schema.ts";

const problem: Problem = { code: "c", where: "", message: "no", hint: "" };
const missing = { key: "k", state: "missing" as const, reason: "strength changed" };
const known = { key: "k", state: "known" as const, reason: "" };

const TABLE: [string, Given, string][] = [
  ["nothing is known of it", {}, "unchecked"],
  ["its result is there", { check: known }, "known"],
  ["its values are new", { check: missing }, "will-run"],
  ["a run has just made it", { check: missing, fresh: true }, "known"],
  ["it runs", { check: missing, run: { state: "running", step: 1, total: 2, message: "", since: 0 } }, "running"],
  ["it waits", { check: missing, run: { state: "queued" } }, "queued"],
  ["a check knows its result before the run's event has come", { check: known, run: { state: "queued" } }, "known"],
  ["a run computes it anew", { check: known, anew: true, run: { state: "queued" } }, "queued"],
  ["it has a mistake", { check: missing, problems: [problem] }, "mistake"],
  ["a warning is no mistake", { check: known, problems: [{ ...problem, level: "warning" }] }, "known"],
  ["it failed", { check: missing, run: { state: "failed", problem } }, "failed"],
  ["it failed once, and its result is there by now", { check: known, run: { state: "failed", problem } }, "known"],
  ["nobody wants it", { check: { key: null, state: "unneeded", reason: "" } }, "unneeded"],
  ["it is never known", { check: { key: null, state: "volatile", reason: "" } }, "volatile"],
  ["what it needs is broken", { check: { key: null, state: "broken", reason: "r" } }, "mistake"],
];

test.each(TABLE)("%s", (_, given, mark) => {
  expect(stateOf(given).mark).toBe(mark);
});

const EVENTS = [
  { event: "job_queued", workflow: "w" },
  { event: "job_started" },
  { event: "run_started", nodes: 2 },
  { event: "node_needed", ids: ["a", "b"] },
  { event: "node_progress", node_id: "a", step: 3, total: 4 },
  { event: "node_finished", node_id: "a", key: "k", seconds: 1 },
  { event: "job_ended", state: "done" },
].map((event, index) => ({ ...event, job: "j", n: index + 1, at: index }) as JobEvent);

function told(events: JobEvent[]): Run {
  const run = newRun("j", 0);
  for (const event of events) takeEvent(run, event);
  return run;
}

const view = (run: Run) => ({ state: run.state, nodes: [...run.nodes].sort(), workflow: run.workflow });

function* permutations<T>(items: T[]): Generator<T[]> {
  if (items.length <= 1) yield items;
  for (let index = 0; index < items.length; index++) {
    const rest = items.toSpliced(index, 1);
    for (const order of permutations(rest)) yield [items[index]!, ...order];
  }
}

test("events in any order, and twice, come to the same", () => {
  const wanted = view(told(EVENTS));
  expect(wanted.state).toBe("done");
  for (const order of permutations(EVENTS)) {
    expect(view(told([...order, ...EVENTS]))).toEqual(wanted);
  }
});

test("progress is counted in nodes and their steps", () => {
  expect(fractionDone(told(EVENTS.slice(0, 4)))).toBe(0);
  expect(fractionDone(told(EVENTS.slice(0, 5)))).toBe(0.375);
  expect(fractionDone(told(EVENTS.slice(0, 6)))).toBe(0.5);
});
