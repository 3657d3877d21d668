/** Opens, saves, and keeps drafts of workflows. */
import { batch, effect } from "@preact/signals";
import { WorkflowDocument, textOf } from "../model/document.ts";
import { folderOf } from "../model/ids.ts";
import type { JsonObject } from "../model/json.ts";
import { ApiError, type Loaded, OfflineError } from "../net/api.ts";
import * as drafts from "../net/drafts.ts";
import { t } from "../text.ts";
import type { Relocation } from "./relocating.ts";
import { complain } from "./running.ts";
import { putInside } from "./inside.ts";
import { activate, active, fileOf, isUnsaved, leaving, noteSaved, openTab, openedOf, tabOf } from "./tabs.ts";
import { go, route } from "./route.ts";
import {
  type Opened, brokenWorkflows, connected, dialog, file, opened, placeName, revision, savedTop, say, saving, server, show, status, unsaved, workflows,
} from "./store.ts";

const DRAFT_MILLISECONDS = 600;
/** Of a document that is in no file as it is. */
const NEVER = Symbol("never saved");

export async function loadWorkflows(changed?: string[]): Promise<void> {
  try {
    const answer = await server.api.workflows();
    workflows.value = answer.workflows;
    // JSON that is no workflow at all is somebody else's.
    const own = Object.entries(answer.problems).filter(([, [first]]) => !(first?.code === "invalid_document" && first.where === "workflow"));
    brokenWorkflows.value = Object.fromEntries(own);
    if (changed?.includes(file.value.name)) await lookAgain(file.value.name);
  } catch (error) {
    if (error instanceof OfflineError) connected.value = false;
    else complain(error);
  }
}

/** Asks what becomes of the open workflow where its file is another one than it was. */
async function lookAgain(name: string): Promise<void> {
  const before = file.value;
  const found = await server.api.document(name).catch(() => null);
  if (!found || name !== file.value.name || found.etag === file.value.etag || saving.value) return;
  // What was saved while the answer was on its way is newer than the answer.
  if (file.value !== before) return lookAgain(name);
  if (unsaved.value) dialog.value = { kind: "changed" };
  else {
    await openWorkflow(name, Promise.resolve(found));
    say(t.readAgain);
  }
}

export async function openWorkflow(name: string, early?: Promise<Loaded>): Promise<void> {
  const there = tabOf(name);
  if (there && there !== active.value) {
    activate(there);
    go({ view: route.value.view === "form" ? "form" : "graph", name });
    void loadWorkflows([name]);
    return;
  }
  try {
    const loaded = await (early ?? server.api.document(name));
    const document = new WorkflowDocument(loaded.document);
    const as = { name, etag: loaded.etag, readOnly: false, label: "" };
    if (there) show(document, as);
    else openTab(document, as);
    go({ view: route.value.view === "form" ? "form" : "graph", name });
    void offerDraft(name, loaded.etag);
    claim();
  } catch (error) {
    complain(error);
  }
}

async function offerDraft(name: string, etag: string): Promise<void> {
  const local = name ? await drafts.findDraft(name) : await drafts.newestDraft(" new");
  const there = name && status.value?.owner ? await server.api.draft(name).catch(() => null) : null;
  const remote = there && { text: new WorkflowDocument(there.document).toText(), saved: Number(there.saved) * 1000 };
  const newest = local && (!remote || local.saved >= remote.saved) ? local : remote;
  if (!newest || newest.text === opened.value.document.toText()) return;
  say(t.draftFound, "info", {
    text: t.takeDraft,
    run: () => {
      if (!name && local) active.value.draft = local.name;
      show(WorkflowDocument.read(newest.text), { ...file.value, etag });
      savedTop.value = NEVER;
    },
  });
}

/** Puts the workflow in sight into the address. */
export function showRoute(): void {
  go({ view: route.value.view === "form" ? "form" : "graph", name: file.value.name });
  if (file.value.name) void loadWorkflows([file.value.name]);
}

export function newWorkflow(content?: JsonObject, label = ""): void {
  const document = content ? new WorkflowDocument(content) : WorkflowDocument.empty();
  openTab(document, { name: "", etag: "", readOnly: false, label });
  if (content) savedTop.value = NEVER;
  go({ view: "graph", name: "" });
}

/** Shows something that is no file: the document of a job, or a version. */
export function showCopy(content: JsonObject, label: string): void {
  openTab(new WorkflowDocument(content), { name: "", etag: "", readOnly: true, label });
  go({ view: "graph", name: "" });
}

async function relocation(target: Opened, from: string, to: string): Promise<Relocation | null> {
  if (folderOf(from) === folderOf(to)) return null;
  const made = new (await import("./relocating.ts")).Relocation(target, from, to);
  await made.learn();
  return made;
}

