/** Models on this machine, and those that are being fetched. */
import { signal } from "@preact/signals";
import type { Model } from "../net/schema.ts";
import type { ServerEvent } from "../net/stream.ts";
import { t } from "../text.ts";
import { complain } from "./running.ts";
import { say, server, status } from "./store.ts";
import { told } from "./telling.ts";

export const models = signal<Model[] | null>(null);
export const pulls = signal<Record<string, { bytes: number; total: number }>>({});

export async function loadModels(): Promise<void> {
  try {
    models.value = status.peek()?.owner === true ? (await server.api.models()).models : await servedModels();
  } catch {
    models.value ??= [];
  }
}

/** What a client may name: it is on the server, as far as a client is concerned. */
async function servedModels(): Promise<Model[]> {
  const { models: found } = await server.api.servedModels();
  return found.map(({ id, tasks, loaded }) => ({ id, tasks, loaded, on_disk: true, size: null }));
}

export function pulling(event: Extract<ServerEvent, { event: "models_changed" }>): void {
  if (!event.id) return;
  if (event.problem) say(`${event.id}: ${told(event.problem)}`, "error");
  else if (event.state === "done") say(t.fetched(event.id));
  if (event.bytes === undefined) {
    const { [event.id]: _gone, ...rest } = pulls.value;
    pulls.value = rest;
  } else pulls.value = { ...pulls.value, [event.id]: { bytes: event.bytes, total: event.total ?? 0 } };
}

export async function pullModel(name: string): Promise<void> {
  try {
    const id = await server.api.pull(name);
    if (!pulls.value[id]) pulls.value = { ...pulls.value, [id]: { bytes: 0, total: 0 } };
  } catch (error) {
    complain(error);
  }
}

/** Models for a type such as `hf.image_to_image`, those on disk first. */
export function modelsFor(typeName: string): Model[] {
  const task = typeName.replace(/^hf\./, "").replace(/ \| none$/, "");
  const all = models.value ?? [];
  // Of what is no pipeline nothing says what it is for.
  const fitting = all.filter((model) => task === "model" || model.tasks.length === 0 || model.tasks.some((one) => one.replaceAll("-", "_") === task));
  return [...fitting].sort((a, b) => Number(b.on_disk) - Number(a.on_disk) || (a.id < b.id ? -1 : 1));
}
