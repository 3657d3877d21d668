/** Rows of values for one run each: CSV with a head, JSON, or a JSON object a line. */
import type { FormField } from "./form.ts";
import { type Json, type JsonObject, isObject, numberOf, parseJson } from "./json.ts";

/** Throws SyntaxError, with the line where there is one. */
export function readRows(text: string): JsonObject[] {
  const begin = text.trimStart();
  if (begin.startsWith("[")) {
    const list = parseJson(text);
    if (!Array.isArray(list) || !list.every(isObject)) throw new SyntaxError("a list of objects is expected");
    return list;
  }
  if (begin.startsWith("{")) {
    return begin.split(/\r?\n/).flatMap((line, index): JsonObject[] => {
      if (!line.trim()) return [];
      const row = parseJson(line);
      if (!isObject(row)) throw new SyntaxError(`line ${index + 1} is no object`);
      return [row];
    });
  }
  const [head = [], ...lines] = readCsv(text.replace(/^\ufeff/, ""));
  return lines.map((line, index) => {
    if (line.length > head.length) throw new SyntaxError(`row ${index + 2} has ${line.length} values, and the head ${head.length}`);
    return Object.fromEntries(head.map((name, at) => [name.trim(), line[at] ?? ""]));
  });
}

/** Lines of CSV as RFC 4180 has it: quotes hold commas, line ends and doubled quotes. */
export function readCsv(text: string): string[][] {
  const lines: string[][] = [];
  let [line, field, quoted]: [string[], string, boolean] = [[], "", false];
  const end = (): void => {
    line.push(field);
    if (line.length > 1 || line[0] !== "") lines.push(line);
    [line, field] = [[], ""];
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (quoted) {
      if (letter !== '"') field += letter;
      else if (text[at + 1] === '"') field += text[++at];
      else quoted = false;
    } else if (letter === '"' && field === "") quoted = true;
    else if (letter === ",") {
      line.push(field);
      field = "";
    } else if (letter === "\n") end();
    else if (letter !== "\r") field += letter;
  }
  if (quoted) throw new SyntaxError("a quote is not closed");
  end();
  return lines;
}

export interface RowInputs {
  inputs: JsonObject;
  /** What is wrong with a value, by column. */
  problems: Record<string, string>;
}

/** A row as the workflow's inputs take it; an empty value of a CSV leaves the input as it is. */
export function inputsOf(row: JsonObject, fields: readonly FormField[]): RowInputs {
  const found: RowInputs = { inputs: {}, problems: {} };
  for (const [name, value] of Object.entries(row)) {
    const field = fields.find((one) => one.name === name);
    if (!field) found.problems[name] = "unknown";
    else if (value !== "") {
      const read = valueFor(field, value);
      if (read === undefined) found.problems[name] = "value";
      else found.inputs[name] = read;
    }
  }
  return found;
}

const WORDS: Record<string, boolean> = { true: true, yes: true, "1": true, false: false, no: false, "0": false };

function valueFor(field: FormField, value: Json): Json | undefined {
  if (typeof value !== "string") return value;
  switch (field.kind) {
    case "number":
    case "slider":
      try {
        const number = parseJson(value.trim());
        return numberOf(number) === undefined ? undefined : number;
      } catch {
        return undefined;
      }
    case "switch":
      return WORDS[value.trim().toLowerCase()];
    case "image":
      return { type: "image", uri: value };
    case "json":
    case "list":
      try {
        return parseJson(value);
      } catch {
        return undefined;
      }
    default:
      return value;
  }
}
