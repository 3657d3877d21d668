/** Adds a node: found by a few words, filtered by what a dropped wire fits. */
import { useState } from "preact/hooks";
import { type From, addNode, portsOf } from "../app/editing.ts";
import { file, opened, placeName, types, workflows } from "../app/store.ts";
import { pathFrom } from "../app/inner.ts";
import { settings } from "../app/settings.ts";
import { measure } from "../canvas/geometry.ts";
import { freePlace } from "../canvas/neighbours.ts";
import { reveal } from "../canvas/view.ts";
import type { Point } from "../model/operations.ts";
import { search } from "../app/finding.ts";
import type { Wanted } from "../model/search.ts";
import { titleOf } from "../model/types.ts";
import type { NodeType, Property } from "../net/schema.ts";
import { Combo, type Item } from "./Combo.tsx";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { IconButton } from "./Icon.tsx";
import { t } from "./text.ts";

export interface PaletteData {
  at: Point;
  from?: From;
  /** The selected node: Ctrl+Enter connects to it. */
  after?: string;
}

interface NodeItem extends Item {
  type: NodeType;
  workflow?: string;
}

const SHOWN = 60;
const WORKFLOW_NODE = "nodetool.workflows.workflow_node.WorkflowNode";

export function Palette({ at, from, after }: PaletteData) {
  const [filter, setFilter] = useState(from);
  const [place, setPlace] = useState(at);
  const [last, setLast] = useState(after);
  const wanted = filter ? wantedBy(filter) : {};
  const items = (text: string): NodeItem[] => {
    const used = settings.value.used;
    const found = search.value.find(text, (type) => used[type] ?? 0, wanted).slice(0, SHOWN);
    const nodes = found.map((type): NodeItem => ({ id: type.type.replaceAll(".", "-"), type, face: <Face type={type} used={used[type.type] ?? 0} /> }));
    return filter ? nodes : [...nodes, ...workflowItems(text)];
  };
  const choose = (item: NodeItem, event: KeyboardEvent | MouseEvent): void => {
    const start = filter ?? ((event.ctrlKey || event.metaKey) && last ? outputOf(last) : undefined);
    const where = filter?.side === "in" ? { x: place.x - 240, y: place.y - 16 } : { x: place.x, y: place.y - 16 };
    const id = addNode(item.type, freePlace(where), start, item.workflow === undefined ? {} : { path: pathFrom(placeName(), item.workflow) });
    if (!id) return closeDialog();
    const box = measure(id);
    reveal(box);
    if (!event.shiftKey) return closeDialog();
    setFilter(undefined);
    setLast(id);
    setPlace({ x: box.x + box.width + 80, y: box.y + 16 });
  };
  return (
    <Dialog label={t.addNode} class="palette" head={false}>
      <Combo
        label={t.addNode}
        placeholder={t.addNodeHint}
        items={items}
        empty={t.noNodeFits}
        onChoose={choose}
        before={
          filter && (
            <span class="chip">
              {filter.side === "out" ? t.takes(typeText(filter)) : t.gives(typeText(filter))}
              <IconButton icon="close" label={t.dropFilter} onClick={() => setFilter(undefined)} />
            </span>
          )
        }
        foot={(item) => (
          <div class="combo-foot">
            {item && <p>{item.type.description}</p>}
            <p class="muted small wide-only">{t.keysOfPalette}</p>
          </div>
        )}
      />
    </Dialog>
  );
}

function Face({ type, used }: { type: NodeType; used: number }) {
  const names = (list: { type: number }[]) => [...new Set(list.map((one) => types.value.info(one.type).name))].slice(0, 2).join(", ");
  const main = type.properties.filter((one: Property) => ["image", "text", "model", "list", "any"].includes(types.value.info(one.type).kind));
  return (
    <>
      <span class={`dot kind-${types.value.info(type.outputs[0]?.type ?? -1).kind}`} aria-hidden="true" />
      <span class="item-name">{titleOf(type.type)}</span>
      <span class="item-place">{type.namespace}</span>
      <span class="item-types">
        {names(main.slice(0, 2)) || "–"} → {names(type.outputs) || "–"}
      </span>
      {used > 0 && <span class="item-used" title={`${used}×`}>★</span>}
    </>
  );
}

function workflowItems(text: string): NodeItem[] {
  const type = types.value.node(WORKFLOW_NODE);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!type || !words.length) return [];
  return workflows.value
    .filter((one) => one.name !== file.value.name && words.every((word) => `${one.name} ${one.title}`.toLowerCase().includes(word)))
    .slice(0, 8)
    .map((one) => ({
      id: `workflow-${one.name.replaceAll(/[^\w-]/g, "-")}`,
      group: t.workflows,
      type,
      workflow: `${one.name}.json`,
      face: (
        <>
          <span class="dot kind-any" aria-hidden="true" />
          <span class="item-name">{one.title || one.name}</span>
          <span class="item-place">{one.name}</span>
        </>
      ),
    }));
}

function wantedBy(from: From): Wanted {
  const ports = portsOf(from.node);
  if (from.side === "out") {
    const output = ports.outputs.find((one) => one.name === from.port);
    return output ? { takes: output.type } : {};
  }
  const property = ports.properties.find((one) => one.name === from.port);
  return property ? { gives: property.type } : {};
}

function typeText(from: From): string {
  const wanted = wantedBy(from);
  return types.value.info(wanted.takes ?? wanted.gives ?? -1).name;
}

function outputOf(node: string): From | undefined {
  const output = opened.value.document.nodes.has(node) ? portsOf(node).outputs[0] : undefined;
  return output && { node, port: output.name, side: "out" };
}
