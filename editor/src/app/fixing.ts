/** Takes what a mistake suggests: another value, the right name of a property, the right type of a node. */
import type { Json, JsonObject } from "../model/json.ts";
import { part } from "../model/document.ts";
import * as operations from "../model/operations.ts";
import type { Problem } from "../net/schema.ts";
import { t } from "../text.ts";
import { commit, select } from "./editing.ts";
import { opened, problems, say, selection } from "./store.ts";

export function applyFix({ fix, property = "" }: Problem, ids: Iterable<string>): void {
  if (!fix) return;
  const { document } = opened.value;
  const patches = [...ids].flatMap((id) => {
    if (fix.of === "value") return operations.setValue(document, id, property, fix.value);
    const before = document.nodes.get(id);
    if (!before) return [];
    const after: JsonObject = fix.of === "type" ? { ...before, type: fix.value } : { ...before, data: renamed(part(before, "data"), property, String(fix.value)) };
    return [{ kind: "node" as const, id, before, after }];
  });
  commit(t.takeFix, patches);
}

function renamed(data: JsonObject, from: string, to: string): JsonObject {
  return Object.fromEntries(Object.entries(data).map(([name, value]): [string, Json] => [name === from ? to : name, value]));
}

/** The first suggestion for what is selected, or for any node where nothing is. */
function nextFix(): [string, Problem] | undefined {
  const chosen = selection.value;
  for (const [id, found] of problems.value) {
    const problem = found.find((one) => one.fix);
    if (problem && (!chosen.size || chosen.has(id))) return [id, problem];
  }
  return undefined;
}

export function hasFix(): boolean {
  return nextFix() !== undefined;
}

export function takeFix(): void {
  const [id, problem] = nextFix() ?? [];
  if (id === undefined || !problem?.fix) return;
  applyFix(problem, [id]);
  select([id]);
  say(t.fixed(problem.fix.text));
}
