/**
 * What the server answers and takes, below /v1. The Python side has the same names.
 *
 * All times are Unix times in seconds. Addresses (`url`) are relative to the server's root.
 */
import type { Json, JsonObject } from "../model/json.ts";

export interface Problem {
  code: string;
  /** `nodes[3].data.strength`, `edges[0].sourceHandle`, a path, or empty. */
  where: string;
  message: string;
  hint: string;
  level?: "error" | "warning" | "note";
  /** Made by the check where the place is known: what the page marks. */
  node?: string;
  property?: string;
  edge?: number;
  /** A near miss: the value that `where` should have. */
  fix?: { value: Json; text: string; of: "value" | "property" | "type" };
}

export interface ProblemsAnswer {
  problems: Problem[];
}

export interface Device {
  name: string;
  used_bytes: number;
  total_bytes: number;
}

/** GET /v1/status */
export interface Status {
  /** Version of these types; a page that expects another one asks to be loaded again. */
  api: number;
  version: string;
  /** Whether this session may read and write files, results by key, and models. */
  owner: boolean;
  /** Whether POST /v1/runs takes workflows of this session. */
  can_run: boolean;
  /** The workflow that the server was started for, or null. */
  open: string | null;
  /** Where the server is reached, without a slash at the end. */
  address: string;
  /** Whether programs have to send a token. */
  needs_token: boolean;
  /** Protocols that programs can speak; `guide` and `image_guide` say how a workflow of a text and of an image is called, NAME being its own. */
  dialects: { name: string; title: string; guide: string; image_guide: string }[];
  /** Ids of the Qolaba dialect, by the workflow or model that each stands for. */
  apps: Record<string, string>;
  devices: Device[];
  waiting: number;
  running: number;
  loaded_models: string[];
  limits: { upload_bytes: number; results_seconds: number };
}

/** POST /v1/session: answers 204 and sets the cookie. */
export type SessionRequest = { key: string } | { token: string };

export type Kind =
  | "image"
  | "text"
  | "number"
  | "switch"
  | "choice"
  | "model"
  | "color"
  | "file"
  | "list"
  | "any";

export interface TypeInfo {
  id: number;
  /** As pages spell it: `image`, `list[image]`, `int | none`, `hf.image_to_image`. */
  name: string;
  kind: Kind;
}

export type Widget =
  | "text"
  | "multiline"
  | "prompt"
  | "slider"
  | "color"
  | "path"
  | "folder"
  | "json"
  | "mask";

export interface Property {
  name: string;
  /** `id` of a type. */
  type: number;
  required: boolean;
  description: string;
  default?: Json;
  min?: number;
  max?: number;
  /** Bounds that the value itself may not have. */
  above?: number;
  below?: number;
  step?: number;
  max_length?: number;
  /** Whether -1 draws a new number for each run. */
  seed?: boolean;
  choices?: Json[];
  widget?: Widget;
}

export interface Output {
  name: string;
  type: number;
  description: string;
}

export interface NodeType {
  type: string;
  title: string;
  namespace: string;
  pack: string;
  description: string;
  tags: string[];
  /** What other programs call the node or what it does. */
  synonyms: string[];
  use_cases: string[];
  role: "step" | "input" | "output" | "sink" | "comment" | "workflow";
  lane: "inline" | "cpu" | "device" | "network";
  streams: boolean;
  /** Whether it takes properties under any name; they come with the check as `ports`. */
  dynamic: boolean;
  properties: Property[];
  outputs: Output[];
}

/** GET /v1/nodes, with ETag. */
export interface Catalogue {
  types: TypeInfo[];
  /** `accepts[output type][property type]` is 1 where an edge is allowed. */
  accepts: number[][];
  nodes: NodeType[];
  /** What a reference to a model can have besides its id. */
  models: Property[];
  /** Types that nodes had once, and what they are called now. */
  aliases: Record<string, string>;
}

/** POST /v1/check */
export interface CheckRequest {
  document: JsonObject;
  /** Name of the workflow: paths in the document are read from its folder. */
  name?: string | undefined;
  /** Ids of nodes that are wanted; all outputs and sinks unless given. */
  targets?: string[] | undefined;
}

export type CheckState = "known" | "missing" | "volatile" | "unneeded" | "broken";

export interface NodeCheck {
  /** Names the result that these values give; null where it can't be told before the run. */
  key: string | null;
  state: CheckState;
  /** Why it is missing, broken or volatile: `strength changed`, `needs a value for image`. */
  reason: string;
  /** All properties and outputs of a dynamic node. */
  ports?: { properties: Property[]; outputs: Output[] };
}

export interface CheckAnswer {
  problems: Problem[];
  notes: Problem[];
  nodes: Record<string, NodeCheck>;
  /** Of `total` nodes that a run looks at, so many would be computed. */
  will_run: number;
  total: number;
}

export interface ImageValue {
  type: "image";
  url: string;
  width: number;
  height: number;
  media_type?: string;
  asset_id?: string;
}

/** An image, a list of values, or any JSON value. */
export type ResultValue = ImageValue | Json | ResultValue[];

