/** The page without a page: the store, the check and runs against a server that is put in its place. */
import { beforeEach, expect, test, vi } from "vitest";
import { checkNow, checkSoon } from "../src/app/checking.ts";
import { addNode, connect, duplicate, renameNode, select, setValue, undo } from "../src/app/editing.ts";
import { nodeResult, resultOf } from "../src/app/results.ts";
import { run, take } from "../src/app/running.ts";
import { madeOf } from "../src/app/timings.ts";
import { check, connected, freshKeys, nodeState, opened, runs, savedTop, selection, server, show, shownRun, status, toasts, types, unsaved } from "../src/app/store.ts";
import { measure } from "../src/canvas/geometry.ts";
import { WorkflowDocument } from "../src/model/document.ts";
import { writeJson } from "../src/model/json.ts";
import { Types } from "../src/model/types.ts";
import { Api } from "../src/net/api.ts";
import type { CheckAnswer, Job } from "../src/net/schema.ts";
import { catalogue } from "./catalogue.ts";

const FILE = `{"graph": {"nodes": [
  {"id": "photo", "type": "nodetool.input.ImageInput", "data": {"name": "photo"}},
  {"id": "blur", "type": "lib.pillow.filter.Blur", "data": {"radius": 2.0}},
  {"id": "out", "type": "nodetool.output.Output", "data": {"name": "result"}}
], "edges": [
  {"source": "photo", "sourceHandle": "output", "target": "blur", "targetHandle": "image"},
  {"source": "blur", "sourceHandle": "output", "target": "out", "targetHandle": "value"}
]}}`;

/** Keys are the values themselves; what was run is known. */
class Fake {
  readonly known = new Set<string>();
  readonly asked: string[] = [];
  offline = false;
  /** Milliseconds until it answers. */
  delay = 0;

  readonly fetch = (async (input: string, init?: RequestInit) => {
    if (this.offline) throw new TypeError("away");
    const url = String(input);
    if (this.delay) await new Promise((done) => setTimeout(done, this.delay));
    this.asked.push(`${init?.method ?? "GET"} ${url}`);
    const body = typeof init?.body === "string" ? (JSON.parse(init.body) as { document?: never; workflow?: never }) : {};
    const answer = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status });
    if (url.endsWith("/check")) return answer(this.check(body.document!));
    if (url.endsWith("/runs")) return answer({ ...JOB, id: `j${this.asked.length}` }, 202);
    if (url.includes("/results/")) {
      const image = { type: "image", url: `/v1/results/${url.split("/").at(-1)}/output`, width: 6, height: 4 };
      return answer({ outputs: { output: image }, left_out: {} });
    }
    if (url.includes("/jobs")) return answer({ jobs: [], next: null });
    return answer({ problems: [{ code: "x", where: "", message: "no", hint: "" }] }, 404);
  }) as unknown as typeof fetch;

  private check(content: never): CheckAnswer {
    const document = WorkflowDocument.read(writeJson(content));
    const nodes: CheckAnswer["nodes"] = {};
    for (const id of document.nodes.keys()) {
      const key = [...document.ancestors([id])].sort().map((one) => writeJson(document.nodes.get(one)!.data)).join();
      nodes[id] = { key, state: this.known.has(key) ? "known" : "missing", reason: "radius changed" };
    }
    const missing = Object.values(nodes).filter((node) => node.state === "missing");
    return { problems: [], notes: [], nodes, will_run: missing.length, total: document.nodes.size };
  }
}

const JOB: Job = { id: "j", workflow: "", label: "", state: "queued", priority: 0, kept: false, prompts: [], created: 0, started: null, ended: null, cancel_requested: false, problems: [], report: {}, outputs: {} };

let fake: Fake;

beforeEach(() => {
  fake = new Fake();
  server.api = new Api(fake.fetch);
  types.value = new Types(catalogue);
  status.value = { owner: true } as never;
  runs.value = [];
  shownRun.value = null;
  toasts.value = [];
  show(WorkflowDocument.read(FILE), { name: "", etag: "", readOnly: false, label: "" });
});

const marks = () => Object.fromEntries([...opened.value.document.nodes.keys()].map((id) => [id, nodeState(id).mark]));

function finish(ids: string[]): void {
  const job = shownRun.value!.id;
  let n = 0;
  const send = (event: object) => take({ job, n: ++n, at: n, ...event } as never);
  send({ event: "job_started" });
  send({ event: "node_needed", ids });
  for (const id of ids) {
    const { key } = check.value!.nodes[id]!;
    fake.known.add(key!);
    send({ event: "node_finished", node_id: id, key, seconds: 1 });
  }
  send({ event: "job_ended", state: "done" });
}

test("before a run the page says what it would do, after it what is known", async () => {
  await checkNow();
  expect([check.value?.will_run, check.value?.total]).toEqual([3, 3]);
  await run();
  finish(["photo", "blur", "out"]);
  expect(marks()).toEqual({ photo: "known", blur: "known", out: "known" });
  await checkNow();
  expect(check.value?.will_run).toBe(0);
});

