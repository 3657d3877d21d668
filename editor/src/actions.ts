/** Every action: its name, its key, when it is there, what it does. Menus, keys and search read this. */
import * as arranging from "./app/arranging.ts";
import * as editing from "./app/editing.ts";
import { pin } from "./app/drawn.ts";
import * as files from "./app/files.ts";
import { hasFix, takeFix } from "./app/fixing.ts";
import { hasInner, openInner } from "./app/inner.ts";
import { active, closeTab, nextTab, tabs } from "./app/tabs.ts";
import { hasReport, showReport } from "./app/reports.ts";
import { go, route } from "./app/route.ts";
import { SLOTS, fillSlot } from "./app/slots.ts";
import * as running from "./app/running.ts";
import { set, settings, showSide, toggle } from "./app/settings.ts";
import { activeRun, dialog, file, leftTab, opened, selectedEdge, selectedFrame, selection, types, status, unsaved } from "./app/store.ts";
import { measure } from "./canvas/geometry.ts";
import { type Direction, freePlace, goTo } from "./canvas/neighbours.ts";
import { grid, invalidate } from "./canvas/scene.ts";
import { focusSoon } from "./app/focus.ts";
import { fit, reveal, screen, toCanvas, zoomAt, zoomTo } from "./canvas/view.ts";
import { NOTE } from "./model/notes.ts";
import { positionOf } from "./model/document.ts";
import { t } from "./text.ts";

export interface Action {
  id: string;
  name: string;
  /** `Ctrl+S`, `Shift+L`; Ctrl is the command key on a Mac. Several are separated by a space. */
  keys?: string;
  /** Works only while the canvas or the outline has the focus. */
  onCanvas?: boolean;
  group: "run" | "edit" | "node" | "view" | "file";
  when?: () => boolean;
  run: () => unknown;
}

const some = () => selection.value.size > 0;
const isChosen = () => some() || selectedEdge.value !== null || selectedFrame.value !== null;
const middle = () => toCanvas(screen.peek().width / 2, screen.peek().height / 3);
const isGraph = () => route.value.view === "graph";

function palette(): void {
  const last = [...selection.peek()].at(-1);
  const box = last === undefined ? null : measure(last);
  const at = box ? { x: box.x + box.width + 80, y: box.y + 16 } : middle();
  dialog.value = { kind: "palette", data: { at, after: last } };
}

/** A note above what is selected, or in the middle, ready to be written. */
function note(): void {
  const type = types.peek().node(NOTE);
  if (!type) return;
  const box = some() ? grid.bounds(selection.peek()) : null;
  const { x, y } = box ? { x: box.x, y: box.y - 168 } : middle();
  const place = freePlace({ x, y }, 168);
  editing.addNode(type, place);
  reveal({ ...place, width: 240, height: 136 });
  focusSoon(`[data-node="${CSS.escape([...selection.peek()][0] ?? "")}"] textarea`);
}

function nudge(dx: number, dy: number): void {
  const { document } = opened.peek();
  const ids = [...selection.peek()];
  const ends = new Map(ids.map((id) => {
    const { x, y } = positionOf(document.nodes.get(id));
    return [id, { x: x + dx, y: y + dy }];
  }));
  editing.moveNodes(ends, `nudge ${ids.join()}`);
}

async function copy(cut = false): Promise<void> {
  const text = editing.copySelected();
  if (!text) return;
  // A page of another machine has no clipboard without TLS.
  const isWithheld = await (navigator.clipboard?.writeText(text).then(() => false, () => true) ?? true);
  Object.assign(editing.lastCopied, { text, isWithheld });
  if (cut) editing.removeSelected();
}

async function paste(incoming = false): Promise<void> {
  const { text: own, isWithheld } = editing.lastCopied;
  const text = isWithheld ? own : (await navigator.clipboard?.readText().catch(() => own));
  if (text) editing.pasteText(text, middle(), incoming);
}

