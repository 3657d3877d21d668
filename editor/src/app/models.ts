/** Models on this machine, and those that are being fetched. */
import { signal } from "@preact/signals";
import type { Model } from "../net/schema.ts";
import type { ServerEvent } from "../net/stream.ts";
import { say, server } from "./store.ts";

export const models = signal<Model[] | null>(null);
export const pulls = signal<Record<string, { bytes: number; total: number }>>({});

export async function loadModels(): Promise<void> {
  try {
    models.value = (await server.api.models()).models;
  } catch {
    models.value ??= [];
  }
}

export function pulling(event: Extract<ServerEvent, { event: "models_changed" }>): void {
  if (!event.id) return;
  if (event.problem) say(`${event.problem.message} ${event.problem.hint}`.trim(), "error");
  if (event.bytes === undefined) {
    const { [event.id]: _gone, ...rest } = pulls.value;
    pulls.value = rest;
  } else pulls.value = { ...pulls.value, [event.id]: { bytes: event.bytes, total: event.total ?? 0 } };
}

/** Models for a type such as `hf.image_to_image`, those on disk first. */
export function modelsFor(typeName: string): Model[] {
  const task = typeName.replace(/^hf\./, "").replace(/ \| none$/, "");
  const all = models.value ?? [];
  const fitting = all.filter((model) => task === "model" || model.tasks.some((one) => one.replaceAll("-", "_") === task));
  return [...fitting].sort((a, b) => Number(b.on_disk) - Number(a.on_disk) || (a.id < b.id ? -1 : 1));
}