export async function save(): Promise<void> {
  const { name, readOnly, inside } = file.value;
  if (inside && !readOnly) {
    const outer = putInside();
    if (outer) {
      await Promise.all([keepDraft(outer), drafts.dropDraft(active.value.draft)]);
      say(t.savedInside);
      return;
    }
    say(t.insideGone, "error");
  }
  if (!name || readOnly) {
    dialog.value = { kind: "save-as" };
    return;
  }
  await saveTo(name, file.value.etag);
}

export async function saveTo(name: string, etag: string): Promise<boolean> {
  const { document, history } = opened.value;
  const before = file.value.name;
  const target = opened.value;
  const draft = before || active.value.draft;
  // A draft that is begun now would outlive the file that has it all.
  clearTimeout(draftTimer);
  history.seal();
  const { top } = history;
  saving.value = true;
  try {
    const moving = await relocation(target, placeName(), name);
    const answer = await server.api.save(name, moving?.toJson() ?? document.toJson(), etag);
    // What was edited since goes there, too.
    await moving?.learn();
    batch(() => {
      moving?.apply();
      // Until the list is read again: the image may be gone with the value that named it.
      workflows.value = workflows.value.map((one) => (one.name === name ? { ...one, thumbnail: null } : one));
      noteSaved(document, { name, etag: answer.etag, readOnly: false, label: "", saved: Date.now() }, top);
    });
    if (before !== name && opened.value.document === document) go({ view: route.value.view, name });
    await Promise.all([drafts.dropDraft(draft), drafts.dropDraft(name), server.api.dropDraft(name).catch(() => undefined)]);
    void loadWorkflows();
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 412) {
      if (etag) dialog.value = { kind: "changed", data: "" };
      else say(t.exists, "error");
    } else complain(error);
    return false;
  } finally {
    saving.value = false;
  }
}

/** Saves over whatever is there now. */
export async function saveMine(): Promise<void> {
  const loaded = await server.api.document(file.value.name).catch(() => undefined);
  await saveTo(file.value.name, loaded?.etag ?? "");
}

export async function removeWorkflow(name: string): Promise<void> {
  try {
    await server.api.deleteWorkflow(name);
    say(t.movedToTrash(name));
    await loadWorkflows();
    if (file.value.name === name) newWorkflow();
  } catch (error) {
    complain(error);
  }
}

export async function renameWorkflow(name: string, to: string): Promise<void> {
  try {
    const { etag } = await server.api.moveWorkflow(name, to);
    const tab = tabOf(name);
    if (tab) {
      const isShown = tab === active.value;
      const target = isShown ? opened.value : tab.opened;
      const before = isShown ? file.value : tab.file;
      const moving = await relocation(target, name, to);
      batch(() => {
        moving?.apply();
        noteSaved(target.document, { ...before, name: to, etag }, isShown ? savedTop.value : tab.savedTop);
      });
      if (isShown) go({ view: route.value.view, name: to });
    }
    await loadWorkflows();
  } catch (error) {
    complain(error);
  }
}

/** Name that is shown for the open document. */
export function fileTitle(): string {
  revision.value;
  return file.value.label || file.value.name || textOf(opened.value.document.fields.name) || t.untitled;
}

let draftTimer: ReturnType<typeof setTimeout> | undefined;

async function keepDraft(tab = active.value): Promise<void> {
  const { name, etag, readOnly } = fileOf(tab);
  if (readOnly || !isUnsaved(tab)) return;
  const { document } = openedOf(tab);
  await drafts.keepDraft({ name: name || tab.draft, text: document.toText(), etag, saved: Date.now() });
  if (name && status.value?.owner) await server.api.keepDraft(name, document.toJson(), etag).catch(() => undefined);
}

export function keepDrafts(): void {
  leaving.add(() => {
    clearTimeout(draftTimer);
    void keepDraft();
  });
  effect(() => {
    revision.value;
    clearTimeout(draftTimer);
    draftTimer = setTimeout(() => void keepDraft(), DRAFT_MILLISECONDS);
  });
  addEventListener("pagehide", () => void keepDraft());
  addEventListener("beforeunload", (event) => {
    // The draft is written all the same; a file with a name has its copy at the server, too.
    if (unsaved.value && !connected.value) event.preventDefault();
  });
}

export async function recoverNameless(): Promise<void> {
  await offerDraft("", "");
}

// One tab edits a workflow; others look on.

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("nodetool");
const tab = Math.random().toString(36).slice(2);

function claim(): void {
  if (file.value.name) channel?.postMessage({ ask: file.value.name, tab });
}

export function takeOver(): void {
  file.value = { ...file.value, readOnly: false };
  channel?.postMessage({ take: file.value.name, tab });
}

channel?.addEventListener("message", (event: MessageEvent<{ ask?: string; here?: string; take?: string; tab: string }>) => {
  const { ask, here, take, tab: other } = event.data;
  if (other === tab) return;
  const asked = ask ? tabOf(ask) : undefined;
  if (asked && !fileOf(asked).readOnly) channel.postMessage({ here: ask, tab });
  if (!file.value.name) return;
  if (here === file.value.name || take === file.value.name) {
    file.value = { ...file.value, readOnly: true };
  }
});