function switchTo(by: number): void {
  nextTab(by);
  files.showRoute();
}

function focusField(): void {
  const [id] = selection.peek();
  const escaped = id === undefined ? "" : CSS.escape(id);
  const field = document.querySelector<HTMLElement>(`[data-node="${escaped}"] :is(input, textarea, select, button):not([tabindex="-1"])`);
  if (field) field.focus();
  else document.querySelector<HTMLElement>("#inspector :is(input, textarea, select)")?.focus();
}

const arrows: [Direction, string, number, number][] = [
  ["left", "ArrowLeft", -1, 0],
  ["right", "ArrowRight", 1, 0],
  ["up", "ArrowUp", 0, -1],
  ["down", "ArrowDown", 0, 1],
];

const hidden = new Set<string>();

function slotAction(number: number): Action {
  const id = `slot-${number}`;
  if (number > 1) hidden.add(id);
  return { id, name: "Keep the result for comparing, in slot 1 (to 9)", keys: String(number), onCanvas: true, group: "node", when: some, run: () => fillSlot(number) };
}

function arrow([direction, key, dx, dy]: (typeof arrows)[number]): Action[] {
  const made: Action[] = [
    { id: `go-${direction}`, name: direction, keys: key, onCanvas: true, group: "view", run: () => goTo(direction, false) },
    { id: `extend-${direction}`, name: direction, keys: `Shift+${key}`, onCanvas: true, group: "view", run: () => goTo(direction, true) },
    { id: `move-${direction}`, name: direction, keys: `Ctrl+${key}`, onCanvas: true, group: "node", when: some, run: () => nudge(dx * 8, dy * 8) },
    { id: `nudge-${direction}`, name: direction, keys: `Alt+${key}`, onCanvas: true, group: "node", when: some, run: () => nudge(dx, dy) },
  ];
  for (const { id } of made) hidden.add(id);
  return made;
}

