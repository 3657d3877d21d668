/** The server's API as functions. Answers that are problems become `ApiError`. */
import { type Json, type JsonObject, isObject, parseJson, parseWire, writeJson } from "../model/json.ts";
import type * as wire from "./schema.ts";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problems: wire.Problem[],
  ) {
    super(problems[0]?.message ?? `HTTP ${status}`);
  }
}

/** No answer at all: the server is away. */
export class OfflineError extends Error {}

export interface Loaded {
  document: JsonObject;
  etag: string;
}

interface Call {
  method?: string;
  json?: Json;
  body?: Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

const path = (name: string): string => name.split("/").map(encodeURIComponent).join("/");

export class Api {
  constructor(
    private readonly request: typeof fetch = (input, init) => fetch(input, init),
    readonly base = "/v1",
  ) {}

  private async call(where: string, { method = "GET", json, body, headers = {}, signal }: Call = {}): Promise<Response> {
    const init: RequestInit = { method, headers, credentials: "same-origin" };
    if (signal) init.signal = signal;
    if (json !== undefined) {
      init.body = writeJson(json);
      init.headers = { ...headers, "Content-Type": "application/json" };
    } else if (body) init.body = body;
    let answer: Response;
    try {
      answer = await this.request(this.base + where, init);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new OfflineError(String(error));
    }
    if (answer.ok) return answer;
    throw new ApiError(answer.status, await problemsOf(answer));
  }

  /** Documents, whose numbers keep their text. */
  private async exact<T>(where: string, call?: Call): Promise<T> {
    return parseJson(await (await this.call(where, call)).text()) as T;
  }

  /** What may hold seeds: whole numbers beyond 2 ** 53. */
  private async read<T>(where: string, call?: Call): Promise<T> {
    return parseWire(await (await this.call(where, call)).text()) as T;
  }

  /** Where numbers need not keep their text: the browser's own reader is several times as fast. */
  private async fast<T>(where: string, call?: Call): Promise<T> {
    return (await (await this.call(where, call)).json()) as T;
  }

  async session(given: wire.SessionRequest): Promise<void> {
    await this.call("/session", { method: "POST", json: given as unknown as Json });
  }

  async leave(): Promise<void> {
    await this.call("/session", { method: "DELETE" });
  }

  status = (): Promise<wire.Status> => this.fast("/status");

  nodes = (): Promise<wire.Catalogue> => this.fast("/nodes");

  check = (given: wire.CheckRequest, signal?: AbortSignal): Promise<wire.CheckAnswer> =>
    this.fast("/check", { method: "POST", json: given as unknown as Json, signal });

  run = (given: wire.RunRequest): Promise<wire.Job> =>
    this.fast("/runs", { method: "POST", json: given as unknown as Json });

  /** Runs a workflow of the server by its inputs, as everybody may. */
  runNamed = (name: string, inputs: JsonObject, previews = true): Promise<wire.Job> =>
    this.fast(`/workflows/${path(name)}/runs`, { method: "POST", json: { inputs, wait: false, previews } });

  result = (key: string): Promise<wire.ResultAnswer> => this.read(`/results/${encodeURIComponent(key)}`);

  workflows = (): Promise<wire.WorkflowsAnswer> => this.read("/workflows");

  workflow = (name: string): Promise<wire.WorkflowInfo> => this.read(`/workflows/${path(name)}`);

  async document(name: string): Promise<Loaded> {
    const answer = await this.call(`/workflows/${path(name)}/document`);
    return { document: parseJson(await answer.text()) as JsonObject, etag: answer.headers.get("ETag") ?? "" };
  }

  /** An empty `etag` says that there must be no such file yet. */
  save = (name: string, document: JsonObject, etag: string): Promise<wire.SavedAnswer> =>
    this.fast(`/workflows/${path(name)}/document`, {
      method: "PUT",
      json: document,
      headers: etag ? { "If-Match": etag } : { "If-None-Match": "*" },
    });

  draft = (name: string): Promise<wire.DraftAnswer | null> => this.exact(`/workflows/${path(name)}/draft`);

  async keepDraft(name: string, document: JsonObject, etag: string): Promise<void> {
    await this.call(`/workflows/${path(name)}/draft`, { method: "PUT", json: { document, etag } });
  }

  async dropDraft(name: string): Promise<void> {
    await this.call(`/workflows/${path(name)}/draft`, { method: "DELETE" });
  }

  moveWorkflow = (name: string, to: string): Promise<{ etag: string }> =>
    this.fast(`/workflows/${path(name)}/move`, { method: "POST", json: { to } });