/** GET /v1/results/{key}; `url` of an image takes `?side=256` for a thumbnail. */
export interface ResultAnswer {
  outputs: Record<string, ResultValue>;
  /** How many items of lists are not among the outputs. */
  left_out: Record<string, number>;
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled" | "expired";

/** POST /v1/runs; answers 202 with a Job. */
export interface RunRequest {
  workflow: JsonObject;
  name?: string | undefined;
  label?: string | undefined;
  inputs?: JsonObject | undefined;
  targets?: string[] | undefined;
  previews?: boolean | undefined;
  use_cache?: boolean | undefined;
  priority?: number | undefined;
  wait: false;
}

export interface Job {
  id: string;
  workflow: string;
  label: string;
  state: JobState;
  priority: number;
  kept: boolean;
  prompts: string[];
  created: number;
  started: number | null;
  ended: number | null;
  cancel_requested: boolean;
  problems: Problem[];
  /** `seconds`, `computed`, `cached`, `seeds` {node: {property: number}}. */
  report: JsonObject;
  outputs: Record<string, ResultValue>;
}

export interface JobsAnswer {
  jobs: Job[];
  next: string | null;
}

/** PATCH /v1/jobs/{id} */
export interface JobChange {
  priority?: number;
  label?: string;
  kept?: boolean;
}

/** The part of JSON Schema that forms are made from. */
export interface FieldSchema {
  type?: string;
  title?: string;
  description?: string;
  default?: Json;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  enum?: Json[];
  items?: FieldSchema;
  format?: string;
  widget?: Widget;
  /** Whether -1 draws a new number for each run. */
  seed?: boolean;
  /** Where the image is that it has unless another is given. */
  "x-default-image"?: string;
}

export interface ObjectSchema {
  properties?: Record<string, FieldSchema>;
  required?: string[];
}

export interface WorkflowInfo {
  name: string;
  title: string;
  description: string;
  /** What the Hugging Face dialect can use it for. */
  task: "image-to-image" | "text-to-image" | null;
  inputs: ObjectSchema;
  outputs: ObjectSchema;
  /** How the form is arranged, where its document says so. */
  form?: { name: string; label?: string; group?: string; more?: boolean; widget?: string }[];
  modified: number;
  thumbnail: string | null;
}

/** GET /v1/workflows */
export interface WorkflowsAnswer {
  workflows: WorkflowInfo[];
  problems: Record<string, Problem[]>;
}

/**
 * GET /v1/workflows/{name}/document answers the file itself, as JSON, with its ETag.
 * GET /v1/workflows/{name}/files?path=assets/a.png&side=256 answers an image beside the file.
 * POST /v1/workflows/{name}/runs takes `inputs`, `previews` and `wait`.
 * GET /v1/jobs/{id}/document and GET …/versions/{id} answer the document alone.
 */
/** PUT /v1/workflows/{name}/document with If-Match or If-None-Match; 412 where the file is another. */
export interface SavedAnswer {
  etag: string;
  problems: Problem[];
}

/** GET /v1/workflows/{name}/versions, the newest first. */
export interface VersionsAnswer {
  versions: { id: string; saved: number; bytes: number }[];
}

/** GET /v1/workflows/{name}/draft; null where there is none. */
export interface DraftAnswer {
  document: JsonObject;
  /** ETag of the file that it was begun from; empty for a new one. */
  etag: string;
  saved: number;
}

/** POST /v1/uploads and what /v1/read keeps. */
export interface FileAnswer {
  type: "image" | "asset";
  asset_id: string;
  url: string;
  media_type: string;
  size: number;
  width?: number;
  height?: number;
}

/** POST /v1/read, with the file as the body and its name in `?name=`. */
export interface ImportedNode {
  node: string;
  fate: "same" | "other form" | "approximated" | "lost";
  nodes: string[];
  messages: string[];
}

export interface ReadAnswer {
  /** How much of another tool's file the workflow keeps. */
  grade?: "whole" | "with notes" | "with losses" | null;
  report?: ImportedNode[];
  kind: "workflow" | "comfyui" | "image" | "unknown";
  document?: JsonObject;
  notes?: Problem[];
  upload?: FileAnswer;
}

/** POST /v1/relocate: where the nodes of a workflow go into another folder. */
export interface RelocateRequest {
  nodes: JsonObject[];
  before: string;
  after: string;
}

/** What `place` names below the record of the node at `node` becomes `value`. */
export interface RelocateAnswer {
  changes: { node: number; place: (string | number)[]; value: string }[];
}

/** POST /v1/layout */
export interface LayoutRequest {
  nodes: { id: string; width: number; height: number }[];
  edges: { source: string; target: string }[];
}

export interface LayoutAnswer {
  positions: Record<string, { x: number; y: number }>;
}

export interface Model {
  id: string;
  tasks: string[];
  on_disk: boolean;
  loaded: boolean;
  /** Where its weights are loaded. */
  devices?: string[];
  /** When its weights were last read. */
  used?: number | null;
  size: number | null;
  family?: string;
  licence?: string;
  /** What lacks of it, a sentence each. */
  gaps?: string[];
  /** Whether it came with a pack: then it can't be removed. */
  ships?: boolean;
  /** Workflows of the folder that name it. */
  used_by?: string[];
}

/** GET /v1/local-models */
export interface ModelsAnswer {
  models: Model[];
}

/** GET /v1/models: those that clients may name. */
export interface ServedModels {
  models: { id: string; tasks: string[]; loaded: boolean }[];
}

/** GET /v1/places?path= */
export interface PlacesAnswer {
  path: string;
  parent: string | null;
  folders: string[];
  files: { name: string; size: number; modified: number }[];
  /** Entries beyond those that are listed. */
  left_out: number;
}
