// @vitest-environment happy-dom
/** Files that are read, saved, and changed by others, against a server that is put in its place. */
import { beforeEach, expect, test } from "vitest";
import { setValue } from "../src/app/editing.ts";
import { loadWorkflows, openWorkflow, save } from "../src/app/files.ts";
import { file, opened, server, show, status, unsaved } from "../src/app/store.ts";
import { WorkflowDocument, part } from "../src/model/document.ts";
import { Api } from "../src/net/api.ts";

const FILE = `{"graph": {"nodes": [{"id": "blur", "type": "lib.pillow.filter.Blur", "data": {"radius": 1}}], "edges": []}}`;

/** A folder with one file, which answers when it is told to. */
class Folder {
  text = FILE;
  version = 0;
  /** Those that wait for an answer with what the file holds now. */
  held: (() => void)[] = [];
  isHeld = false;

  readonly fetch = (async (input: string, init?: RequestInit) => {
    const url = String(input);
    const headers = { ETag: `"${this.version}"` };
    if (url.endsWith("/document") && init?.method === "PUT") {
      this.text = String(init.body);
      return new Response(JSON.stringify({ etag: `"${++this.version}"`, problems: [] }));
    }
    if (url.endsWith("/document")) {
      const answer = new Response(this.text, { headers });
      if (this.isHeld) await new Promise<void>((done) => this.held.push(done));
      return answer;
    }
    return new Response(JSON.stringify(url.endsWith("/workflows") ? { workflows: [], problems: {} } : null));
  }) as unknown as typeof fetch;
}

let folder: Folder;
const radius = () => part(opened.value.document.nodes.get("blur"), "data").radius;

beforeEach(async () => {
  folder = new Folder();
  server.api = new Api(folder.fetch);
  status.value = { owner: true } as never;
  show(WorkflowDocument.empty(), { name: "", etag: "", readOnly: false, label: "" });
  await openWorkflow("a");
});

test("what was saved meanwhile is not taken for a change by others", async () => {
  setValue("blur", "radius", 2);
  await save();
  folder.isHeld = true;
  const looking = loadWorkflows(["a"]);
  while (!folder.held.length) await Promise.resolve();
  folder.isHeld = false;
  setValue("blur", "radius", 3);
  await save();
  folder.held.forEach((answer) => answer());
  await looking;
  expect([String(radius()), unsaved.value, opened.value.history.length, file.value.etag]).toEqual(["3", false, 2, '"2"']);
});
