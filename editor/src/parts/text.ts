/** What parts of the page say that are fetched when they are first needed. */
import { count, t as first } from "../text.ts";

export const t = {
  ...first,

  // Of several
  nodes: "Nodes",
  addItem: "Add",
  removeItem: "Remove",
  badJson: "No JSON",
  makeInput: "Make this an input of the workflow",
  imageCopied: "The image is copied.",
  cantCopyImage: "This browser does not let pages copy images.",
  close: "Close",
  mask: "Mask",
  token: "Token",
  enter: "Enter",
  wrongToken: "This token is not accepted.",
  crop: "Crop",

  // Bar
  cancel: "Cancel",

  // Node states
  unknownType: "There is no such node here",
  newProperty: "a new property",
  nameOfProperty: "Name of the property",

  // Fields
  reset: "Reset to the default",
  required: "required",

  // Palette
  thisFolder: "This folder",
  addNodeHint: "Name, #tag, :takes, >gives, @pack",
  takes: (type: string) => `takes ${type}`,
  gives: (type: string) => `gives ${type}`,
  noNodeFits: "No node fits. Try fewer words.",
  keysOfPalette: "↑↓ choose · Enter add · Shift+Enter add and stay · Ctrl+Enter add and connect",
  dropFilter: "All nodes",
  nothingFits: "Nothing fits.",
  noVersions: "No earlier version yet: each save keeps what was there before it.",

  // Inspector
  noValues: "No value to set.",
  valuesKept: "The values are kept as they are, until the type is there again.",
  values: "Values",
  why: "Why",
  help: "Help",
  nothingChosenHint: "Select a node to see its values, its result, and why it will run.",
  several: (number: number) => `${number} nodes`,
  title: "Title",
  id: "Id",
  noResultHint: "It appears here once the node has run with these values.",
  made: (when: string) => `made ${when}`,
  useCases: "Use cases",
  wholeReference: (type: string) => `Its whole reference: nodetool nodes show ${type}`,
  within: (low: string, high: string) => (low && high ? `${low} to ${high}` : low ? `from ${low}` : `up to ${high}`),
  byDefault: (value: string) => `default ${value}`,
  properties: "Properties",
  outputs: "Outputs",
  upstream: "What it is made of",
  problems: "Mistakes",
  applyFix: (text: string) => `Change to ${text}`,
  workflowAbout: "About this workflow",
  name: "Name",
  description: "Description",

  // Outline
  connectTitle: (port: string) => `Connect ${port}`,
  goesTo: (to: string) => `to ${to}`,
  emptyOutline: "This workflow has no nodes yet.",
  outlineHelp: "Arrows move, Enter edits, C connects, D disconnects, I makes an input of the workflow, A adds, Delete removes, F2 renames.",
  filter: "Filter",
  allConnected: "Nothing in this workflow fits here.",

  // Files
  folder: "Folder",
  topFolder: "The folder of workflows",
  folderAbove: "Folder above",
  emptyFolder: "There is nothing here.",
  leftOut: (number: number) => `${count(number, "more is", "more are")} not shown.`,
  saveHint: "A slash makes a folder.",
  nameOfFile: "Name of the file",
  noWorkflows: "No workflows in this folder yet",
  noWorkflowsHint: "Start with an empty one, or drop a workflow or an image here.",
  fileChanged: "The file was changed by somebody else.",
  keepMine: "Keep mine",
  noDifference: "Nothing that a run depends on is different.",
  hows: { added: "is only in the file", removed: "is only here" },

  // Start
  edit: "Edit",
  call: "Call it",
  callIt: (name: string) => `Call ${name} from a program`,
  callHint: "Put your own image in place of photo.png.",
  callToken: "The token is taken from NODETOOL_TOKEN.",
  dialect: "Dialect",
  copy: "Copy",
  textCopied: "Copied.",
  cantCopy: "This browser does not let pages copy. Mark the text instead.",
  noneServedHint: "Who runs this server puts workflow files into its folder.",
  brokenFiles: (number: number) => `${count(number, "file", "files")} of the folder can't be read as ${number === 1 ? "a workflow" : "workflows"}.`,

  // Drop

  importOf: (name: string) => `Import of ${name}`,
  importRefused: "It can't be imported.",
  grades: {
    whole: "Everything in it is here.",
    "with notes": "Everything in it is here, and some of it does only about the same.",
    "with losses": "Some of it has no counterpart here and is left out.",
  },
  fates: { same: "same", "other form": "in another form", approximated: "about the same", lost: "left out" },
  keptWhole: (nodes: string) => `${nodes} more came over without a difference.`,

  // Queue, gallery
  waitingJobs: (number: number) => `${number} waiting`,
  nothingQueued: "Nothing is running",
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
  filterGallery: "Prompt, workflow, seed",
  loadMore: "Show more",
  computedOf: (computed: number, cached: number) => (computed === 0 ? "all known" : `${computed} of ${computed + cached} computed`),
  fromAny: "From any output",
  from: "From",
  valuesOf: "Values",
  removedAfter: (time: string) => `What is not kept is removed after ${time}.`,
  hours: (number: number) => (number < 48 ? count(Math.round(number), "hour", "hours") : count(Math.round(number / 24), "day", "days")),
  seedsOf: "Seeds",
  showNode: "Show",

  // Viewer
  grid: "Grid",
  alpha: "Alpha",
  difference: "Difference",
  wipe: "Wipe",
  before: "Before",
  after: "After",
  saveImage: "Save the image",
  copyImage: "Copy the image",
  next: "Next",
  previous: "Previous",
  chooseOther: "Compare with",

  // Mask
  brush: "Brush",
  maskColor: "Colour of the mask",
  softness: "Softness",
  paint: "Paint",
  erase: "Erase",
  box: "Box",
  fill: "Fill",
  invert: "Invert",
  clear: "Clear",
  done: "Done",
  strokes: (number: number) => count(number, "stroke", "strokes"),

  // Models
  pullHint: "Id on the Hub, such as owner/name",
  freeMemory: "Free the memory",
  freed: (bytes: string) => `${bytes} freed.`,
  noModels: "No models on this machine yet",
  noModelsHint: "Fetch one by its id on the Hub.",
  pullBegins: "begins…",
  incomplete: (gap: string) => `Not whole: ${gap}`,
  ships: "ships with a pack",
  removeModel: "Delete this model from the disk?",
  removeModelHint: (bytes: string) => `That frees ${bytes}. It can be fetched again as long as the Hub has it.`,
  removedModel: (id: string, bytes: string) => `${id} was deleted: ${bytes}.`,
  usedBy: (names: string) => `These workflows need it: ${names}`,
  loadedOn: (devices: string) => (devices ? `loaded on ${devices}` : "loaded"),
  lastUsed: (day: string) => `last used ${day}`,

  // Form
  runAbout: (time: string) => `about ${time}`,
  again: "Again with a new seed",
  earlier: "Earlier",
  formEmpty: "The result appears here",
  beforeAfter: "Before and after",
  callThis: "Call this from a program",
  needsFirst: (names: string) => `First: ${names}`,
  formEmptyHint: "Fill in the form and press Run.",
  noInputs: "This workflow has no inputs. Run it as it is.",
  color: "Colour",
  noColor: "No colour",
  selectNodes: "Select its nodes",
  compareSlot: (name: string) => `Compare with ${name}`,
  runRowsHint: (names: string) => `A CSV, a JSON list, or an object a line, with a column for each input that differs: ${names || "this workflow has no inputs"}. Or several images.`,
  chooseRows: "Choose a table or images",
  noSuchInput: (name: string, names: string) => `There is no input ${name}. The inputs: ${names || "none"}.`,
  badCell: (name: string, row: number) => `Row ${row}: the value of ${name} does not fit its input.`,
  noImageInput: "This workflow has no input for an image.",
  tooManyRows: (most: number) => `${most} rows are the most at once.`,
  moreRows: (number: number) => `and ${number} more`,
  runTimes: (number: number) => (number === 0 ? "Run" : number === 1 ? "Run once" : `Run ${number} times`),
  cropOnImage: "Crop on the image",
  wholeImage: "Whole image",
  left: "Left",
  right: "Right",
  top: "Top",
  bottom: "Bottom",
  removeFrame: "Remove the frame",
};

/** The day of a time: `today`, `yesterday`, `Monday 3 November`, with the year where it is another. */
export function dayText(seconds: number, now = Date.now()): string {
  const then = new Date(seconds * 1000);
  const dayOf = (date: Date): number => new Date(date).setHours(0, 0, 0, 0);
  const ago = Math.round((dayOf(new Date(now)) - dayOf(then)) / 86_400_000);
  if (ago === 0) return "today";
  if (ago === 1) return "yesterday";
  const isThisYear = new Date(now).getFullYear() === then.getFullYear();
  return then.toLocaleDateString(undefined, { day: "numeric", month: "long", ...(isThisYear ? { weekday: "long" } : { year: "numeric" }) });
}
