/** Starts runs, follows their events, and says what became of them. */
import { batch } from "@preact/signals";
import { type Run, hasEnded, newRun, runOfJob, takeEvent } from "../model/runs.ts";
import { ApiError } from "../net/api.ts";
import { listen } from "../net/events.ts";
import type { ServerEvent } from "../net/stream.ts";
import { type JsonObject, RawNumber } from "../model/json.ts";
import { isBypassed } from "../model/shown.ts";
import { WorkflowDocument } from "../model/document.ts";
import { t } from "../text.ts";
import { checkNow, checkSoon } from "./checking.ts";
import { lastSeeds } from "./drawn.ts";
import { loadModels, pulling } from "./models.ts";
import { loadHistory } from "./jobs.ts";
import { noteTiming } from "./timings.ts";
import { announce, check, checkOf, connected, file, freshKeys, opened, placeName, runTick, runs, say, selection, server, shownRun, spoken, status, types } from "./store.ts";
import { told, whyFailed } from "./telling.ts";
import { loadWorkflows } from "./files.ts";

const own = new Set<string>();

export interface Wanted {
  targets?: string[];
  anew?: boolean;
  first?: boolean;
}

export async function run({ targets, anew = false, first = false }: Wanted = {}): Promise<void> {
  const { document } = opened.value;
  // Before the first answer nothing is known of its mistakes.
  if (!check.value && status.value?.owner) await checkNow();
  if (document !== opened.value.document) return;
  const mistakes = check.value?.problems.filter((problem) => (problem.level ?? "error") === "error").length ?? 0;
  if (mistakes && !targets) {
    say(t.cantRun(mistakes), "error");
    return;
  }
  await submit(document, { targets, use_cache: !anew, priority: first ? 10 : 0 });
}

const NO_END = new Set(["input", "comment"]);

/** What a run is wanted up to: what is selected. Inputs are where it begins, so they are no end. */
export function runTargets(): string[] {
  const { nodes } = opened.value.document;
  const roleOf = (id: string): string => types.value.node(String(nodes.get(id)?.type))?.role ?? "";
  return [...selection.value].filter((id) => !NO_END.has(roleOf(id)) && !isBypassed(nodes.get(id)));
}

export async function runSelection(first = false): Promise<void> {
  const chosen = runTargets();
  await run(chosen.length ? { targets: chosen, first } : { first });
}

export function drawnSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

export async function submit(
  document: WorkflowDocument,
  options: { targets?: string[] | undefined; use_cache?: boolean; priority?: number; inputs?: JsonObject; label?: string },
): Promise<boolean> {
  // What is typed after a run is another edit than what was typed before it.
  opened.value.history.seal();
  try {
    const job = await server.api.run({
      workflow: document.toJson(),
      name: placeName() || undefined,
      ...(file.value.inside ? { label: file.value.label } : {}),
      previews: true,
      wait: false,
      ...options,
    });
    own.add(job.id);
    const started = runs.value.find((one) => one.id === job.id) ?? runOfJob(job);
    const before = shownRun.value;
    batch(() => {
      if (!runs.value.includes(started)) runs.value = [...runs.value, started];
      shownRun.value = started;
      announce(new Set([...(before?.nodes.keys() ?? []), ...started.nodes.keys()]));
    });
    spoken.value = t.runStarted;
    return true;
  } catch (error) {
    complain(error);
    // What is wrong with it is marked at its nodes.
    if (error instanceof ApiError && error.status === 422) void checkNow();
    return false;
  }
}

export async function cancelRun(id?: string): Promise<void> {
  const chosen = id ?? runs.value.find((one) => one.state === "running")?.id ?? runs.value.find((one) => !hasEnded(one.state))?.id;
  if (!chosen) return;
  try {
    await server.api.cancel(chosen);
  } catch (error) {
    complain(error);
  }
}

export async function cancelWaiting(): Promise<void> {
  await server.api.cancelWaiting().catch(complain);
}

export function complain(error: unknown): void {
  if (error instanceof ApiError) {
    const [problem] = error.problems;
    say(problem ? told(problem) : error.message, "error");
  } else say(error instanceof Error && error.message ? t.offline(0) : String(error), "error");
}

export function follow(): void {
  listen(take, (is) => {
    connected.value = is;
    if (is) checkSoon();
  });
}

export function take(event: ServerEvent): void {
  if (event.event === "models_changed") {
    pulling(event);
    if (!event.bytes) void loadModels();
    return;
  }
  if (event.event === "workflows_changed") {
    void loadWorkflows(event.names);
    // One of them may be inside of the open one.
    checkSoon();
    return;
  }
  let found = runs.value.find((one) => one.id === event.job);
  const isNew = !found;
  found ??= newRun(event.job, event.at);
  const before = found.state;
  const touched = takeEvent(found, event);
  if (touched === null) return;
  batch(() => {
    runTick.value++;
    if (isNew) runs.value = [...runs.value, found];
    else if (before !== found.state || event.event === "job_queued") runs.value = [...runs.value];
    if (!shownRun.value || hasEnded(shownRun.value.state)) {
      if (found.workflow === file.value.name || own.has(found.id)) shownRun.value = found;
    }
    if (event.event === "node_finished") finished(event, found);
    if (found === shownRun.value) announce(touched);
  });
  if (event.event === "job_ended") ended(found);
}

function finished(event: Extract<ServerEvent, { event: "node_finished" }>, run: Run): void {
  noteTiming(event, run.workflow);
  if (event.key) freshKeys.add(event.key);
  // Of a seed that was drawn, a check with its number in the place of -1 knows the key.
  if (run === shownRun.value && checkOf(event.node_id)?.state === "volatile") checkSoon();
}

function ended(run: Run): void {
  // It stays known for its marks; the queue lists what has not ended.
  runs.value = runs.value.filter((one) => one === run || !hasEnded(one.state) || one === shownRun.value);
  spoken.value = run.state === "done" ? t.runDone : run.state === "cancelled" ? t.runCancelled : t.runFailed;
  if (run.state === "failed") say(whyFailed(run), "error");
  checkSoon();
  void loadHistory();
}

/** The seed that the last run used for a property, as text. */
export function usedSeed(id: string, property: string): string | null {
  shownRun.value;
  const used = lastSeeds()[id]?.[property] as number | RawNumber | undefined;
  return used === undefined ? null : String(used);
}
