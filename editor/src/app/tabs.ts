/** Several workflows open at once, one of them in sight; the others keep their edits and their undo. */
import { batch, computed, signal } from "@preact/signals";
import type { WorkflowDocument } from "../model/document.ts";
import type { Run } from "../model/runs.ts";
import { t } from "../text.ts";
import { type File, type Opened, check, file, opened, restore, revision, runs, savedTop, say, selection, show, shownRun } from "./store.ts";

export interface Tab {
  id: number;
  opened: Opened;
  file: File;
  savedTop: unknown;
  selection: ReadonlySet<string>;
  run: Run | null;
  /** Under which a workflow without a file keeps its draft. */
  draft: string;
}

let lastId = 0;

function newTab(): Tab {
  const draft = ` new ${Math.random().toString(36).slice(2)}`;
  return { id: ++lastId, opened: opened.peek(), file: file.peek(), savedTop: null, selection: new Set(), run: null, draft };
}

const first = newTab();
export const tabs = signal<Tab[]>([first]);
export const active = signal<Tab>(first);

/** Called before the tab in sight becomes another: drafts are written at once. */
export const leaving = new Set<() => void>();

/** Notes in the tab what the page shows of it. */
function park(): Tab {
  for (const leave of leaving) leave();
  return Object.assign(active.peek(), { opened: opened.peek(), file: file.peek(), savedTop: savedTop.peek(), selection: selection.peek(), run: shownRun.peek() });
}

export const fileOf = (tab: Tab): File => (tab === active.value ? file.value : tab.file);
export const openedOf = (tab: Tab): Opened => (tab === active.value ? opened.value : tab.opened);

export const isUnsaved = (tab: Tab): boolean => (tab === active.value ? opened.value.history.top !== savedTop.value : tab.opened.history.top !== tab.savedTop);

/** What the row of tabs shows. */
export const shownTabs = computed(() => {
  revision.value;
  return tabs.value.map((tab) => {
    const own = fileOf(tab);
    const { document } = openedOf(tab);
    return { tab, title: own.label || own.name || document.name || t.untitled, unsaved: isUnsaved(tab) && !own.readOnly };
  });
});

/** Whether the tab in sight holds nothing that could be lost. */
function isBlank(): boolean {
  return !file.peek().name && opened.peek().document.nodes.size === 0 && opened.peek().history.length === 0;
}

/** Shows a document in a tab of its own, or in the present one where that is blank. */
export function openTab(document: WorkflowDocument, as: File): void {
  if (!isBlank()) {
    park();
    const tab = newTab();
    batch(() => {
      tabs.value = [...tabs.value, tab];
      active.value = tab;
      show(document, as);
    });
  } else show(document, as);
  shownRun.value = latestRun(as.name);
}

function latestRun(name: string): Run | null {
  return (name ? runs.peek().findLast((run) => run.workflow === name) : undefined) ?? null;
}

export function tabOf(name: string): Tab | undefined {
  return tabs.peek().find((tab) => fileOf(tab).name === name);
}

export function activate(tab: Tab): void {
  if (tab === active.peek()) return;
  park();
  batch(() => {
    active.value = tab;
    restore(tab.opened, tab.file, tab.savedTop, tab.selection);
    shownRun.value = tab.run ?? latestRun(tab.file.name);
    check.value = null;
  });
}

/** Closes a tab. Its edits stay until the page is left: it can be opened again as it was. */
export function closeTab(tab: Tab): void {
  if (tab === active.peek()) park();
  const at = tabs.peek().indexOf(tab);
  const rest = tabs.peek().filter((one) => one !== tab);
  if (!rest.length) return;
  if (tab === active.peek()) activate(rest[Math.min(at, rest.length - 1)]!);
  tabs.value = rest;
  if (tab.opened.history.top === tab.savedTop || tab.file.readOnly) return;
  say(t.tabClosed(tab.file.label || tab.file.name || t.untitled), "info", {
    text: t.reopen,
    run: () => {
      tabs.value = tabs.peek().toSpliced(at, 0, tab);
      activate(tab);
    },
  });
}

/** The next tab (1) or the one before (-1). */
export function nextTab(by: number): void {
  const list = tabs.peek();
  activate(list[(list.indexOf(active.peek()) + by + list.length) % list.length]!);
}

/** Notes for a document, in sight or not, that it is in a file as it was at an entry of its history. */
export function noteSaved(document: WorkflowDocument, as: File, top: unknown): void {
  if (opened.peek().document === document) {
    batch(() => {
      file.value = as;
      savedTop.value = top;
    });
    return;
  }
  const tab = tabs.peek().find((one) => one.opened.document === document);
  if (tab) Object.assign(tab, { file: as, savedTop: top });
  tabs.value = [...tabs.peek()];
}
