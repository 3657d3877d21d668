import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WorkflowDocument } from "../src/model/document.ts";
import { type Json, type JsonObject, RawNumber } from "../src/model/json.ts";
import { History } from "../src/model/history.ts";
import { copyNodes, paste, readCopied, writeCopied } from "../src/model/clipboard.ts";
import * as operations from "../src/model/operations.ts";
import { pick, randomOf } from "./random.ts";

const GRAPHS = join(import.meta.dirname, "../../graphs");
const files = readdirSync(GRAPHS).filter((name) => name.endsWith(".json"));
const read = (name: string) => readFileSync(join(GRAPHS, name), "utf8");

test.each(files)("%s is the same when it is opened and saved", (name) => {
  expect(WorkflowDocument.read(read(name)).toText()).toBe(read(name));
});

test("a bare graph gets its frame", () => {
  const document = WorkflowDocument.read('{"nodes": [{"id": "a", "type": "x.A"}], "edges": [], "name": "n"}');
  expect(Object.keys(document.toJson())).toEqual(["schema_version", "name", "graph"]);
  expect(document.nodes.size).toBe(1);
});

test("two nodes of one id are both kept", () => {
  const text = WorkflowDocument.read('{"graph": {"nodes": [{"id": "a", "type": "x"}, {"id": "a", "type": "y"}], "edges": []}}');
  expect((text.toJson().graph as JsonObject).nodes).toHaveLength(2);
});

/** Documents with fields that nobody knows, at every place. */
function randomDocument(random: () => number): WorkflowDocument {
  const odd = (): JsonObject => (random() < 0.5 ? {} : { [`x${Math.floor(random() * 9)}`]: pick<Json>(random, [new RawNumber("0.0"), "ü", null, [1, { "5": 1, b: 2 }]]) });
  const nodes = Array.from({ length: 1 + Math.floor(random() * 8) }, (_, index) => ({
    ...odd(),
    id: `n${index}`,
    type: "a.B",
    data: { v: index, ...odd() },
    ...odd(),
  }));
  const edges = nodes.slice(1).map((node) => ({ source: "n0", sourceHandle: "output", target: node.id, targetHandle: "p", ...odd() }));
  const document = new WorkflowDocument({ ...odd(), schema_version: 1, graph: { ...odd(), nodes, edges }, ...odd() });
  return WorkflowDocument.read(document.toText());
}

function randomEdit(random: () => number, document: WorkflowDocument, history: History): void {
  const ids = [...document.nodes.keys()];
  const edges = [...document.edges.keys()];
  const id = ids.length ? pick(random, ids) : "";
  switch (Math.floor(random() * 10)) {
    case 0:
      history.commit("add", operations.addNodes(document, [{ id: `m${Math.floor(random() * 1e9)}`, type: "c.D", data: {} }]));
      break;
    case 1:
      history.commit("remove", operations.removeNodes(document, ids.filter(() => random() < 0.3)));
      break;
    case 2:
      history.commit("set", operations.setValue(document, id, pick(random, ["v", "w"]), pick<Json | undefined>(random, [undefined, 1, "a", [2]])), "v");
      break;
    case 3:
      history.commit("move", operations.move(document, new Map([[id, { x: random() * 900, y: random() * 900 }]])));
      break;
    case 4:
    case 5:
      if (id) history.commit("connect", operations.connect(document, pick(random, ids), "output", id, pick(random, ["p", "q"])));
      break;
    case 6:
      if (edges.length) history.commit("disconnect", operations.disconnect(document, edges.filter(() => random() < 0.3)));
      break;
    case 7:
      history.commit("rename", operations.rename(document, id, `r${Math.floor(random() * 1e9)}`));
      break;
    case 8: {
      const copied = readCopied(writeCopied(copyNodes(document, ids.filter(() => random() < 0.4))));
      if (copied) history.commit("paste", paste(document, copied, { x: 5, y: 5 }, random() < 0.5).patches);
      break;
    }
    default:
      history.commit("field", operations.setField(document, pick(random, ["name", "other"]), pick<Json | undefined>(random, ["x", undefined, 3])));
      if (edges.length) history.commit("hide", operations.setEdgeUi(document, pick(random, edges), "hidden", pick<Json | undefined>(random, [true, undefined])));
  }
}

test("500 random documents: open and save is the same; undo all and redo all give the same bytes", () => {
  for (let seed = 0; seed < 500; seed++) {
    const random = randomOf(seed);
    const document = randomDocument(random);
    const begun = document.toText();
    expect(WorkflowDocument.read(begun).toText()).toBe(begun);
    let clock = 0;
    const history = new History(document, () => (clock += Math.floor(random() * 1000)));
    for (let edit = 0; edit < 12; edit++) randomEdit(random, document, history);
    const ended = document.toText();
    while (history.undo());
    expect(document.toText()).toBe(begun);
    while (history.redo());
    expect(document.toText()).toBe(ended);
    while (history.undo());
    expect(document.toText()).toBe(begun);
  }
});

test("indices follow the edits", () => {
  const document = WorkflowDocument.read(read("image_to_image.json"));
  expect(document.edgeInto("image_to_image", "prompt")?.source).toBe("prompt");
  const patches = operations.connect(document, "negative_prompt", "output", "image_to_image", "prompt");
  document.apply(patches);
  expect(document.edgeInto("image_to_image", "prompt")?.source).toBe("negative_prompt");
  expect(document.edgesFrom("prompt")).toEqual([]);
  document.apply(operations.inverse(patches));
  expect(document.edgeInto("image_to_image", "prompt")?.source).toBe("prompt");
  expect(document.ancestors(["result"]).size).toBe(document.nodes.size);
  expect([...document.descendants(["seed"])].sort()).toEqual(["image_to_image", "result", "seed"]);
});

test("what is typed within a moment is one entry", () => {
  const document = WorkflowDocument.read(read("enlarge.json"));
  let clock = 0;
  const history = new History(document, () => (clock += 100));
  const id = [...document.nodes.keys()][0]!;
  for (const text of ["a", "ab", "abc"]) history.commit("type", operations.setValue(document, id, "name", text), `${id}.name`);
  expect(history.length).toBe(1);
  history.seal();
  history.commit("type", operations.setValue(document, id, "name", "abcd"), `${id}.name`);
  expect(history.length).toBe(2);
});

test("pasted nodes keep their inner edges, and incoming ones where they are asked for", () => {
  const document = WorkflowDocument.read(read("image_to_image.json"));
  const copied = copyNodes(document, ["prompt", "image_to_image"]);
  const plain = paste(document, copied, { x: 0, y: 0 });
  expect(plain.ids).toEqual(["prompt_2", "image_to_image_2"]);
  expect(plain.patches.filter((patch) => patch.kind === "edge")).toHaveLength(1);
  const kept = paste(document, copied, { x: 0, y: 0 }, true);
  expect(kept.patches.filter((patch) => patch.kind === "edge").length).toBe(8);
  expect(readCopied("no JSON")).toBeNull();
  expect(readCopied('{"a": 1}')).toBeNull();
});
