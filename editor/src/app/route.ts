/** Where the page is: `#/g/NAME` the graph, `#/f/NAME` the form; `#/start`, `#/gallery`, `#/models`. */
import { effect, signal } from "@preact/signals";
import { type View, view } from "./store.ts";

export interface Route {
  view: View;
  name: string;
}

const PLAIN: readonly string[] = ["start", "gallery", "models"];
const LETTERS: Partial<Record<View, string>> = { graph: "g", form: "f" };

export function parseRoute(hash: string): Route {
  const [, letter = "", ...rest] = hash.replace(/^#/, "").split("/");
  const name = rest.map(decoded).join("/");
  if (PLAIN.includes(letter)) return { view: letter as View, name: "" };
  return { view: letter === "f" ? "form" : "graph", name };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function writeRoute({ view: where, name }: Route): string {
  const letter = LETTERS[where];
  return letter ? `#/${letter}/${name.split("/").map(encodeURIComponent).join("/")}` : `#/${where}`;
}

/** Whether the page is about the workflow that is open. */
export function showsFile(): boolean {
  return route.value.view === "graph" || route.value.view === "form";
}

export const route = signal<Route>({ view: "graph", name: "" });

export function go(to: Route): void {
  route.value = to;
  const hash = writeRoute(to);
  if (location.hash !== hash) history.pushState(null, "", hash);
}

/** Follows the browser's back and forward. `open` is called where another workflow is named. */
export function followRoute(open: (name: string) => void): void {
  effect(() => {
    view.value = route.value.view;
  });
  const read = (): void => {
    const before = route.value;
    route.value = parseRoute(location.hash);
    if (route.value.name && route.value.name !== before.name) open(route.value.name);
  };
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
}
