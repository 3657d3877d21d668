import { expect, test } from "vitest";
import { partAt, through } from "../src/canvas/curves.ts";
import { WorkflowDocument } from "../src/model/document.ts";
import { addFrame, colorOf, leaveFrames, readFrames, removeFrame, renameInFrames, setFrame, setFrames } from "../src/model/frames.ts";
import { History } from "../src/model/history.ts";
import { noteText } from "../src/model/notes.ts";
import { movePoints, pointsOf, setPoints } from "../src/model/points.ts";
import { randomOf } from "./random.ts";

const FILE = `{"graph": {"nodes": [
  {"id": "a", "type": "x.A", "data": {}}, {"id": "b", "type": "x.A", "data": {}}, {"id": "c", "type": "x.A", "data": {}}
], "edges": [{"source": "a", "sourceHandle": "output", "target": "b", "targetHandle": "image", "ui_properties": {"className": "image"}}]},
"editor": {"viewport": {"x": 1.0}, "frames": [{"id": "f", "title": "Look", "color": "#3B7DE0", "nodes": ["a", "b", "gone"], "mine": 1.50}]}}`;

const open = () => WorkflowDocument.read(FILE);
const members = (document: WorkflowDocument) => Object.fromEntries(readFrames(document).map((frame) => [frame.id, frame.nodes.join("")]));

test("a frame shows the nodes that are there, and keeps what is not known of it", () => {
  const document = open();
  expect(readFrames(document)).toEqual([{ id: "f", title: "Look", color: "#3B7DE0", nodes: ["a", "b"] }]);
  document.apply(setFrame(document, "f", "title", "Soft"));
  expect(document.toText()).toContain('{"id": "f", "title": "Soft", "color": "#3B7DE0", "nodes": ["a", "b", "gone"], "mine": 1.50}');
  expect(document.toText()).toContain('"viewport": {"x": 1.0}');
});

test("a node is in one frame at a time, and an empty frame goes", () => {
  const document = open();
  const { patches, id } = addFrame(document, ["b", "c"], "New");
  document.apply(patches);
  expect(members(document)).toEqual({ f: "a", [id]: "bc" });
  document.apply(setFrames(document, new Map([["a", id], ["b", null]])));
  expect(members(document)).toEqual({ [id]: "ca" });
  document.apply(renameInFrames(document, "c", "z"));
  expect(readFrames(document)[0]?.nodes).toEqual(["a"]);
  document.apply(leaveFrames(document, new Set(["a", "z"])));
  expect(readFrames(document)).toEqual([]);
});

test("removing a frame keeps its nodes", () => {
  const document = open();
  document.apply(removeFrame(document, "f"));
  expect(readFrames(document)).toEqual([]);
  expect(document.nodes.size).toBe(3);
});

test("frames and points come back by undo, to the byte", () => {
  const random = randomOf(11);
  const document = open();
  const history = new History(document, () => 0);
  const begin = document.toText();
  const edge = [...document.edges.keys()][0]!;
  const pick = () => ["a", "b", "c"][Math.floor(random() * 3)]!;
  for (let step = 0; step < 300; step++) {
    const kind = Math.floor(random() * 5);
    if (kind === 0) history.commit("", addFrame(document, [pick()], "F").patches);
    else if (kind === 1) history.commit("", setFrames(document, new Map([[pick(), readFrames(document)[0]?.id ?? null]])));
    else if (kind === 2) history.commit("", setPoints(document, edge, [...pointsOf(document, edge), { x: random() * 99, y: 3 }].slice(-3)));
    else if (kind === 3) history.commit("", movePoints(document, new Set(["a", "b"]), 8, -8));
    else history.commit("", leaveFrames(document, new Set([pick()])));
  }
  const end = document.toText();
  while (history.undo());
  expect(document.toText()).toBe(begin);
  while (history.redo());
  expect(document.toText()).toBe(end);
});

test("points move with both ends of their wire, not with one", () => {
  const document = open();
  const edge = [...document.edges.keys()][0]!;
  document.apply(setPoints(document, edge, [{ x: 10, y: 20 }]));
  document.apply(movePoints(document, new Set(["a"]), 5, 5));
  expect(pointsOf(document, edge)).toEqual([{ x: 10, y: 20 }]);
  document.apply(movePoints(document, new Set(["a", "b"]), 5, 5));
  expect(pointsOf(document, edge)).toEqual([{ x: 15, y: 25 }]);
  document.apply(setPoints(document, edge, []));
  expect(document.toText()).toContain('"ui_properties": {"className": "image"}');
});

test("a led wire is hit in the part that a point lies on", () => {
  const curve = through([{ x: 0, y: 0 }, { x: 300, y: 200 }, { x: 600, y: 0 }]);
  expect(partAt(curve, 0, 0, 4)).toBe(0);
  expect(partAt(curve, 600, 0, 4)).toBe(1);
  expect(partAt(curve, 300, 0, 4)).toBe(-1);
});

test.each([
  ["#3b7de0", "#3b7de0"],
  ["#abc", "#abc"],
  ["red; background: url(x)", undefined],
  [3, undefined],
])("%s as a colour", (given, wanted) => {
  expect(colorOf(given)).toBe(wanted);
});

test("a note is text, also of an editor that wrote a tree", () => {
  expect(noteText("plain")).toBe("plain");
  const tree = { root: { children: [{ children: [{ text: "One " }, { text: "line" }] }, { children: [{ text: "Two" }] }] } };
  expect(noteText(tree)).toBe("One line\nTwo");
  expect(noteText(null)).toBe("");
});
