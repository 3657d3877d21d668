/**
 * Results of seeds that are drawn anew each time: those of the last run, where nothing else changed.
 *
 * With the numbers that were drawn put in the place of -1, the nodes have keys as any others have.
 */
import { signal } from "@preact/signals";
import type { WorkflowDocument } from "../model/document.ts";
import { type Json, type JsonObject, numberOf } from "../model/json.ts";
import { setValue } from "../model/operations.ts";
import { valueOf } from "../model/shown.ts";
import type { Patch } from "../model/document.ts";
import { WorkflowDocument as Document } from "../model/document.ts";
import { propertiesOf } from "../model/ports.ts";
import type { NodeCheck } from "../net/schema.ts";
import { t } from "../text.ts";
import { history } from "./jobs.ts";
import { check, checkOf, file, opened, placeName, say, selection, server, shownRun, types } from "./store.ts";
import { commit } from "./editing.ts";

type Seeds = Record<string, Record<string, number>>;

/** What a check says of the nodes with the last run's numbers. */
export const drawn = signal<Record<string, NodeCheck>>({});

/** The numbers that the last run of this workflow drew. */
export function lastSeeds(): Seeds {
  const seeds = shownRun.peek()?.seeds;
  if (seeds && Object.keys(seeds).length) return seeds;
  const { name } = file.peek();
  const job = name ? history.peek().find((one) => one.workflow === name && one.report.seeds) : undefined;
  return (job?.report.seeds ?? {}) as unknown as Seeds;
}

/** What puts the last numbers in the place of those that are drawn, in some nodes or in all. */
export function pinning(document: WorkflowDocument, seeds: Seeds, only?: ReadonlySet<string>): Patch[] {
  return Object.entries(seeds).flatMap(([id, values]) => {
    if (!document.nodes.has(id) || (only && !only.has(id))) return [];
    const properties = propertiesOf(types.peek(), document, id, checkOf(id));
    return Object.entries(values).flatMap(([name, seed]): Patch[] => {
      const property = properties.find((one) => one.name === name);
      const now = property && valueOf(document.nodes.get(id), property);
      if (!property || document.edgeInto(id, name) || numberOf(now) !== -1) return [];
      return setValue(document, id, name, seed as Json);
    });
  });
}

/** Learns the keys of nodes that draw seeds. Returns the nodes whose results may be others. */
export async function checkDrawn(signal?: AbortSignal): Promise<string[]> {
  const before = drawn.peek();
  const isDrawn = Object.values(check.peek()?.nodes ?? {}).some((node) => node.state === "volatile");
  const { document } = opened.peek();
  const copy = isDrawn ? new Document(document.toJson() as JsonObject) : null;
  const patches = copy ? pinning(copy, lastSeeds()) : [];
  if (!copy || !patches.length) drawn.value = {};
  else {
    copy.apply(patches);
    drawn.value = (await server.api.check({ document: copy.toJson(), name: placeName() || undefined }, signal)).nodes;
  }
  const now = drawn.peek();
  return [...document.nodes.keys()].filter((id) => before[id]?.key !== now[id]?.key || before[id]?.state !== now[id]?.state);
}

/** Keeps the numbers that the last run drew, so that the selected results stay as they are. */
export function pin(): void {
  const { document } = opened.value;
  const patches = pinning(document, lastSeeds(), document.ancestors(selection.value));
  if (!patches.length) say(t.nothingToPin);
  else if (commit(t.pin, patches)) say(t.pinned(patches.length));
}
