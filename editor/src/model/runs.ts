/**
 * What the events of jobs amount to. Each event has a number within its job: one that comes twice, or
 * late, changes nothing, so a stream may be resumed anywhere.
 */
import type { Job, JobState, Problem } from "../net/schema.ts";
import type { JobEvent } from "../net/stream.ts";

export type NodeRun =
  | { state: "queued" }
  | { state: "running"; step: number; total: number; message: string; since: number }
  | { state: "done"; cached: boolean; seconds: number; key: string | null }
  | { state: "failed"; problem: Problem };

export interface Run {
  id: string;
  workflow: string;
  label: string;
  priority: number;
  state: JobState;
  created: number;
  started: number | null;
  ended: number | null;
  cancelling: boolean;
  /** Whether it computes what is known, too. */
  anew: boolean;
  nodes: Map<string, NodeRun>;
  previews: Map<string, string>;
  needed: Set<string> | null;
  seeds: Record<string, Record<string, number>>;
  problems: Problem[];
  seen: Set<number>;
}

export function newRun(id: string, at: number): Run {
  return {
    id,
    workflow: "",
    label: "",
    priority: 0,
    state: "queued",
    created: at,
    started: null,
    ended: null,
    cancelling: false,
    anew: false,
    nodes: new Map(),
    previews: new Map(),
    needed: null,
    seeds: {},
    problems: [],
    seen: new Set(),
  };
}

export function runOfJob(job: Job): Run {
  const run = newRun(job.id, job.created);
  const { workflow, label, priority, state, started, ended, problems } = job;
  return Object.assign(run, { workflow, label, priority, state, started, ended, problems, cancelling: job.cancel_requested });
}

const ENDED: ReadonlySet<JobState> = new Set(["done", "failed", "cancelled", "expired"]);

export function hasEnded(state: JobState): boolean {
  return ENDED.has(state);
}

/** Takes an event into a run. Returns the nodes that look different, or null where it was known. */
export function takeEvent(run: Run, event: JobEvent): Set<string> | null {
  if (event.n > 0) {
    if (run.seen.has(event.n)) return null;
    run.seen.add(event.n);
  }
  const touched = new Set<string>();
  switch (event.event) {
    case "job_queued":
      run.workflow = event.workflow;
      run.label = event.label ?? "";
      run.priority = event.priority ?? 0;
      break;
    case "job_started":
      if (!hasEnded(run.state)) run.state = "running";
      run.started ??= event.at;
      break;
    case "job_requeued":
      if (!hasEnded(run.state)) run.state = "queued";
      break;
    case "job_cancel_requested":
      run.cancelling = true;
      break;
    case "job_ended":
      run.state = event.state;
      run.ended = event.at;
      run.problems = event.problems ?? run.problems;
      for (const [id, node] of run.nodes) {
        if (node.state === "running" || node.state === "queued") run.nodes.delete(id);
        touched.add(id);
      }
      run.previews.clear();
      break;
    case "run_started":
      run.seeds = event.seeds ?? {};
      break;
    case "node_needed":
      run.needed = new Set(event.ids);
      run.anew = event.anew ?? false;
      for (const id of event.ids) {
        if (!run.nodes.has(id) && !hasEnded(run.state)) run.nodes.set(id, { state: "queued" });
        touched.add(id);
      }
      break;
    case "node_warning":
    case "output_ready":
    case "run_finished":
      break;
    default:
      takeNodeEvent(run, event);
      touched.add(event.node_id);
  }
  return touched;
}

type NodeEvent = Extract<
  JobEvent,
  { event: "node_started" | "node_progress" | "node_preview" | "node_finished" | "node_failed" }
>;

function takeNodeEvent(run: Run, event: NodeEvent): void {
  const id = event.node_id;
  const now = run.nodes.get(id);
  const over = hasEnded(run.state) || now?.state === "done" || now?.state === "failed";
  const since = now?.state === "running" ? now.since : event.at;
  switch (event.event) {
    case "node_started":
      if (!over && now?.state !== "running") run.nodes.set(id, { state: "running", step: 0, total: 0, message: "", since });
      break;
    case "node_progress":
      if (!over && (now?.state !== "running" || event.step >= now.step)) {
        run.nodes.set(id, { state: "running", step: event.step, total: event.total, message: event.message ?? "", since });
      }
      break;
    case "node_preview":
      if (!over) run.previews.set(id, event.image);
      break;
    case "node_finished":
      run.previews.delete(id);
      run.nodes.set(id, { state: "done", cached: event.cached ?? false, seconds: event.seconds ?? 0, key: event.key ?? null });
      break;
    case "node_failed":
      run.previews.delete(id);
      run.nodes.set(id, { state: "failed", problem: event.problem });
  }
}

/** How much of a run is done, from 0 to 1: nodes that ended, and the steps of those at work. */
export function fractionDone(run: Run): number {
  const wanted = run.needed ?? new Set(run.nodes.keys());
  if (wanted.size === 0) return 0;
  let done = 0;
  for (const id of wanted) {
    const node = run.nodes.get(id);
    if (node?.state === "done" || node?.state === "failed") done += 1;
    else if (node?.state === "running" && node.total > 0) done += Math.min(1, node.step / node.total);
  }
  return done / wanted.size;
}
