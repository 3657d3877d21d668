import { expect, test } from "vitest";
import { Search, parseQuery } from "../src/model/search.ts";
import { Types, labelOf, titleOf } from "../src/model/types.ts";
import { fieldKind, shownProperties } from "../src/model/shown.ts";
import { fieldsOfDocument } from "../src/model/form.ts";
import { differences } from "../src/model/compare.ts";
import { WorkflowDocument } from "../src/model/document.ts";
import { placeOf } from "../src/model/places.ts";
import { catalogue, id, property } from "./catalogue.ts";

const types = new Types(catalogue);
const search = new Search(types);
const found = (text: string, used: Record<string, number> = {}) => search.find(text, (type) => used[type] ?? 0).map((node) => node.title);

test.each([
  ["blur", "Blur"],
  ["image to image", "ImageToImage"],
  ["image to im", "ImageToImage"],
  ["to image", "ImageToImage"],
  ["image", "Image"],
  ["img", undefined],
  ["sharpen", "UnsharpMask"],
  ["soften", "Blur"],
  ["smart sharp", "UnsharpMask"],
  ["result", "Output"],
  ["#soften", "Blur"],
  [":hf", "ImageToImage"],
  [">int", "IntegerInput"],
  ["@huggingface", "ImageToImage"],
  ["whole number", "IntegerInput"],
  ["i2i (", undefined],
  ["BLUR", "Blur"],
  ["blu", "Blur"],
  ["  blur  ", "Blur"],
  ["lib.pillow.filter.Blur", "Blur"],
  ["unsharp", "UnsharpMask"],
  ["unsharp mask", "UnsharpMask"],
  ["mask", "UnsharpMask"],
  ["unsharpmask", "UnsharpMask"],
  ["image input", "ImageInput"],
  ["imageinput", "ImageInput"],
  ["input image", "ImageInput"],
  ["string", "StringInput"],
  ["integer", "IntegerInput"],
  ["text", "StringInput"],
  ["named", "Output"],
  ["outp", "Output"],
  ["fixed", "Image"],
  ["prompt", "ImageToImage"],
  ["generation", "ImageToImage"],
  ["#generation", "ImageToImage"],
  ["#sharpen", "UnsharpMask"],
  ["#nothing", undefined],
  [">any", "Output"],
  ["input >str", "StringInput"],
  ["blur @lib", "Blur"],
  ["blur @huggingface", undefined],
])("%s finds %s", (text, first) => {
  expect(found(text)[0]).toBe(first);
});

test("what was used stands above its equals", () => {
  const all = found("input");
  expect(all.slice(0, 3).sort()).toEqual(["ImageInput", "IntegerInput", "StringInput"]);
  expect(found("input", { "nodetool.input.StringInput": 3 })[0]).toBe("StringInput");
});

test("a wire that is dropped asks for what takes it", () => {
  const titles = search.find("", () => 0, { takes: id("image") }).map((node) => node.title);
  expect(titles).toContain("Blur");
  expect(titles).toContain("Output");
  expect(titles).not.toContain("IntegerInput");
});

test("queries", () => {
  expect(parseQuery("Blur #a :image >str @x")).toEqual({ words: ["blur"], tags: ["a"], takes: ["image"], gives: ["str"], packs: ["x"] });
});

test("the server says what fits", () => {
  expect(types.fits(id("int"), id("float"))).toBe(true);
  expect(types.fits(id("float"), id("int"))).toBe(false);
  expect(types.fits(id("any"), id("image"))).toBe(true);
  expect(types.node("old.Blur")?.title).toBe("Blur");
});

test("the best port has the name, then just the type", () => {
  const output = { name: "prompt", type: id("str"), description: "" };
  const ports = [property("text", "str"), property("prompt", "str"), property("x", "any")];
  expect(types.best(output, ports)?.name).toBe("prompt");
  expect(types.best({ ...output, name: "output" }, [property("x", "any"), property("text", "str")])?.name).toBe("text");
  expect(types.best({ ...output, type: id("image") }, [property("n", "int")])).toBeUndefined();
});

test.each([
  ["huggingface.image_to_image.ImageToImage", "Image to image"],
  ["x.AuraSR", "Aura SR"],
  ["x.HTTPRequest", "HTTP request"],
  ["x.CDL", "CDL"],
])("%s is called %s", (type, name) => {
  expect(titleOf(type)).toBe(name);
});

