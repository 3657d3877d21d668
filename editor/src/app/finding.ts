/** The nodes there are, made ready for search when it is first wanted. */
import { computed } from "@preact/signals";
import { Search } from "../model/search.ts";
import { types } from "./store.ts";

export const search = computed(() => new Search(types.value));
