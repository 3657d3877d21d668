/** Dragging a wire: what fits stays bright, and where it may be let go of. */
import { connect, newPort, portsOf } from "../app/editing.ts";
import { opened, types } from "../app/store.ts";
import { type Found, measure, portAt } from "./geometry.ts";
import { type Pending, grid, pending } from "./scene.ts";
import { view } from "./view.ts";

const REACH = 14;

export function beginWire(node: string, found: Found, x: number, y: number): void {
  const { document } = opened.peek();
  // A wire that is taken by its end is the one that is connected there.
  const present = found.side === "in" ? document.edgeInto(node, found.name) : undefined;
  const from = present ? { node: present.source, port: present.sourceHandle, side: "out" as const } : { node, port: found.name, side: found.side };
  const blocked = from.side === "out" ? document.ancestors([from.node]) : document.descendants([from.node]);
  const ports = portsOf(from.node);
  const output = ports.outputs.find((one) => one.name === from.port);
  const property = ports.properties.find((one) => one.name === from.port);
  const fits: Pending["fits"] = (other, name, side) => {
    if (blocked.has(other) || side === from.side) return false;
    const theirs = portsOf(other);
    if (side === "in") {
      const target = theirs.properties.find((one) => one.name === name);
      return !!output && !!target && types.peek().fits(output.type, target.type);
    }
    const source = theirs.outputs.find((one) => one.name === name);
    return !!property && !!source && types.peek().fits(source.type, property.type);
  };
  const fitting = new Set([from.node]);
  for (const id of document.nodes.keys()) {
    if (blocked.has(id)) continue;
    const theirs = portsOf(id);
    const some =
      from.side === "out"
        ? !!output && (newPort(id, output.name) !== undefined || theirs.properties.some((one) => types.peek().fits(output.type, one.type)))
        : !!property && theirs.outputs.some((one) => types.peek().fits(one.type, property.type));
    if (some) fitting.add(id);
  }
  pending.value = { ...from, x, y, over: null, fits, fitting };
}

export function moveWire(x: number, y: number): void {
  const wire = pending.peek();
  if (wire) pending.value = { ...wire, x, y, over: target(wire, x, y) };
}

/** The port at a point, or the best free one of the node there. */
function target(wire: Pending, x: number, y: number): Pending["over"] {
  const reach = REACH / Math.min(1, view.peek().zoom);
  const wanted = wire.side === "out" ? "in" : "out";
  for (const id of grid.find({ x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach }).reverse()) {
    const at = portAt(id, x, y, reach);
    if (at?.side === wanted && wire.fits(id, at.name, wanted)) return { node: id, port: at.name };
    const box = measure(id);
    if (x < box.x || x > box.x + box.width || y < box.y || y > box.y + box.height || !wire.fitting.has(id) || id === wire.node) continue;
    const row = box.rows.find((one) => y >= box.y + one.y && y < box.y + one.y + one.height);
    if (row && wanted === "in" && wire.fits(id, row.property.name, "in")) return { node: id, port: row.property.name };
    const best = bestPort(wire, id);
    if (best) return { node: id, port: best };
  }
  return null;
}

function bestPort(wire: Pending, id: string): string | undefined {
  const { document } = opened.peek();
  const mine = portsOf(wire.node);
  const theirs = portsOf(id);
  if (wire.side === "out") {
    const output = mine.outputs.find((one) => one.name === wire.port);
    const free = theirs.properties.filter((one) => !document.edgeInto(id, one.name));
    const any = output && newPort(id, output.name === "output" ? wire.node : output.name);
    return output && (types.peek().best(output, free)?.name ?? any ?? types.peek().best(output, theirs.properties)?.name);
  }
  const property = mine.properties.find((one) => one.name === wire.port);
  return property && types.peek().bestOutput(property, theirs.outputs)?.name;
}

/** Lets go of the wire. Returns what it hangs from where it was dropped on nothing. */
export function endWire(): Pending | null {
  const wire = pending.peek();
  pending.value = null;
  if (!wire) return null;
  if (!wire.over) return wire;
  const { node, port } = wire.over;
  if (wire.side === "out") connect(wire.node, wire.port, node, port);
  else connect(node, port, wire.node, wire.port);
  return null;
}

