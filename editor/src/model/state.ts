/** The one mark of a node, made from its mistakes, the run under way, and what the check knows. */
import type { NodeCheck, Problem } from "../net/schema.ts";
import type { NodeRun } from "./runs.ts";

export type Mark =
  | "known"
  | "will-run"
  | "running"
  | "queued"
  | "mistake"
  | "failed"
  | "unneeded"
  | "volatile"
  | "unchecked";

/** Shapes, so that the colour is never alone. */
export const MARKS: Record<Mark, string> = {
  known: "✓",
  "will-run": "○",
  running: "◐",
  queued: "…",
  mistake: "!",
  failed: "✕",
  unneeded: "–",
  volatile: "∞",
  unchecked: "·",
};

export interface NodeState {
  mark: Mark;
  reason: string;
  /** Steps, while it runs. */
  step: number;
  total: number;
}

export interface Given {
  problems?: readonly Problem[] | undefined;
  run?: NodeRun | undefined;
  check?: NodeCheck | undefined;
  /** Whether the result of the key is there, as a run that has just ended said. */
  fresh?: boolean | undefined;
  /** Whether the run computes what is known, too. */
  anew?: boolean | undefined;
}

export function stateOf({ problems = [], run: said, check, fresh = false, anew = false }: Given): NodeState {
  const say = (mark: Mark, reason = "", step = 0, total = 0): NodeState => ({ mark, reason, step, total });
  // A check may know of a result before the event of the run that made it has come.
  const run = check?.state === "known" && !anew && said?.state !== "failed" ? undefined : said;
  if (run?.state === "running") return say("running", run.message, run.step, run.total);
  const mistake = problems.find((problem) => problem.level === undefined || problem.level === "error");
  if (mistake) return say("mistake", mistake.message);
  if (run?.state === "queued") return say("queued");
  if (check?.state === "known" || fresh) return say("known");
  if (run?.state === "failed") return say("failed", run.problem.message);
  if (!check) return say("unchecked");
  switch (check.state) {
    case "missing":
      return say("will-run", check.reason);
    case "volatile":
      return say("volatile", check.reason);
    case "unneeded":
      return say("unneeded", check.reason);
    case "broken":
      return say("mistake", check.reason);
    default:
      return say("known");
  }
}