test("a value changes the marks of what follows alone, and undo brings the result back without a run", async () => {
  await checkNow();
  await run();
  finish(["photo", "blur", "out"]);
  await checkNow();
  const { key } = check.value!.nodes.blur!;
  nodeResult("blur");
  await expect.poll(() => resultOf(key!).value?.outputs).toBeTruthy();
  expect(madeOf("blur")?.seconds).toBe(1);

  setValue("blur", "radius", 5);
  await checkNow();
  expect(marks()).toEqual({ photo: "known", blur: "will-run", out: "will-run" });
  expect(nodeState("blur").reason).toBe("Radius changed.");
  expect(nodeResult("blur")).toBeNull();

  const before = fake.asked.filter((one) => one.includes("/runs")).length;
  undo();
  await checkNow();
  expect(marks()).toEqual({ photo: "known", blur: "known", out: "known" });
  expect(nodeResult("blur")).not.toBeNull();
  expect(madeOf("blur")?.seconds).toBe(1);
  expect(fake.asked.filter((one) => one.includes("/runs"))).toHaveLength(before);
});

test("while a run is under way its nodes wait, work, and show their steps", async () => {
  await checkNow();
  await run();
  const job = shownRun.value!.id;
  take({ event: "node_needed", ids: ["blur", "out"], job, n: 1, at: 1 });
  take({ event: "node_progress", node_id: "blur", step: 2, total: 5, job, n: 2, at: 2 });
  expect(marks()).toMatchObject({ blur: "running", out: "queued" });
  expect(nodeState("blur").step).toBe(2);
  take({ event: "job_ended", state: "cancelled", job, n: 3, at: 3 });
  expect(marks()).toMatchObject({ blur: "will-run", out: "will-run" });
});

test("after a slow check the next one waits, but a change after a pause is checked at once", async () => {
  vi.useFakeTimers();
  try {
    const checks = () => fake.asked.filter((one) => one.endsWith("/check")).length;
    fake.delay = 400;
    void checkNow();
    await vi.advanceTimersByTimeAsync(401);
    checkSoon();
    await vi.advanceTimersByTimeAsync(700);
    expect(checks()).toBe(1);
    await vi.advanceTimersByTimeAsync(600);
    expect(checks()).toBe(2);
    await vi.advanceTimersByTimeAsync(2000);
    checkSoon();
    await vi.advanceTimersByTimeAsync(490);
    expect(checks()).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});

test("a server that is away is said, and edits go on", async () => {
  fake.offline = true;
  await checkNow();
  expect(connected.value).toBe(false);
  setValue("blur", "radius", 9);
  expect(opened.value.document.toText()).toContain('"radius": 9');
  fake.offline = false;
  await checkNow();
  expect(connected.value).toBe(true);
});

test("nodes are added where a wire was dropped, connected, duplicated, renamed", () => {
  const type = types.value.node("huggingface.image_to_image.ImageToImage")!;
  const id = addNode(type, { x: 10, y: 10 }, { node: "photo", port: "output", side: "out" });
  const { document } = opened.value;
  expect(document.edgeInto(id, "image")?.source).toBe("photo");
  expect(connect(id, "output", "blur", "image")).toBe(true);
  expect(connect("blur", "output", id, "image")).toBe(false);
  select([id]);
  const [copy] = duplicate();
  expect(document.edgeInto(copy!, "image")?.source).toBe("photo");
  expect(renameNode(id, "look")).toBe(true);
  expect(document.edgeInto("blur", "image")?.source).toBe("look");
  expect([...selection.value]).toEqual(["look"]);
});

test("a document that is only looked at is not changed", () => {
  show(WorkflowDocument.read(FILE), { name: "", etag: "", readOnly: true, label: "version" });
  const before = opened.value.document.toText();
  setValue("blur", "radius", 1);
  expect(opened.value.document.toText()).toBe(before);
  expect(toasts.value).toHaveLength(1);
});

test("a node is as high as its rows", () => {
  freshKeys.clear();
  const box = measure("blur");
  expect(box.rows.map((row) => row.property.name)).toEqual(["image", "radius"]);
  expect(box.height).toBeGreaterThan(80);
  const collapsed = measure("photo");
  expect(collapsed.rows.map((row) => row.property.name)).toEqual(["value"]);
});

test("what is saved is told by the edit, not by how many there were", () => {
  const { history } = opened.value;
  setValue("blur", "radius", 1);
  history.seal();
  savedTop.value = history.top;
  expect(unsaved.value).toBe(false);
  undo();
  expect(unsaved.value).toBe(true);
  setValue("blur", "radius", 3);
  expect(unsaved.value).toBe(true);
  undo();
  setValue("blur", "radius", 1);
  expect(unsaved.value).toBe(true);
});
