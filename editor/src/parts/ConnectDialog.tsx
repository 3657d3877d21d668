/** Connecting without a pointer: first the port of the node, then what fits it, grouped by node. */
import { useState } from "preact/hooks";
import { connect, newPort, portsOf, title } from "../app/editing.ts";
import { opened, types } from "../app/store.ts";
import { labelOf } from "../model/types.ts";
import type { Output, Property } from "../net/schema.ts";
import { Combo, type Item } from "./Combo.tsx";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { t } from "./text.ts";

interface Side {
  node: string;
  port: string;
  side: "in" | "out";
}

interface PortItem extends Item {
  value: Side;
}

export function ConnectDialog({ node, port, side }: { node: string; port?: string; side?: "in" | "out" }) {
  const ports = portsOf(node);
  const single = ports.outputs.length === 1 && !ports.properties.length ? { node, port: ports.outputs[0]!.name, side: "out" as const } : null;
  const [from, setFrom] = useState<Side | null>(port !== undefined && side ? { node, port, side } : single);
  const label = from ? t.connectTitle(`${title(node)}.${labelOf(from.port)}`) : t.connectTitle(title(node));
  const choose = (item: PortItem): void => {
    if (!from) {
      setFrom(item.value);
      return;
    }
    if (from.side === "out") connect(from.node, from.port, item.value.node, item.value.port);
    else connect(item.value.node, item.value.port, from.node, from.port);
    closeDialog();
  };
  return (
    <Dialog label={label} class="palette" head={false}>
      <Combo key={from ? "to" : "from"} label={label} placeholder={label} empty={t.allConnected} items={(text) => (from ? others(from, text) : own(node, text))} onChoose={choose} />
    </Dialog>
  );
}

function face(kind: string, name: string, of: string, note: string) {
  return (
    <>
      <span class={`dot kind-${kind}`} aria-hidden="true" />
      <span class="item-name">{name}</span>
      <span class="item-place">{of}</span>
      <span class="item-types">{note}</span>
    </>
  );
}

function item(node: string, one: Property | Output, side: "in" | "out", group: string, note = ""): PortItem {
  const { kind, name } = types.value.info(one.type);
  return { id: `${side}-${node}-${one.name}`.replaceAll(/[^\w-]/g, "-"), group, value: { node, port: one.name, side }, face: face(kind, labelOf(one.name), name, note) };
}

const matches = (text: string, ...names: string[]) => text.toLowerCase().split(/\s+/).every((word) => names.some((name) => name.toLowerCase().includes(word)));

function own(node: string, text: string): PortItem[] {
  const { document } = opened.value;
  const { properties, outputs } = portsOf(node);
  const from = (name: string): string => {
    const edge = document.edgeInto(node, name);
    return edge ? t.connectedTo(title(edge.source)) : "";
  };
  return [
    ...outputs.filter((one) => matches(text, one.name)).map((one) => item(node, one, "out", t.outputs)),
    ...properties.filter((one) => matches(text, one.name)).map((one) => item(node, one, "in", t.properties, from(one.name))),
  ];
}

function others(from: Side, text: string): PortItem[] {
  const { document } = opened.value;
  const mine = portsOf(from.node);
  const blocked = from.side === "out" ? document.ancestors([from.node]) : document.descendants([from.node]);
  const found: PortItem[] = [];
  for (const id of document.nodes.keys()) {
    if (blocked.has(id)) continue;
    const theirs = portsOf(id);
    if (from.side === "out") {
      const output = mine.outputs.find((one) => one.name === from.port);
      const any = newPort(id, output?.name === "output" ? from.node : from.port);
      if (output && any && matches(text, title(id), any)) found.push(item(id, { name: any, type: -1, description: "" }, "in", title(id), t.newProperty));
      for (const property of theirs.properties) {
        const edge = document.edgeInto(id, property.name);
        if (output && types.value.fits(output.type, property.type) && matches(text, title(id), property.name)) {
          found.push(item(id, property, "in", title(id), edge ? t.connectedTo(title(edge.source)) : ""));
        }
      }
    } else {
      const property = mine.properties.find((one) => one.name === from.port);
      for (const output of theirs.outputs) {
        if (property && types.value.fits(output.type, property.type) && matches(text, title(id), output.name)) found.push(item(id, output, "out", title(id)));
      }
    }
  }
  // A port of just this type comes before those that merely take it.
  const type = (from.side === "out" ? mine.outputs : mine.properties).find((one) => one.name === from.port)?.type;
  const exact = (one: PortItem): number => {
    const ports = portsOf(one.value.node);
    const list: { name: string; type: number }[] = one.value.side === "in" ? ports.properties : ports.outputs;
    const match = list.find((port) => port.name === one.value.port);
    return match?.name === from.port ? 0 : match?.type === type ? 1 : 2;
  };
  return text ? found : found.sort((a, b) => exact(a) - exact(b));
}