export const actions: Action[] = [
  { id: "run", name: t.run, keys: "Ctrl+Enter", group: "run", run: () => running.runSelection() },
  { id: "run-all", name: "Run all outputs", group: "run", run: () => running.run() },
  { id: "run-first", name: "Run first in the queue", keys: "Ctrl+Shift+Enter", group: "run", run: () => running.runSelection(true) },
  { id: "run-anew", name: t.runAnew, group: "run", run: () => running.run({ anew: true }) },
  { id: "run-seeds", name: t.runSeeds, group: "run", run: () => arranging.runWithNewSeeds(4) },
  { id: "run-rows", name: t.runRows, group: "run", run: () => (dialog.value = { kind: "batch" }) },
  { id: "cancel", name: t.cancelRun, keys: "Ctrl+.", group: "run", when: () => activeRun.value !== null, run: () => running.cancelRun() },
  { id: "cancel-all", name: t.cancelAll, group: "run", run: () => running.cancelWaiting() },

  { id: "save", name: t.save, keys: "Ctrl+S", group: "file", run: () => files.save() },
  { id: "save-as", name: t.saveAs, keys: "Ctrl+Shift+S", group: "file", when: () => status.value?.owner ?? false, run: () => (dialog.value = { kind: "save-as" }) },
  { id: "open", name: t.openFile, keys: "Ctrl+O", group: "file", when: () => status.value?.owner ?? false, run: () => (dialog.value = { kind: "open" }) },
  { id: "new", name: t.newWorkflow, group: "file", run: () => files.newWorkflow() },
  { id: "versions", name: t.versions, group: "file", when: () => file.value.name !== "", run: () => (dialog.value = { kind: "versions" }) },
  { id: "report", name: t.importReport, group: "file", when: hasReport, run: showReport },
  { id: "next-tab", name: t.nextTab, keys: "Alt+PageDown", group: "file", when: () => tabs.value.length > 1, run: () => switchTo(1) },
  { id: "previous-tab", name: t.previousTab, keys: "Alt+PageUp", group: "file", when: () => tabs.value.length > 1, run: () => switchTo(-1) },
  { id: "close-tab", name: `${t.closeTab} ${t.open.toLowerCase()} workflow`, keys: "Alt+W", group: "file", when: () => tabs.value.length > 1, run: () => { closeTab(active.value); files.showRoute(); } },
  { id: "reload", name: t.reload, group: "file", when: () => file.value.name !== "" && unsaved.value, run: () => files.openWorkflow(file.value.name) },

  { id: "undo", name: t.undo, keys: "Ctrl+Z", group: "edit", run: editing.undo },
  { id: "redo", name: t.redo, keys: "Ctrl+Shift+Z Ctrl+Y", group: "edit", run: editing.redo },
  { id: "copy", name: "Copy", keys: "Ctrl+C", onCanvas: true, group: "edit", when: some, run: () => copy() },
  { id: "cut", name: "Cut", keys: "Ctrl+X", onCanvas: true, group: "edit", when: some, run: () => copy(true) },
  { id: "paste", name: "Paste", keys: "", group: "edit", run: () => paste() },
  { id: "paste-connected", name: "Paste with incoming wires", keys: "Ctrl+Shift+V", onCanvas: true, group: "edit", run: () => paste(true) },
  { id: "duplicate", name: t.duplicate, keys: "Ctrl+D", group: "edit", when: some, run: () => editing.duplicate() },
  { id: "select-all", name: "Select all", keys: "Ctrl+A", onCanvas: true, group: "edit", run: () => editing.select(opened.value.document.nodes.keys()) },
  { id: "select-none", name: "Select nothing", keys: "Escape", onCanvas: true, group: "edit", when: isChosen, run: () => { editing.select([]); editing.selectEdge(null); } },
  { id: "delete", name: t.remove, keys: "Delete Backspace", onCanvas: true, group: "edit", when: isChosen, run: editing.removeSelected },

  { id: "add", name: t.addNode, keys: "Tab A", onCanvas: true, group: "node", run: palette },
  { id: "connect", name: t.connect, keys: "C", onCanvas: true, group: "node", when: some, run: () => (dialog.value = { kind: "connect", data: { node: [...selection.value].at(-1) } }) },
  { id: "connect-each", name: "Connect the selected nodes to each other", keys: "F", onCanvas: true, group: "node", when: () => selection.value.size > 1, run: () => arranging.connectSelected() },
  { id: "cut-wires", name: "Cut all wires of the selection", keys: "X", onCanvas: true, group: "node", when: some, run: () => arranging.disconnectSelected() },
  { id: "hide-wires", name: "Hide or show wires", keys: "H", onCanvas: true, group: "node", when: () => some() || selectedEdge.value !== null, run: () => arranging.toggleWires() },
  { id: "bypass", name: "Bypass", keys: "M", onCanvas: true, group: "node", when: some, run: () => editing.toggleUi("bypassed") },
  { id: "open-inner", name: t.openInner, keys: "O", onCanvas: true, group: "node", when: () => selection.value.size === 1 && hasInner([...selection.value][0]!), run: () => openInner([...selection.value][0]!) },
  { id: "pin", name: "Keep the seeds that the last run drew", keys: "P", onCanvas: true, group: "node", when: some, run: pin },
  { id: "fix", name: t.takeFix, keys: "Alt+Enter", group: "node", when: hasFix, run: takeFix },
  { id: "collapse", name: "Fold or unfold", keys: "B", onCanvas: true, group: "node", when: some, run: () => editing.toggleUi("collapsed") },
  { id: "frame", name: "Put the selection into a frame", keys: "G", onCanvas: true, group: "node", when: some, run: () => arranging.frameSelected() },
  { id: "note", name: "Add a note", keys: "N", onCanvas: true, group: "node", run: note },
  { id: "tidy", name: t.tidy, keys: "L", onCanvas: true, group: "node", run: () => arranging.tidy() },
  { id: "rename", name: t.rename, keys: "F2", onCanvas: true, group: "node", when: () => selection.value.size === 1 || selectedFrame.value !== null, run: () => (dialog.value = selectedFrame.value ? { kind: "rename-frame", data: selectedFrame.value } : { kind: "rename-node", data: [...selection.value][0] }) },
  { id: "edit", name: "Edit the first field", keys: "Enter", onCanvas: true, group: "node", when: some, run: focusField },
  { id: "view-result", name: "Show the result", keys: "Space", onCanvas: true, group: "node", when: some, run: () => (dialog.value = { kind: "viewer", data: { node: [...selection.value].at(-1) } }) },

  ...Array.from({ length: SLOTS }, (_, at) => slotAction(at + 1)),

  { id: "actions", name: t.search, keys: "Ctrl+K", group: "view", run: () => (dialog.value = { kind: "actions" }) },
  { id: "find", name: "Find in the workflow", keys: "/", onCanvas: true, group: "view", run: () => (dialog.value = { kind: "actions", data: "@" }) },
  { id: "fit", name: "Show the selection", keys: ".", onCanvas: true, group: "view", run: () => fit(grid.bounds(some() ? selection.value : undefined)) },
  { id: "fit-all", name: "Show all", keys: "Home", onCanvas: true, group: "view", run: () => fit(grid.bounds()) },
  { id: "zoom-100", name: "Zoom to 100 %", keys: "0", onCanvas: true, group: "view", run: () => zoomTo(1) },
  { id: "zoom-in", name: "Zoom in", keys: "+ =", onCanvas: true, group: "view", run: () => zoomAt(screen.peek().width / 2, screen.peek().height / 2, 1.25) },
  { id: "zoom-out", name: "Zoom out", keys: "-", onCanvas: true, group: "view", run: () => zoomAt(screen.peek().width / 2, screen.peek().height / 2, 0.8) },
  { id: "graph", name: t.graph, group: "view", when: () => !isGraph(), run: () => go({ view: "graph", name: file.value.name }) },
  { id: "form", name: t.form, group: "view", when: () => route.value.view !== "form", run: () => go({ view: "form", name: file.value.name }) },
  { id: "gallery", name: t.gallery, group: "view", run: () => go({ view: "gallery", name: "" }) },
  { id: "models", name: t.models, group: "view", run: () => go({ view: "models", name: "" }) },
  { id: "left", name: "Left side", keys: "Ctrl+B", group: "view", run: () => toggle("left") },
  { id: "right", name: t.inspector, keys: "Ctrl+I", group: "view", run: () => toggle("right") },
  { id: "bottom", name: t.queue, keys: "Ctrl+J", group: "view", run: () => toggle("bottom") },
  { id: "outline", name: t.outline, keys: "Ctrl+Shift+O", group: "view", run: () => { showSide("left"); leftTab.value = "outline"; focusSoon("[role=tree], .outline .button"); } },
  { id: "minimap", name: t.minimap, group: "view", run: () => toggle("minimap") },
  { id: "theme", name: t.theme, group: "view", run: () => { set("theme", settings.value.theme === "auto" ? "dark" : settings.value.theme === "dark" ? "light" : "auto"); invalidate(); } },
  { id: "single-keys", name: "Turn single-letter keys on or off", group: "view", run: () => set("singleKeys", !settings.value.singleKeys) },
  { id: "keys", name: t.keysTitle, keys: "?", onCanvas: true, group: "view", run: () => (dialog.value = { kind: "keys" }) },
  ...arrows.flatMap(arrow),
];

const byId = new Map(actions.map((action) => [action.id, action]));

export function action(id: string): Action {
  return byId.get(id)!;
}

export function perform(id: string): void {
  const found = byId.get(id);
  if (found && (found.when?.() ?? true)) void found.run();
}

/** What search and the list of keys show: arrows are not named one by one. */
export function listed(): Action[] {
  return actions.filter((one) => !hidden.has(one.id));
}
