/** What this browser remembers: which regions are shown, their sizes, the theme, use of nodes. */
import { effect, signal } from "@preact/signals";

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

export function toggle(name: "left" | "right" | "bottom" | "minimap"): void {
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
