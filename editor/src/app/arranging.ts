/** What is done to what is selected, or to the workflow, as a whole: wired, framed, laid out, run many times. */
import { measure } from "../canvas/geometry.ts";
import { type Patch, WorkflowDocument, part, positionOf } from "../model/document.ts";
import * as frames from "../model/frames.ts";
import type { JsonObject } from "../model/json.ts";
import * as operations from "../model/operations.ts";
import { setPoints } from "../model/points.ts";
import { propertiesOf } from "../model/ports.ts";
import { t } from "../text.ts";
import { commit, portsOf, selectFrame } from "./editing.ts";
import { complain, drawnSeed, submit } from "./running.ts";
import { check, opened, selectedEdge, selection, server, types } from "./store.ts";

export function disconnectSelected(): void {
  const { document } = opened.value;
  const edges = [...selection.value].flatMap((id) => document.edgesOf(id).map((edge) => edge.id));
  commit(t.disconnect, operations.disconnect(document, new Set(edges)));
}

/** Connects the selected nodes from left to right, each to the next one that takes its output. */
export function connectSelected(): void {
  const { document } = opened.value;
  const order = [...selection.value].sort((a, b) => positionOf(document.nodes.get(a)).x - positionOf(document.nodes.get(b)).x);
  const patches: Patch[] = [];
  for (let at = 0; at + 1 < order.length; at++) {
    const free = portsOf(order[at + 1]!).properties.filter((property) => !document.edgeInto(order[at + 1]!, property.name));
    for (const output of portsOf(order[at]!).outputs) {
      const property = types.value.best(output, free);
      if (!property) continue;
      patches.push(...operations.connect(document, order[at]!, output.name, order[at + 1]!, property.name));
      break;
    }
  }
  commit(t.connect, patches);
}

/** Puts the selected nodes into a frame; takes the frame away where they are all of one. */
export function frameSelected(): void {
  const { document } = opened.value;
  const ids = [...selection.value];
  const same = frames.readFrames(document).find((frame) => frame.nodes.length === ids.length && ids.every((id) => frame.nodes.includes(id)));
  if (same) {
    commit(t.frame, frames.removeFrame(document, same.id));
    return;
  }
  const { patches, id } = frames.addFrame(document, ids, t.frame);
  if (commit(t.frame, patches)) selectFrame(id);
}

export async function tidy(): Promise<void> {
  const { document } = opened.value;
  const ids = selection.value.size > 1 ? [...selection.value] : [...document.nodes.keys()];
  if (!ids.length) return;
  const chosen = new Set(ids);
  const nodes = ids.map((id) => {
    const { width, height } = measure(id);
    return { id, width, height };
  });
  const edges = [...document.edges.keys()]
    .map((id) => document.edge(id)!)
    .filter((edge) => chosen.has(edge.source) && chosen.has(edge.target))
    .map(({ source, target }) => ({ source, target }));
  try {
    const { positions } = await server.api.layout({ nodes, edges });
    const found = ids.flatMap((id) => (positions[id] ? [[id, positions[id]] as const] : []));
    const before = corner(found.map(([id]) => positionOf(document.nodes.get(id))));
    const after = corner(found.map(([, point]) => point));
    const places = new Map(found.map(([id, { x, y }]) => [id, { x: x - after.x + before.x, y: y - after.y + before.y }]));
    // Where the nodes lie otherwise, the ways that wires were led make no sense any more.
    const led = [...chosen].flatMap((id) => document.edgesInto(id)).flatMap((edge) => setPoints(document, edge.id, []));
    commit(t.tidy, [...operations.move(document, places), ...led]);
  } catch (error) {
    complain(error);
  }
}

function corner(points: operations.Point[]): operations.Point {
  return { x: Math.min(...points.map((point) => point.x)), y: Math.min(...points.map((point) => point.y)) };
}

/** Hides the wires of the selected nodes, or shows them where all are hidden. */
export function toggleWires(): void {
  const { document } = opened.value;
  const ids = selectedEdge.value
    ? [selectedEdge.value]
    : [...new Set([...selection.value].flatMap((id) => document.edgesOf(id).map((edge) => edge.id)))];
  const all = ids.every((id) => part(document.edges.get(id), "ui_properties").hidden === true);
  commit(t.disconnect, ids.flatMap((id) => operations.setEdgeUi(document, id, "hidden", all ? undefined : true)));
}

/** Runs several times; each time every property that is a seed gets another number. */
export async function runWithNewSeeds(times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const copy = WorkflowDocument.read(opened.value.document.toText());
    for (const [id, record] of copy.nodes) {
      for (const property of propertiesOf(types.value, copy, id, check.value?.nodes[id])) {
        if (property.seed && !copy.edgeInto(id, property.name)) copy.apply(operations.setValue(copy, id, property.name, drawnSeed()));
      }
      if (String(record.type).endsWith(".IntegerInput") && /seed/i.test(String(part(record, "data").name))) {
        copy.apply(operations.setValue(copy, id, "value", drawnSeed()));
      }
    }
    await submit(copy, {});
  }
}

/** Runs once for each row of inputs. */
export async function submitRows(rows: { inputs: JsonObject; label: string }[]): Promise<void> {
  for (const row of rows) if (!(await submit(opened.value.document, row))) return;
}
