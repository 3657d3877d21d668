/** What this browser remembers: which regions are shown, their sizes, the theme, use of nodes. */
import { computed, effect, signal } from "@preact/signals";

const KEY = "nodetool.settings";

export interface Settings {
  left: boolean;
  right: boolean;
  bottom: boolean;
  leftWidth: number;
  rightWidth: number;
  minimap: boolean;
  singleKeys: boolean;
  theme: "auto" | "light" | "dark";
  /** Of the painted part of a mask, as CSS has it. */
  maskColor: string;
  used: Record<string, number>;
}

const DEFAULTS: Settings = {
  left: true,
  right: true,
  bottom: true,
  leftWidth: 248,
  rightWidth: 312,
  minimap: true,
  singleKeys: true,
  theme: "auto",
  maskColor: "#e61e3c",
  used: {},
};

function remembered(): Settings {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>) };
  } catch {
    return DEFAULTS;
  }
}

export const settings = signal<Settings>(typeof localStorage === "undefined" ? DEFAULTS : remembered());

export function set<K extends keyof Settings>(name: K, value: Settings[K]): void {
  settings.value = { ...settings.value, [name]: value };
}

type Side = "left" | "right";

const narrowed = typeof matchMedia === "undefined" ? null : matchMedia("(max-width: 1100px)");
/** Whether there is room for one side beside the canvas, and no more. */
const isTight = signal(narrowed?.matches ?? false);
narrowed?.addEventListener("change", (event) => (isTight.value = event.matches));
const onlySide = signal<Side | null>("right");

/** Which sides are shown. */
export const sides = computed((): Record<Side, boolean> => {
  const { left, right } = settings.value;
  return isTight.value ? { left: onlySide.value === "left", right: onlySide.value === "right" } : { left, right };
});

export function showSide(side: Side): void {
  if (isTight.value) onlySide.value = side;
  else set(side, true);
}

export function toggle(name: Side | "bottom" | "minimap"): void {
  if (isTight.value && (name === "left" || name === "right")) {
    onlySide.value = onlySide.value === name ? null : name;
    return;
  }
  set(name, !settings.value[name]);
}

export function countUse(type: string): void {
  const { used } = settings.value;
  set("used", { ...used, [type]: (used[type] ?? 0) + 1 });
}

export function keepSettings(): void {
  effect(() => {
    const { theme } = settings.value;
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, JSON.stringify(settings.value));
    } catch {
      // A private window may forbid it.
    }
  });
}