  relocate = (given: wire.RelocateRequest): Promise<wire.RelocateAnswer> =>
    this.fast("/relocate", { method: "POST", json: given as unknown as Json });

  async deleteWorkflow(name: string): Promise<void> {
    await this.call(`/workflows/${path(name)}`, { method: "DELETE" });
  }

  versions = (name: string): Promise<wire.VersionsAnswer> => this.fast(`/workflows/${path(name)}/versions`);

  version = (name: string, id: string): Promise<JsonObject> =>
    this.exact(`/workflows/${path(name)}/versions/${encodeURIComponent(id)}`);

  readFile = (file: Blob, name: string): Promise<wire.ReadAnswer> =>
    this.exact(`/read?name=${encodeURIComponent(name)}`, {
      method: "POST",
      body: file,
      headers: { "Content-Type": "application/octet-stream" },
    });

  upload = (file: Blob): Promise<wire.FileAnswer> =>
    this.fast("/uploads", {
      method: "POST",
      body: file,
      headers: { "Content-Type": file.type || "application/octet-stream" },
    });

  layout = (given: wire.LayoutRequest): Promise<wire.LayoutAnswer> =>
    this.fast("/layout", { method: "POST", json: given as unknown as Json });

  async jobs(query: Record<string, string> = {}): Promise<wire.JobsAnswer> {
    const answer = await this.read<wire.JobsAnswer>(`/jobs?${new URLSearchParams(query)}`);
    return { ...answer, jobs: answer.jobs.map(ownAddresses) };
  }

  job = async (id: string): Promise<wire.Job> => ownAddresses(await this.read(`/jobs/${encodeURIComponent(id)}`));

  jobDocument = (id: string): Promise<JsonObject> => this.exact(`/jobs/${encodeURIComponent(id)}/document`);

  changeJob = (id: string, change: wire.JobChange): Promise<wire.Job> =>
    this.fast(`/jobs/${encodeURIComponent(id)}`, { method: "PATCH", json: change as unknown as Json });

  async deleteJob(id: string): Promise<void> {
    await this.call(`/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  cancel = (id: string): Promise<wire.Job> =>
    this.fast(`/jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" });

  async cancelWaiting(): Promise<void> {
    await this.call("/jobs/cancel", { method: "POST" });
  }

  models = (): Promise<wire.ModelsAnswer> => this.fast("/local-models");

  servedModels = (): Promise<wire.ServedModels> => this.fast("/models");

  /** Returns the id that the model is fetched under: a page's address stands for it, too. */
  pull = async (id: string): Promise<string> => (await this.fast<{ id: string }>("/local-models/pull", { method: "POST", json: { id } })).id;

  async stopPull(id: string): Promise<void> {
    await this.call(`/local-models/pull/${path(id)}`, { method: "DELETE" });
  }

  deleteModel = (id: string): Promise<{ bytes: number }> => this.fast(`/local-models/${path(id)}`, { method: "DELETE" });

  free = (): Promise<{ freed_bytes: number }> => this.fast("/free", { method: "POST" });

  places = (at: string): Promise<wire.PlacesAnswer> => this.fast(`/places?path=${encodeURIComponent(at)}`);
}

/** Addresses in an answer are as other programs need them; the page asks the server it came from. */
function ownAddresses(job: wire.Job): wire.Job {
  const own = (value: wire.ResultValue): wire.ResultValue => {
    if (Array.isArray(value)) return value.map((one) => own(one as wire.ResultValue));
    if (!isObject(value) || typeof value.url !== "string" || typeof value.asset_id !== "string") return value;
    return { ...value, url: `/v1/files/${value.asset_id}` };
  };
  return { ...job, outputs: Object.fromEntries(Object.entries(job.outputs).map(([name, value]) => [name, own(value)])) };
}

async function problemsOf(answer: Response): Promise<wire.Problem[]> {
  try {
    const content = (await answer.json()) as Partial<wire.ProblemsAnswer>;
    if (Array.isArray(content.problems)) return content.problems;
  } catch {
    // An answer of something on the way is no JSON.
  }
  return [{ code: "http", where: "", message: `${answer.status} ${answer.statusText}`.trim(), hint: "" }];
}

/** An image of the server as a thumbnail, or at its own size; one that is gone is no failed request. */
export function thumbnail(url: string, side?: number): string {
  if (!url.startsWith("/v1/")) return url;
  return `${url}${url.includes("?") ? "&" : "?"}${side === undefined ? "" : `side=${side}&`}quiet=true`;
}
