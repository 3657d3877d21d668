/**
 * What GET /v1/events sends. The `id` of each message numbers the stream; `after=` or Last-Event-ID
 * resumes it. Without either, the stream begins with all events of the jobs that have not ended.
 */
import type { Json } from "../model/json.ts";
import type { JobState, Problem, ResultValue } from "./schema.ts";

interface OfJob {
  job: string;
  /** Number within the job, from 1 on: what was seen already is passed over. Previews have 0. */
  n: number;
  at: number;
}

export type JobEvent = OfJob &
  (
    | { event: "job_queued"; workflow: string; label?: string; priority?: number }
    | { event: "job_started" }
    | { event: "job_requeued"; reason?: string }
    | { event: "job_cancel_requested" }
    | { event: "job_ended"; state: JobState; problems?: Problem[] }
    | { event: "run_started"; nodes: number; seeds?: Record<string, Record<string, number>> }
    | { event: "node_needed"; ids: string[]; anew?: boolean }
    | { event: "node_started"; node_id: string }
    | { event: "node_progress"; node_id: string; step: number; total: number; message?: string }
    | { event: "node_preview"; node_id: string; step: number; total: number; image: string }
    | { event: "node_warning"; node_id: string; message: string; details?: Json }
    /** `key` names the result; without one it is not kept. `seconds` are left out where they are none. */
    | { event: "node_finished"; node_id: string; seconds?: number; cached?: boolean; key?: string }
    | { event: "node_failed"; node_id: string; problem: Problem }
    | { event: "output_ready"; name: string; node_id: string; value: ResultValue }
    | { event: "run_finished"; status: string; seconds: number; computed: number; cached: number }
  );

export type ServerEvent =
  | JobEvent
  | { event: "models_changed"; id?: string; bytes?: number; total?: number; state?: string; problem?: Problem }
  | { event: "workflows_changed"; names: string[] };

export const EVENT_NAMES: ServerEvent["event"][] = [
  "job_queued",
  "job_started",
  "job_requeued",
  "job_cancel_requested",
  "job_ended",
  "run_started",
  "node_needed",
  "node_started",
  "node_progress",
  "node_preview",
  "node_warning",
  "node_finished",
  "node_failed",
  "output_ready",
  "run_finished",
  "models_changed",
  "workflows_changed",
];
