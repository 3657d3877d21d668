/**
 * JSON whose numbers keep their text.
 *
 * JavaScript's numbers lose 18446744073709551615 and make 0.0 into 0. A number that would not be
 * written as it was read becomes a `RawNumber`, so that a file that is opened and saved is the same.
 */
export type Json = null | boolean | number | RawNumber | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

export class RawNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  valueOf(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\.)*"/y;

/**
 * Texts of objects, which hold as long as the object itself is kept, as values are never changed in
 * place: of those that JavaScript would write in another order (it puts names like "10" first), and of
 * records of a document, which is written anew with each change of one of them.
 */
const texts = new WeakMap<JsonObject, string>();

/** Characters of what is worth keeping: a record, neither one of its values nor the whole document. */
const LEAST_KEPT = 80;
const MOST_KEPT = 20_000;

function written(entries: [string, Json | undefined][]): string {
  const present = entries.filter(([, value]) => value !== undefined);
  return `{${present.map(([name, value]) => `${JSON.stringify(name)}: ${writeJson(value)}`).join(", ")}}`;
}

class Reader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly exact: boolean,
  ) {}

  whole(): Json {
    const value = this.value();
    this.space();
    if (this.at < this.text.length) throw this.wrong();
    return value;
  }

  private wrong(): SyntaxError {
    return new SyntaxError(`no JSON at character ${this.at}`);
  }

  private space(): void {
    SPACE.lastIndex = this.at;
    SPACE.test(this.text);
    this.at = SPACE.lastIndex;
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private value(): Json {
    this.space();
    switch (this.text[this.at]) {
      case "{":
        return this.object();
      case "[":
        return this.array();
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private word<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.wrong();
    this.at += word.length;
    return value;
  }

  private number(): Json {
    const text = this.take(NUMBER);
    if (text === undefined) throw this.wrong();
    const number = Number(text);
    const kept = this.exact ? String(number) === text : Number.isSafeInteger(number) || !Number.isInteger(number);
    return kept ? number : new RawNumber(text);
  }

  private string(): string {
    const text = this.take(STRING);
    if (text === undefined) throw this.wrong();
    return text.includes("\\") ? (JSON.parse(text) as string) : text.slice(1, -1);
  }

  /** Whether another item follows; takes the comma or the closing bracket. */
  private more(end: string): boolean {
    this.space();
    const found = this.text[this.at++];
    if (found === end) return false;
    if (found !== ",") throw this.wrong();
    return true;
  }

  private begun(end: string): boolean {
    this.at++;
    this.space();
    if (this.text[this.at] !== end) return true;
    this.at++;
    return false;
  }

  private array(): Json[] {
    const items: Json[] = [];
    if (!this.begun("]")) return items;
    do items.push(this.value());
    while (this.more("]"));
    return items;
  }

  private object(): JsonObject {
    const fields: JsonObject = {};
    const entries: [string, Json][] = [];
    if (!this.begun("}")) return fields;
    do {
      this.space();
      const name = this.string();
      this.space();
      if (this.text[this.at++] !== ":") throw this.wrong();
      const value = this.value();
      if (name === "__proto__") Object.defineProperty(fields, name, { value, enumerable: true, writable: true, configurable: true });
      else fields[name] = value;
      entries.push([name, value]);
    } while (this.more("}"));
    if (entries.some(([name]) => /^\d+$/.test(name))) texts.set(fields, written(entries));
    return fields;
  }
}

/** Reads JSON text. Throws SyntaxError. */
export function parseJson(text: string): Json {
  return new Reader(text, true).whole();
}

/** The same for what is not written back: only whole numbers that JavaScript would lose keep their text. */
export function parseWire(text: string): Json {
  return new Reader(text, false).whole();
}

/** Writes a value on one line, as Python's `json.dumps(…, ensure_ascii=False)` does. */
export function writeJson(value: Json | undefined): string {
  if (value === undefined) return "null";
  if (value instanceof RawNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const known = texts.get(value);
    if (known !== undefined) return known;
    const text = written(Object.entries(value));
    if (text.length >= LEAST_KEPT && text.length <= MOST_KEPT) texts.set(value, text);
    return text;
  }
  return JSON.stringify(value);
}

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof RawNumber);
}

/** A number of JSON, or undefined. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : value instanceof RawNumber ? value.valueOf() : undefined;
}

export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  const left = numberOf(a);
  if (left !== undefined) {
    // Large whole numbers are compared by their text: as numbers they may seem alike.
    return left === numberOf(b) && (Number.isSafeInteger(left) || !Number.isInteger(left) || String(a) === String(b));
  }
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((one, index) => same(one, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && same(a[name], b[name]));
}

/** Returns a copy that shares nothing with the value. */
export function copied<T extends Json>(value: T): T {
  if (Array.isArray(value)) return value.map(copied) as T;
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, copied(one)])) as T;
  }
  return value;
}