test("labels", () => {
  expect(labelOf("num_inference_steps")).toBe("Num inference steps");
});

test("each property has its field", () => {
  const kind = (name: string, of: Parameters<typeof property>[1], more = {}) => fieldKind(property(name, of, more), types);
  expect(kind("prompt", "str")).toBe("multiline");
  expect(kind("name", "str")).toBe("text");
  expect(kind("strength", "float", { min: 0, max: 1 })).toBe("slider");
  expect(kind("seed", "int", { min: -1, max: 2 ** 64, seed: true })).toBe("number");
  expect(kind("mode", "enum", { choices: ["a"] })).toBe("choice");
  expect(kind("tiles", "list[image]")).toBe("list");
  expect(kind("mode", "image", { widget: "mask" })).toBe("image");
});

const FILE = `{"graph": {"nodes": [
  {"id": "seed", "type": "nodetool.input.IntegerInput", "data": {"name": "seed", "value": -1, "min": -1, "max": 18446744073709551615}},
  {"id": "p", "type": "nodetool.input.StringInput", "data": {"name": "prompt", "value": "a"}},
  {"id": "i", "type": "nodetool.input.ImageInput", "data": {"name": "image"}},
  {"id": "x", "type": "huggingface.image_to_image.ImageToImage", "data": {"strength": 0.5}}
], "edges": [{"source": "p", "sourceHandle": "output", "target": "x", "targetHandle": "prompt"}]}}`;

test("a form has the image first, then texts, and the seed behind More", () => {
  const fields = fieldsOfDocument(WorkflowDocument.read(FILE), types);
  expect(fields.map((field) => [field.name, field.kind, field.more])).toEqual([
    ["image", "image", false],
    ["prompt", "multiline", false],
    ["seed", "number", true],
  ]);
  expect(fields[2]!.property.seed).toBe(true);
});

test("a node shows what is required, connected, or changed", () => {
  const document = WorkflowDocument.read(FILE);
  const type = types.node("huggingface.image_to_image.ImageToImage")!;
  const { rows, hidden } = shownProperties(document, "x", type, type.properties);
  expect(rows.map((row) => row.name)).toEqual(["model", "prompt", "image", "strength"]);
  expect(hidden).toBe(1);
  const face = types.node("nodetool.input.StringInput")!;
  expect(shownProperties(document, "p", face, face.properties).rows.map((row) => row.name)).toEqual(["value"]);
});

test("a problem lies where it says", () => {
  const document = WorkflowDocument.read(FILE);
  const at = (where: string) => placeOf({ code: "", where, message: "", hint: "" }, document);
  expect(at("nodes[3].data.strength")).toEqual({ node: "x", property: "strength" });
  expect(at("edges[0].sourceHandle")).toEqual({ edge: "e1", node: "x", property: "prompt" });
  expect(at("nodes[9]")).toEqual({});
});

test("a document arranges its form: order, labels, groups, what is behind More, widgets", () => {
  const rows = [
    { name: "seed", label: "Number", more: false },
    { name: "prompt", group: "Words", widget: "text" },
    { name: "image", more: true, widget: "slider" },
    { name: "gone" },
  ];
  const document = new WorkflowDocument({ ...JSON.parse(FILE), editor: { form: rows } });
  const fields = fieldsOfDocument(document, types);
  expect(fields.map((field) => [field.name, field.label, field.group, field.more, field.kind])).toEqual([
    ["seed", "Number", "", false, "number"],
    ["prompt", "Prompt", "Words", false, "text"],
    ["image", "Image", "", true, "image"],
  ]);
});

test("what differs between two documents is told by node and property", () => {
  const ours = WorkflowDocument.read(FILE);
  const theirs = WorkflowDocument.read(FILE.replace('"strength": 0.5', '"strength": 0.7'));
  expect(differences(ours, theirs)).toEqual([{ id: "x", how: "changed", properties: ["strength"] }]);
  expect(differences(ours, WorkflowDocument.empty()).map((one) => one.how)).toEqual(Array(ours.nodes.size).fill("removed"));
  expect(differences(ours, ours)).toEqual([]);
});
