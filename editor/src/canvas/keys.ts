/** From keys to actions. Letters alone work only while the canvas or the outline has the focus. */
import { type Action, actions } from "../actions.ts";
import { dialog } from "../app/store.ts";
import { settings } from "../app/settings.ts";

const isMac = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

/** A key as the table writes it: `Ctrl+Shift+Enter`. */
export function keyOf(event: KeyboardEvent): string {
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const isSymbol = key.length === 1 && !/[A-Z0-9]/.test(key);
  if (event.shiftKey && !isSymbol) parts.push("Shift");
  return [...parts, key].join("+");
}

/** As it is shown: `⌘S` on a Mac, `Ctrl+S` elsewhere. */
export function shownKey(keys: string | undefined): string {
  const [first = ""] = (keys ?? "").split(" ");
  const named = first.replace("ArrowLeft", "←").replace("ArrowRight", "→").replace("ArrowUp", "↑").replace("ArrowDown", "↓");
  return isMac ? named.replace("Ctrl+", "⌘").replace("Shift+", "⇧").replace("Alt+", "⌥") : named;
}

const table = new Map<string, Action[]>();
for (const action of actions) {
  for (const key of (action.keys ?? "").split(" ").filter(Boolean)) {
    table.set(key, [...(table.get(key) ?? []), action]);
  }
}

function isTyping(element: Element | null): boolean {
  return !!element?.closest("input:not([type=checkbox], [type=range], [type=color]), textarea, select, [contenteditable]");
}

/** Where keys of the canvas were pressed last: the canvas or the outline. */
let home: HTMLElement | null = null;

if (typeof addEventListener !== "undefined") {
  addEventListener("focusin", (event) => {
    if ((event.target as Element).matches("[data-canvas-keys]")) home = event.target as HTMLElement;
  });
}

export function takeKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || dialog.peek()) return;
  const element = event.target as Element | null;
  const onCanvas = element === document.body || !!element?.closest("[data-canvas-keys]");
  const typing = isTyping(element);
  const key = keyOf(event);
  const inField = typing || (!!element?.closest("[data-field]") && element !== document.body);
  if (key === "Escape" && (inField || !onCanvas)) {
    (element as HTMLElement).blur();
    const near = element?.closest<HTMLElement>("[data-canvas-keys]") ?? (home?.isConnected ? home : document.querySelector<HTMLElement>("#canvas"));
    near?.focus({ preventScroll: true });
    return;
  }
  for (const action of table.get(key) ?? []) {
    if (action.onCanvas && (!onCanvas || inField || element?.closest("[role=tree]") !== null && key.startsWith("Arrow"))) continue;
    if (action.onCanvas && key.length === 1 && /[A-Z]/.test(key) && !settings.peek().singleKeys) continue;
    if (typing && !/^(Ctrl|Alt)\+/.test(key)) continue;
    if (!(action.when?.() ?? true)) continue;
    // Tab goes on to the next region where the canvas itself does not have the focus.
    if (key === "Tab" && !(element?.matches("[data-canvas-keys]") ?? false)) continue;
    event.preventDefault();
    void action.run();
    return;
  }
}
