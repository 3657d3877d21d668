/** Every word that the page says. */

export const t = {
  app: "nodetool",
  untitled: "Untitled",
  loading: "Loading…",

  // Views
  graph: "Graph",
  form: "Form",
  workflows: "Workflows",
  outline: "Outline",
  nodes: "Nodes",
  inspector: "Inspector",
  queue: "Queue",
  history: "History",
  gallery: "Gallery",
  models: "Models",
  more: "More",
  canvas: "Canvas",
  canvasHelp: "Graph of the workflow. Arrows go from node to node, Tab adds one, C connects, the Outline has it all as a list.",
  regions: "Views",
  leftSide: "Workflows, outline, nodes",

  // Bar
  saved: "Saved",
  unsaved: "Unsaved changes",
  saving: "Saving…",
  readOnly: "Read only",
  offline: (changes: number) => (changes ? `Not connected. ${count(changes, "change is", "changes are")} kept here.` : "Not connected."),
  run: "Run",
  runOf: (some: number, all: number) => (some === 0 ? "Nothing to run" : `Run ${some} of ${all}`),
  runNothing: "All results are known",
  running: "Running",
  cancel: "Cancel",
  cancelRun: "Cancel the run",
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
  steps: (step: number, total: number) => `${step} of ${total}`,
  moreFields: (number: number) => `${number} more`,
  fewerFields: "Fewer",
  connectedTo: (from: string) => `from ${from}`,
  unknownType: "There is no such node here",
  unknownValue: "This node has no such property; the value is kept",
  usedSeed: (seed: string) => `used ${seed}`,
  eachTime: "new each time",
  pin: "Pin",
  pinned: (number: number) => `${count(number, "seed is", "seeds are")} kept as the last run drew them.`,
  nothingToPin: "The last run drew no seed for this.",
  newProperty: "a new property",
  addProperty: "Add a property",
  nameOfProperty: "Name of the property",
  draw: "Draw",
  useThisSeed: "Keep this seed",
  newSeed: "Draw a new seed for each run",
  bypassed: "bypassed",
  noValue: "none",

  // Fields
  reset: "Reset to the default",
  chooseImage: "Choose an image",
  dropImage: "Drop, paste, or choose an image",
  camera: "Camera",
  removeImage: "Remove the image",
  paintMask: "Paint a mask",
  uploading: "Uploading…",
  defaultModel: "The node's own default",
  modelHere: "on disk",
  modelAway: "not here",
  addItem: "Add",
  removeItem: "Remove",
  badJson: "No JSON",
  required: "required",
  on: "on",
  off: "off",
  increase: "More",
  decrease: "Less",

  // Palette
  addNode: "Add a node",
  addNodeHint: "Name, #tag, :takes, >gives, @pack",
  takes: (type: string) => `takes ${type}`,
  gives: (type: string) => `gives ${type}`,
  noNodeFits: "No node fits. Try fewer words.",
  keysOfPalette: "↑↓ choose · Enter add · Shift+Enter add and stay · Ctrl+Enter add and connect",
  dropFilter: "All nodes",
  nothingFits: "Nothing fits.",

  // Inspector
  values: "Values",
  result: "Result",
  why: "Why",
  help: "Help",
  nothingChosen: "Nothing is selected",
  nothingChosenHint: "Select a node to see its values, its result, and why it will run.",
  several: (number: number) => `${number} nodes`,
  title: "Title",
  id: "Id",
  noResult: "No result yet",
  noResultHint: "It appears here once the node has run with these values.",
  seconds: (value: number) => (value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`),
  made: (when: string) => `made ${when}`,
  useCases: "Use cases",
  properties: "Properties",
  outputs: "Outputs",
  upstream: "What it is made of",
  makeInput: "Make this an input of the workflow",
  problems: "Mistakes",
  applyFix: (text: string) => `Change to ${text}`,
  workflowAbout: "About this workflow",
  name: "Name",
  description: "Description",

  // Outline
  connect: "Connect",
  connectTitle: (port: string) => `Connect ${port}`,
  disconnect: "Disconnect",
  goesTo: (to: string) => `to ${to}`,
  emptyOutline: "This workflow has no nodes yet.",
  outlineHelp: "Arrows move, Enter edits, C connects, D disconnects, A adds, Delete removes, F2 renames.",
  filter: "Filter",
  allConnected: "Nothing in this workflow fits here.",

  // Files
  newWorkflow: "New workflow",
  open: "Open",
  save: "Save",
  saveAs: "Save as…",
  nameOfFile: "Name of the file",
  rename: "Rename",
  duplicate: "Duplicate",
  remove: "Delete",
  versions: "Versions",
  noWorkflows: "No workflows in this folder yet",
  noWorkflowsHint: "Start with an empty one, or drop a workflow or an image here.",
  draftFound: "There are unsaved changes from before.",
  takeDraft: "Take them",
  dropDraft: "Discard",
  fileChanged: "The file was changed by somebody else.",
  reload: "Reload",
  keepMine: "Keep mine",
  otherTab: "This workflow is open in another tab.",
  editHere: "Edit here",
  movedToTrash: (name: string) => `${name} was deleted.`,
  exists: "There is a workflow of this name already.",

  // Drop
  dropUse: "Use as an image",
  dropOpen: "Open its workflow",
  dropOpenFile: "Open",
  dropUnknown: (name: string) => `${name} is neither an image nor a workflow.`,
  noWorkflowInside: "This image carries no workflow.",

  // Queue, gallery
  waitingJobs: (number: number) => `${number} waiting`,
  nothingQueued: "Nothing is running",
  cancelAll: "Cancel all waiting",
  sooner: "Sooner",
  later: "Later",
  states: { queued: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled", expired: "expired" },
  noHistory: "No results yet",
  noHistoryHint: "What you run appears here, the newest first.",
  keep: "Keep",
  kept: "Kept",
  onlyKept: "Kept only",
  useAsInput: "Use as input",
  openWorkflow: "Open its workflow",
  compare: "Compare",
  filterGallery: "Workflow, seed",
  loadMore: "Show more",
  computedOf: (computed: number, cached: number) => `${computed} of ${computed + cached} computed`,

  // Viewer
  close: "Close",
  fit: "Fit",
  oneToOne: "1:1",
  difference: "Difference",
  wipe: "Wipe",
  before: "Before",
  after: "After",
  saveImage: "Save the image",
  next: "Next",
  previous: "Previous",
  chooseOther: "Compare with",

  // Mask
  mask: "Mask",
  brush: "Brush",
  softness: "Softness",
  paint: "Paint",
  erase: "Erase",
  box: "Box",
  fill: "Fill",
  invert: "Invert",
  clear: "Clear",
  done: "Done",
  strokes: (number: number) => count(number, "stroke", "strokes"),
  undo: "Undo",
  redo: "Redo",

  // Models
  pull: "Fetch",
  pullHint: "Id on the Hub, such as owner/name",
  freeMemory: "Free the memory",
  freed: (bytes: string) => `${bytes} freed.`,
  noModels: "No models on this machine yet",
  loaded: "loaded",

  // Session
  askToken: "This server asks for a token.",
  token: "Token",
  enter: "Enter",
  wrongToken: "This token is not accepted.",
  expiredLink: "This link was used already. Start nodetool edit again, or enter a token.",
  updated: "The editor was updated.",
  failedToLoad: "The editor could not be loaded.",
  tryAgain: "Try again",

  // Form
  runAbout: (time: string) => `about ${time}`,
  again: "Again with a new seed",
  earlier: "Earlier",
  formEmpty: "The result appears here",
  formEmptyHint: "Fill in the form and press Run.",
  noInputs: "This workflow has no inputs. Run it as it is.",
  copied: (number: number) => `${count(number, "node", "nodes")} copied.`,
  keysTitle: "Keys",
  zoom: "Zoom",
  minimap: "Map of the workflow",
  emptyCanvas: "An empty workflow",
  emptyCanvasHint: "Press Tab to add the first node, or drop an image or a workflow here.",
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
