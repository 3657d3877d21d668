/** What the page says from the start; `parts/text.ts` has what parts say that come later. */

export const t = {
  app: "nodetool",
  untitled: "Untitled",
  loading: "Loading…",

  // Views
  graph: "Graph",
  form: "Form",
  workflows: "Workflows",
  outline: "Outline",
  inspector: "Inspector",
  queue: "Queue",
  gallery: "Gallery",
  models: "Models",
  more: "More",
  canvas: "Canvas",
  canvasHelp: "Graph of the workflow. Arrows go from node to node, Tab adds one, C connects, the Outline has it all as a list.",
  regions: "Views",
  leftSide: "Workflows, outline, nodes",

  // Bar
  saved: "Saved",
  ago: (seconds: number) => (seconds < 5 ? "just now" : seconds < 60 ? `${Math.floor(seconds)} s ago` : seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`),
  unsaved: "Unsaved changes",
  saving: "Saving…",
  readOnly: "Read only",
  offline: (changes: number) => (changes ? `Not connected. ${count(changes, "change is", "changes are")} kept here.` : "Not connected."),
  run: "Run",
  runOf: (some: number, all: number) => (some === 0 ? "Nothing to run" : `Run ${some} of ${all}`),
  runNothing: "All results are known",
  running: "Running",
  cancelRun: "Cancel the run",
  cancelMenu: "Runs to cancel",
  cancelOne: (name: string, isRunning: boolean) => `Cancel ${name}${isRunning ? "" : ", which waits"}`,
  runMenu: "More ways to run",
  runSelection: "Run to the selection",
  runAnew: "Run everything anew",
  runSeeds: "Run 4 times with new seeds",
  search: "Search",
  searchActions: "Search actions, nodes of this workflow, workflows",

  // Node states
  marks: {
    known: "known",
    "will-run": "will run",
    running: "running",
    queued: "queued",
    mistake: "mistake",
    failed: "failed",
    unneeded: "not needed",
    volatile: "never known",
    unchecked: "not checked",
  },
  moreFields: (number: number) => `${number} more`,
  fewerFields: "Fewer",
  connectedTo: (from: string) => `from ${from}`,
  unknownValue: "This node has no such property; the value is kept",
  eachTime: "new each time",
  pin: "Pin",
  pinned: (number: number) => `${count(number, "seed is", "seeds are")} kept as the last run drew them.`,
  nothingToPin: "The last run drew no seed for this.",
  addProperty: "Add a property",
  useThisSeed: "Keep this seed",
  usedSeed: (seed: string) => `used ${seed}`,
  againSeed: "Again",
  runAgain: "Run again with a new seed",
  newSeed: "Draw a new seed for each run",
  bypassed: "bypassed",
  takeFix: "Take what is suggested",
  fixed: (text: string) => `Changed to ${text}.`,
  noValue: "none",
  whyChanged: (names: string) => `${names} changed.`,
  whyRewired: (names: string) => `${names} is connected otherwise.`,
  whyAbove: (names: string) => `${names} will run.`,
  whyType: (before: string) => `It was ${before || "another node"} before.`,

  // Fields
  chooseFile: "Choose one beside the workflow",
  notThere: (name: string) => `${name || "The image"} is not there.`,
  chooseImage: "Choose an image",
  dropImage: "Drop, paste, or choose an image",
  camera: "Camera",
  removeImage: "Remove the image",
  paintMask: "Paint a mask",
  uploading: "Uploading…",
  defaultModel: "The node's own default",
  modelHere: "on disk",
  modelAway: "not here",
  moreOfModel: "More of this model",
  on: "on",
  off: "off",
  increase: "More",
  decrease: "Less",

  // Palette
  addNode: "Add a node",

  // Inspector
  result: "Result",
  noResult: "No result yet",
  seconds: (value: number) => (value < 0.05 ? "<\u00a00.1\u00a0s" : value < 10 ? `${value.toFixed(1)}\u00a0s` : `${Math.round(value)}\u00a0s`),

  // Outline
  connect: "Connect",
  disconnect: "Disconnect",

  // Files
  newWorkflow: "New workflow",
  open: "Open",
  save: "Save",
  openFile: "Open…",
  saveAs: "Save as…",
  rename: "Rename",
  duplicate: "Duplicate",
  remove: "Delete",
  versions: "Versions",
  draftFound: "There are unsaved changes from before.",
  takeDraft: "Take them",
  reload: "Reload",
  otherTab: "This workflow is open in another tab.",
  editHere: "Edit here",
  tabs: "Open workflows",
  closeTab: "Close",
  nextTab: "Next open workflow",
  previousTab: "Previous open workflow",
  tabClosed: (name: string) => `${name} was closed with unsaved changes.`,
  reopen: "Open again",
  openInner: "Open the workflow of this node",
  noInner: "This node stands for no workflow file of this folder.",
  editInside: "Edit the workflow inside",
  savedInside: "The node has it. Save the workflow around it to keep it in a file.",
  insideGone: "The workflow around it is closed, or its node is gone. Save it as a file.",
  movedToTrash: (name: string) => `${name} was deleted.`,
  exists: "There is a workflow of this name already.",

  readAgain: "The file was changed, and is read again.",
  // Start
  leave: "Sign out",

  importReport: "What became of the imported file",
  // Drop
  dropUse: "Use as an image",
  dropOpen: "Open its workflow",
  noWorkflowIn: (name: string) => `There is no workflow in ${name}.`,
  dropUnknown: (name: string) => `${name} is neither an image nor a workflow.`,

  // Queue, gallery
  cancelAll: "Cancel all waiting",

  // Viewer
  fit: "Fit",
  oneToOne: "1:1",

  // Mask
  undo: "Undo",
  redo: "Redo",

  // Models
  pull: "Fetch",
  fetched: (id: string) => `${id} is on this machine now.`,

  // Session
  askToken: "This server asks for a token, or for the address that nodetool edit printed. With a token you see its workflows, run them as forms, and find your results again. Programs send it as Authorization: Bearer.",
  expiredLink: "This link was used already. Start nodetool again for another one, or enter a token.",
  updated: "The editor was updated.",
  failedToLoad: "The editor could not be loaded.",
  tryAgain: "Try again",

  // Form
  copied: (number: number) => `${count(number, "node", "nodes")} copied.`,
  keysTitle: "Keys",
  zoom: "Zoom",
  minimap: "Map of the workflow",
  emptyCanvas: "An empty workflow",
  emptyCanvasHint: "Add the first node with + or the Tab key, or drop an image or a workflow here.",
  selected: (name: string, state: string) => `${name}, ${state}`,
  selectedMany: (number: number) => `${count(number, "node", "nodes")} selected`,
  runStarted: "The run has begun.",
  runDone: "The run is done.",
  runFailed: "The run failed.",
  runCancelled: "The run was cancelled.",
  cantRun: (number: number) => `${count(number, "mistake keeps", "mistakes keep")} it from running.`,
  theme: "Light or dark",
  overlapping: "Some nodes lie over each other.",
  tidy: "Tidy up",
  dismiss: "Dismiss",
  note: "Note",
  frame: "Frame",
  move: "Move",
  reroute: "Lead a wire",
  inSlot: (name: string, slot: number) => `${name} is in slot ${slot}. Press ${slot} in the viewer to compare.`,
  runRows: "Run for each row or image…",
  writeNote: "Write a note",
  size: "Size",
};

export function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `12:41`, or the day where it was another one. */
export function timeText(seconds: number, now = Date.now()): string {
  const then = new Date(seconds * 1000);
  const today = new Date(now).toDateString() === then.toDateString();
  return then.toLocaleString(
    undefined,
    today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  );
}
