/** Nine places for results that are compared with others: by key, so they stay what they were. */
import { signal } from "@preact/signals";
import { t } from "../text.ts";
import { title } from "./editing.ts";
import { imagesOf, passedResult } from "./results.ts";
import { say, selection } from "./store.ts";

export interface Slot {
  url: string;
  text: string;
}

export const SLOTS = 9;
export const slots = signal<(Slot | null)[]>(Array<Slot | null>(SLOTS).fill(null));

/** Puts the first image of the selected node into a slot, from 1 on. */
export function fillSlot(number: number): void {
  const id = [...selection.peek()].at(-1);
  const image = id === undefined ? undefined : imagesOf(passedResult(id))[0];
  if (id === undefined || !image) {
    say(t.noResult);
    return;
  }
  slots.value = slots.peek().with(number - 1, { url: image.url, text: `${number}: ${title(id)}` });
  say(t.inSlot(title(id), number));
}
