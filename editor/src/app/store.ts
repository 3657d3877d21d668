/** What the page knows, as signals: whoever reads one is drawn again when it changes. */
import { type Signal, batch, computed, signal } from "@preact/signals";
import type { Change, WorkflowDocument } from "../model/document.ts";
import { WorkflowDocument as Document } from "../model/document.ts";
import { History } from "../model/history.ts";
import type { Run } from "../model/runs.ts";
import { hasEnded } from "../model/runs.ts";
import { type NodeState, stateOf } from "../model/state.ts";
import { Types } from "../model/types.ts";
import { Api } from "../net/api.ts";
import type { CheckAnswer, Problem, Status, WorkflowInfo } from "../net/schema.ts";
import { byNode } from "../model/places.ts";
import type { View as Seen } from "../canvas/view.ts";

/** Exchanged by tests alone. */
export const server = { api: new Api() };

export const status = signal<Status | null>(null);
export const connected = signal(true);
export const types = signal(new Types({ types: [], accepts: [], nodes: [], models: [], aliases: {} }));
export const workflows = signal<WorkflowInfo[]>([]);
export const brokenWorkflows = signal<Record<string, Problem[]>>({});

export interface File {
  /** Name below the folder of workflows; empty for one that was never saved. */
  name: string;
  etag: string;
  readOnly: boolean;
  /** What is said in place of the name: a job's document, a version. */
  label: string;
  /** When it was saved from this page. */
  saved?: number;
  /** For one that is in a node: of which tab, and the workflow whose folder its paths start from. */
  inside?: { tab: number; node: string; place: string };
}

export interface Opened {
  document: WorkflowDocument;
  history: History;
  /** Which part was seen last. */
  view?: Seen;
}

export const file = signal<File>({ name: "", etag: "", readOnly: false, label: "" });
export const opened = signal<Opened>(fresh(Document.empty()));
/** The last entry of the history that is in the file; another one means that there are changes. */
export const savedTop = signal<unknown>(null);
export const saving = signal(false);

/** Counts up with each change of the document's structure, or of anything in it. */
export const structure = signal(0);
export const revision = signal(0);
export const selection = signal<ReadonlySet<string>>(new Set());
export const selectedEdge = signal<string | null>(null);
export const selectedFrame = signal<string | null>(null);

const versions = new Map<string, Signal<number>>();

/** Counts up when a node looks different: its record, its edges, its state. */
export function versionOf(id: string): Signal<number> {
  let found = versions.get(id);
  if (!found) versions.set(id, (found = signal(0)));
  return found;
}

export function touch(ids: Iterable<string>): void {
  batch(() => {
    for (const id of ids) {
      const version = versions.get(id);
      if (version) version.value++;
    }
  });
}

export const touched = new Set<(ids: Iterable<string>) => void>();

/** For the canvas, which is drawn outside of the framework. */
export function announce(ids: Iterable<string>): void {
  const list = [...ids];
  touch(list);
  for (const listener of touched) listener(list);
}

function fresh(document: WorkflowDocument): Opened {
  return { document, history: new History(document) };
}

/** Puts another document in the place of the present one. */
export function show(document: WorkflowDocument, as: File): void {
  document.subscribe((change) => changed(change));
  const { document: before, view: seen } = opened.peek();
  const next = fresh(document);
  // The same workflow, read again: the user looks at what was looked at.
  const isAgain = as.name === file.peek().name && before.nodes.size > 0;
  if (isAgain && seen) next.view = seen;
  restore(next, as, null, new Set(isAgain ? [...selection.peek()].filter((id) => document.nodes.has(id)) : []));
}

/** Shows a document again that was open before, with its history. */
export function restore(next: Opened, as: File, saved: unknown, chosen: ReadonlySet<string>): void {
  batch(() => {
    versions.clear();
    opened.value = next;
    file.value = as;
    savedTop.value = saved;
    check.value = null;
    freshKeys.clear();
    selection.value = chosen;
    selectedEdge.value = null;
    selectedFrame.value = null;
    structure.value++;
    revision.value++;
  });
}

function changed(change: Change): void {
  batch(() => {
    if (change.structure) {
      structure.value++;
      const { document } = opened.value;
      const kept = [...selection.value].filter((id) => document.nodes.has(id));
      if (kept.length !== selection.value.size) selection.value = new Set(kept);
      if (selectedEdge.value && !document.edges.has(selectedEdge.value)) selectedEdge.value = null;
    }
    revision.value++;
    announce(change.nodes);
  });
}

/** The workflow from whose folder paths of the open one start. */
export function placeName(): string {
  return file.value.inside?.place ?? file.value.name;
}

export const unsaved = computed(() => {
  revision.value;
  return opened.value.history.top !== savedTop.value;
});

// What the check and the runs say.

export const check = signal<CheckAnswer | null>(null);
export const problems = computed(() => {
  structure.value;
  return byNode(check.value?.problems ?? [], opened.value.document);
});

export const runs = signal<Run[]>([]);
export const activeRun = computed(() => runs.value.find((run) => run.state === "running") ?? runs.value.find((run) => run.state === "queued") ?? null);

/** Counts up with each event: runs are changed in place. */
export const runTick = signal(0);

/** The run whose marks the canvas shows: the newest one of this document. */
export const shownRun = signal<Run | null>(null);

/** Keys whose results a run has just made, before the next check says so. */
export const freshKeys = new Set<string>();

/** Read without a subscription: `versionOf` says when it is another. */
export function nodeState(id: string): NodeState {
  const run = shownRun.peek();
  const node = run?.nodes.get(id);
  const known = check.peek()?.nodes[id];
  const key = known?.key ?? (node?.state === "done" ? node.key : null);
  const live = run && !hasEnded(run.state) ? node : node?.state === "failed" ? node : undefined;
  return stateOf({ problems: problems.peek().get(id), run: live, check: known, fresh: key !== null && freshKeys.has(key), anew: run?.anew });
}

export function checkOf(id: string) {
  return check.peek()?.nodes[id];
}

// The view.

export type Tab = "workflows" | "outline" | "nodes";
export type View = "start" | "graph" | "form" | "gallery" | "models";

export const view = signal<View>("graph");
export const leftTab = signal<Tab>("outline");
export const dialog = signal<{ kind: string; data?: unknown } | null>(null);

export interface Toast {
  id: number;
  text: string;
  kind: "info" | "error";
  action?: { text: string; run: () => void } | undefined;
}

export const toasts = signal<Toast[]>([]);
let toastNumber = 0;

export function say(text: string, kind: Toast["kind"] = "info", action?: Toast["action"]): void {
  const id = ++toastNumber;
  toasts.value = [...toasts.value.slice(-3), { id, text, kind, action }];
  const seconds = kind === "error" ? 12 : action ? 10 : 4;
  setTimeout(() => dismiss(id), seconds * 1000);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** Read out by screen readers; not shown. */
export const spoken = signal("");
