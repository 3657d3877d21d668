/** The catalogue of nodes: properties, outputs, and what may be connected to what. */
import type { Catalogue, Kind, NodeCheck, NodeType, Output, Property, TypeInfo } from "../net/schema.ts";
import { className } from "./ids.ts";

/** Beside the colour, for who does not see it. */
export const LETTERS: Record<Kind, string> = {
  image: "I",
  text: "T",
  number: "#",
  switch: "?",
  choice: "C",
  model: "M",
  color: "P",
  file: "F",
  list: "L",
  any: "·",
};

const ANY: TypeInfo = { id: -1, name: "any", kind: "any" };

export interface Port {
  node: string;
  name: string;
  side: "in" | "out";
}

export class Types {
  readonly nodes = new Map<string, NodeType>();
  private readonly types: TypeInfo[];
  private readonly accepts: number[][];
  private readonly aliases: Record<string, string>;

  constructor(readonly catalogue: Catalogue) {
    for (const node of catalogue.nodes) this.nodes.set(node.type, node);
    this.types = catalogue.types;
    this.accepts = catalogue.accepts;
    this.aliases = catalogue.aliases ?? {};
  }

  node(type: string): NodeType | undefined {
    return this.nodes.get(type) ?? this.nodes.get(this.aliases[type] ?? "");
  }

  info(type: number): TypeInfo {
    return this.types[type] ?? ANY;
  }

  /** Whether an output of one type may feed a property of another. The server says so, not we. */
  fits(output: number, property: number): boolean {
    return output < 0 || property < 0 || this.accepts[output]?.[property] === 1;
  }

  outputs(type: string, check?: NodeCheck): Output[] {
    return check?.ports?.outputs ?? this.node(type)?.outputs ?? [];
  }

  /** Of several properties that take an output: one of its name, of just its type, else the first. */
  best(output: Output, properties: readonly Property[]): Property | undefined {
    const fitting = properties.filter((property) => this.fits(output.type, property.type));
    return (
      fitting.find((property) => property.name === output.name) ??
      fitting.find((property) => property.type === output.type) ??
      fitting.find((property) => this.info(property.type).kind === this.info(output.type).kind) ??
      fitting[0]
    );
  }

  bestOutput(property: Property, outputs: readonly Output[]): Output | undefined {
    const fitting = outputs.filter((output) => this.fits(output.type, property.type));
    return (
      fitting.find((output) => output.name === property.name) ??
      fitting.find((output) => output.type === property.type) ??
      fitting[0]
    );
  }
}

const SMALL_WORDS = /^(A|An|And|As|At|By|For|From|In|Into|Of|On|Or|The|To|With)$/;

/** `ImageToImage` → `Image to image`; words that are all capitals stay. */
export function titleOf(type: string): string {
  const words = className(type)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .split(/[ _]+/);
  return words
    .map((word, index) =>
      index === 0 || (/[A-Z].*[A-Z]/.test(word) && !SMALL_WORDS.test(word)) ? word : word.toLowerCase(),
    )
    .join(" ");
}

/** `num_inference_steps` → `Num inference steps`. */
export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
