import { expect, test } from "vitest";
import { type Json, RawNumber, numberOf, parseJson, parseWire, same, writeJson } from "../src/model/json.ts";
import { pick, randomOf } from "./random.ts";

test.each([
  "18446744073709551615",
  "0.0",
  "1e-05",
  "-0",
  "7.50",
  '{"10": 1, "9": {"2": 0.0, "1": []}, "b": null, "a": true}',
  '["\\u0000", "ä", "\\"", "\\\\"]',
  '{"__proto__": 1}',
  "[]",
  "{}",
])("%s is written as it was read", (text) => {
  expect(writeJson(parseJson(text))).toBe(text);
});

test.each(["", "{", "[1,]", "{a: 1}", "01", "+1", '"\n"', "nul", "[1] 2", '{"a" 1}'])("%s is refused", (text) => {
  expect(() => parseJson(text)).toThrow(SyntaxError);
});

test("a number that JavaScript would lose keeps its text and can be reckoned with", () => {
  const read = parseJson("18446744073709551615");
  expect(read).toBeInstanceOf(RawNumber);
  expect(numberOf(read)).toBe(2 ** 64);
  expect(same(read, parseJson("18446744073709551614"))).toBe(false);
  expect(same(parseJson("1.0"), 1)).toBe(true);
});

test("random values come through", () => {
  const random = randomOf(7);
  const value = (depth: number): Json => {
    const kind = Math.floor(random() * (depth > 3 ? 4 : 6));
    if (kind === 0) return null;
    if (kind === 1) return random() < 0.5;
    if (kind === 2) return pick(random, [0, -1, 1.5, 1e21, new RawNumber("0.0"), new RawNumber("9007199254740993")]);
    if (kind === 3) return pick(random, ["", "a", 'q"\\\n\t', "ü€😀", " "]);
    const size = Math.floor(random() * 4);
    if (kind === 4) return Array.from({ length: size }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length: size }, (_, index) => [pick(random, ["a", "7", "x y", "1"]) + index, value(depth + 1)]));
  };
  for (let round = 0; round < 300; round++) {
    const text = writeJson(value(0));
    expect(writeJson(parseJson(text))).toBe(text);
  }
});

test("of what is not written back, only whole numbers that would be lost keep their text", () => {
  const read = parseWire('[2.0, 1e-05, 7.50, 81237, 18446744073709551615]') as Json[];
  expect(read.slice(0, 4)).toEqual([2, 0.00001, 7.5, 81237]);
  expect(String(read[4])).toBe("18446744073709551615");
});
