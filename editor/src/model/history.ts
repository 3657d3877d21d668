/** Undo and redo. What is typed into one field within a moment is one entry. */
import type { Patch, WorkflowDocument } from "./document.ts";
import type { JsonObject } from "./json.ts";
import { inverse } from "./operations.ts";

const MOST_ENTRIES = 1000;
const MERGE_MILLISECONDS = 800;

export interface Entry {
  label: string;
  patches: Patch[];
  merge?: string | undefined;
  at: number;
}

export class History {
  private readonly undone: Entry[] = [];
  private readonly done: Entry[] = [];

  constructor(
    private readonly document: WorkflowDocument,
    private readonly now: () => number = () => Date.now(),
  ) {}

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** The last entry, or null: tells whether the document is as it was when it was saved. */
  get top(): Entry | null {
    return this.done.at(-1) ?? null;
  }

  /** How many entries were made and not taken back. */
  get length(): number {
    return this.done.length;
  }

  /** Applies patches and remembers them. Entries with the same `merge` in short order become one. */
  commit(label: string, patches: Patch[], merge?: string): boolean {
    if (patches.length === 0) return false;
    this.document.apply(patches);
    this.undone.length = 0;
    const last = this.done.at(-1);
    const at = this.now();
    if (merge !== undefined && last?.merge === merge && at - last.at < MERGE_MILLISECONDS) {
      last.patches.push(...patches);
      last.at = at;
    } else {
      this.done.push({ label, patches: [...patches], merge, at });
      if (this.done.length > MOST_ENTRIES) this.done.shift();
    }
    return true;
  }

  undo(): Entry | undefined {
    const entry = this.done.pop();
    if (!entry) return undefined;
    this.document.apply(inverse(entry.patches));
    this.undone.push(entry);
    return entry;
  }

  redo(): Entry | undefined {
    const entry = this.undone.pop();
    if (!entry) return undefined;
    this.document.apply(entry.patches);
    entry.merge = undefined;
    this.done.push(entry);
    return entry;
  }

  /** Puts other records of nodes in the place of some, in all that can be undone or redone. */
  replace(records: ReadonlyMap<JsonObject, JsonObject>): void {
    for (const entry of [...this.done, ...this.undone]) {
      entry.patches = entry.patches.map((patch) => (patch.kind === "node" ? { ...patch, before: other(records, patch.before), after: other(records, patch.after) } : patch));
    }
  }

  /** All records of nodes that undo and redo bring back. */
  *records(): Iterable<JsonObject> {
    for (const { patches } of [...this.done, ...this.undone]) {
      for (const patch of patches) if (patch.kind === "node") for (const one of [patch.before, patch.after]) if (one) yield one;
    }
  }

  /** Ends merging: the next edit of the same field is an entry of its own. */
  seal(): void {
    const last = this.done.at(-1);
    if (last) last.merge = undefined;
  }
}

function other(records: ReadonlyMap<JsonObject, JsonObject>, record: JsonObject | undefined): JsonObject | undefined {
  return record && (records.get(record) ?? record);
}
