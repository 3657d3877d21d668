/**
 * Finds nodes by a few words. The name counts most, then tags and the names of other programs, then the description; what was used
 * before stands above its equals. `#tag`, `:type` it takes, `>type` it gives, `@pack`.
 */
import type { NodeType } from "../net/schema.ts";
import { className } from "./ids.ts";
import { type Types, titleOf } from "./types.ts";

interface Entry {
  node: NodeType;
  title: string;
  words: string[];
  type: string;
  tags: string[];
  description: string;
  takes: string[];
  gives: string[];
}

export interface Query {
  words: string[];
  tags: string[];
  takes: string[];
  gives: string[];
  packs: string[];
}

export function parseQuery(text: string): Query {
  const query: Query = { words: [], tags: [], takes: [], gives: [], packs: [] };
  for (const part of text.toLowerCase().split(/\s+/)) {
    const rest = part.slice(1);
    if (part.startsWith("#")) query.tags.push(rest);
    else if (part.startsWith(":")) query.takes.push(rest);
    else if (part.startsWith(">")) query.gives.push(rest);
    else if (part.startsWith("@")) query.packs.push(rest);
    else if (part) query.words.push(part);
  }
  return query;
}

/** What a wire that is dropped on nothing asks for. */
export interface Wanted {
  /** Only nodes that take an output of this type. */
  takes?: number;
  /** Only nodes that give something for a property of this type. */
  gives?: number;
}

export class Search {
  private readonly entries: Entry[];

  constructor(private readonly types: Types) {
    this.entries = [...types.nodes.values()].map((node) => ({
      node,
      title: titleOf(node.type).toLowerCase(),
      words: titleOf(node.type).toLowerCase().split(/\s+/),
      type: `${node.type} ${className(node.type)}`.toLowerCase(),
      tags: [...node.tags, ...node.synonyms, ...node.synonyms.flatMap((name) => name.split(" "))].map((tag) => tag.toLowerCase()),
      description: `${node.description} ${node.use_cases.join(" ")}`.toLowerCase(),
      takes: node.properties.map((property) => types.info(property.type).name.toLowerCase()),
      gives: node.outputs.map((output) => types.info(output.type).name.toLowerCase()),
    }));
  }

  find(text: string, used: (type: string) => number = () => 0, wanted: Wanted = {}): NodeType[] {
    const query = parseQuery(text);
    const found: { node: NodeType; score: number; title: string }[] = [];
    for (const entry of this.entries) {
      if (!this.allows(entry, query, wanted)) continue;
      let score = 0;
      for (const word of query.words) {
        const one = rank(entry, word);
        if (one === 0) score = -Infinity;
        score += one;
      }
      if (score === -Infinity) continue;
      const phrase = query.words.join(" ");
      if (phrase && entry.title === phrase) score += 1000;
      else if (query.words.length > 1 && ` ${entry.title}`.includes(` ${phrase}`)) score += entry.title.startsWith(phrase) ? 600 : 300;
      score += Math.min(used(entry.node.type), 20) * 2;
      found.push({ node: entry.node, score, title: entry.title });
    }
    // Of equals the shortest name is the plainest; where nothing is asked for, they stand by name.
    const length = (title: string) => (query.words.length ? title.length : 0);
    found.sort((a, b) => b.score - a.score || length(a.title) - length(b.title) || (a.title < b.title ? -1 : 1));
    return found.map((one) => one.node);
  }

  private allows(entry: Entry, query: Query, wanted: Wanted): boolean {
    const { node } = entry;
    return (
      query.tags.every((tag) => entry.tags.some((one) => one.startsWith(tag))) &&
      query.takes.every((type) => entry.takes.some((one) => one.startsWith(type))) &&
      query.gives.every((type) => entry.gives.some((one) => one.startsWith(type))) &&
      query.packs.every((pack) => node.pack.toLowerCase().startsWith(pack) || node.namespace.startsWith(pack)) &&
      (wanted.takes === undefined ||
        node.dynamic ||
        node.properties.some((property) => this.types.fits(wanted.takes!, property.type))) &&
      (wanted.gives === undefined || node.outputs.some((output) => this.types.fits(output.type, wanted.gives!)))
    );
  }
}

function rank(entry: Entry, word: string): number {
  if (entry.title === word || entry.words.join("") === word) return 500;
  if (entry.title.startsWith(word)) return 300;
  if (entry.words.some((one) => one === word)) return 250;
  if (entry.words.some((one) => one.startsWith(word))) return 200;
  if (entry.tags.includes(word)) return 120;
  if (entry.type.includes(word)) return 90;
  if (entry.tags.some((tag) => tag.startsWith(word))) return 80;
  if (entry.title.includes(word)) return 70;
  const at = entry.description.search(new RegExp(`\\b${word.replace(/[^\p{L}\p{N}]/gu, "\\$&")}`, "u"));
  if (at >= 0) return at < 100 ? 40 : 30;
  return 0;
}
