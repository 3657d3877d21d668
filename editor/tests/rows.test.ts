import { expect, test } from "vitest";
import { type Crop, HANDLES, kept, moved } from "../src/model/crop.ts";
import type { FormField } from "../src/model/form.ts";
import { inputsOf, readCsv, readRows } from "../src/model/rows.ts";
import { randomOf } from "./random.ts";

const field = (name: string, kind: FormField["kind"]): FormField => ({ name, kind, typeName: "", value: undefined, label: name, group: "", more: false, property: { name, type: -1, required: false, description: "" } });
const FIELDS = [field("prompt", "multiline"), field("steps", "slider"), field("photo", "image"), field("fast", "switch")];

test("CSV keeps commas, quotes and line ends within quotes", () => {
  expect(readCsv('a,b\r\n"x, ""y""\nz",2\n\n')).toEqual([["a", "b"], ['x, "y"\nz', "2"]]);
  expect(() => readCsv('a\n"open')).toThrow("quote");
});

test.each([
  ["a table", "\ufeffprompt,steps\na lake,4\n,5\n"],
  ["a list", '[{"prompt": "a lake", "steps": "4"}, {"prompt": "", "steps": "5"}]'],
  ["objects, one a line", '{"prompt": "a lake", "steps": "4"}\n\n{"prompt": "", "steps": "5"}\n'],
])("rows come from %s", (_, text) => {
  expect(readRows(text)).toEqual([{ prompt: "a lake", steps: "4" }, { prompt: "", steps: "5" }]);
});

test("a line that is too long is named", () => {
  expect(() => readRows("a\n1,2\n")).toThrow("row 2 has 2 values");
});

test("values become what their inputs take, and what does not fit is told", () => {
  const { inputs, problems } = inputsOf({ prompt: "7", steps: "4", photo: "a.png", fast: "yes" }, FIELDS);
  expect(inputs).toEqual({ prompt: "7", steps: 4, photo: { type: "image", uri: "a.png" }, fast: true });
  expect(problems).toEqual({});
  expect(inputsOf({ steps: "many", other: "1", prompt: "" }, FIELDS)).toEqual({ inputs: {}, problems: { steps: "value", other: "unknown" } });
});

test("a crop stays within its image and never vanishes, however it is moved", () => {
  const random = randomOf(5);
  let crop: Crop = kept({ left: -5, top: 3, right: 900, bottom: 3 }, 64, 48);
  expect(crop).toEqual({ left: 0, top: 3, right: 64, bottom: 4 });
  for (let step = 0; step < 2000; step++) {
    const handle = HANDLES[Math.floor(random() * HANDLES.length)]!;
    const before = crop;
    crop = moved(crop, handle, random() * 200 - 100, random() * 200 - 100, 64, 48);
    expect(crop.left >= 0 && crop.top >= 0 && crop.right <= 64 && crop.bottom <= 48 && crop.left < crop.right && crop.top < crop.bottom).toBe(true);
    if (handle.x === 0 && handle.y === 0) expect(crop.right - crop.left).toBe(before.right - before.left);
  }
});
