/**
 * The workflow as a tree: nodes in the order of the data, below each its properties and outputs.
 * A second, complete editor that needs neither pointer nor sight.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { disconnect, portsOf, removeSelected, select, title } from "../app/editing.ts";
import { check, dialog, nodeState, opened, problems, revision, runTick, selection, spoken, structure, versionOf } from "../app/store.ts";
import { canBeInput, makeInput } from "../app/promoting.ts";
import { measure } from "../canvas/geometry.ts";
import { reveal } from "../canvas/view.ts";
import { focusSoon } from "../app/focus.ts";
import { showSide } from "../app/settings.ts";
import { perform } from "../actions.ts";
import type { WorkflowDocument } from "../model/document.ts";
import { isObject, writeJson } from "../model/json.ts";
import { valueOf } from "../model/shown.ts";
import { MARKS } from "../model/state.ts";
import { labelOf } from "../model/types.ts";
import type { Property } from "../net/schema.ts";
import { t } from "./text.ts";

/** Sources before targets; the order of the file among equals. */
export function dataOrder(document: WorkflowDocument): string[] {
  const waiting = new Map([...document.nodes.keys()].map((id) => [id, new Set(document.edgesInto(id).map((edge) => edge.source).filter((one) => document.nodes.has(one))).size]));
  const order: string[] = [];
  const ready = [...waiting].filter(([, number]) => number === 0).map(([id]) => id);
  const done = new Set<string>();
  for (let id = ready.shift(); id !== undefined; id = ready.shift()) {
    if (done.has(id)) continue;
    done.add(id);
    order.push(id);
    for (const target of new Set(document.edgesFrom(id).map((edge) => edge.target))) {
      const left = (waiting.get(target) ?? 0) - 1;
      waiting.set(target, left);
      if (left <= 0) ready.push(target);
    }
  }
  return [...order, ...[...document.nodes.keys()].filter((id) => !done.has(id))];
}

interface RowData {
  key: string;
  node: string;
  level: 1 | 2;
  port?: string;
  side?: "in" | "out";
}

const ROW_HEIGHT = 28;
const OVERSCAN = 12;

export default function Outline() {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [current, setCurrent] = useState("");
  /** Where the current row was last: what takes its place once it has gone. */
  const place = useRef(0);
  const [filter, setFilter] = useState("");
  const [top, setTop] = useState(0);
  const tree = useRef<HTMLDivElement>(null);
  revision.value;
  const { document } = opened.value;
  const order = useMemo(() => dataOrder(document), [document, structure.value]);
  const rows: RowData[] = [];
  for (const id of order) {
    if (filter && !`${title(id)} ${id}`.toLowerCase().includes(filter.toLowerCase())) continue;
    rows.push({ key: id, node: id, level: 1 });
    if (!open.has(id)) continue;
    const { properties, outputs } = portsOf(id);
    for (const one of properties) rows.push({ key: `${id}.${one.name}`, node: id, level: 2, port: one.name, side: "in" });
    for (const one of outputs) rows.push({ key: `${id}>${one.name}`, node: id, level: 2, port: one.name, side: "out" });
  }
  const found = rows.findIndex((row) => row.key === current);
  const at = found >= 0 ? found : Math.max(0, Math.min(place.current, rows.length - 1));
  place.current = at;
  const now = rows[at];

  useEffect(() => {
    const [only] = selection.value;
    if (only !== undefined && selection.value.size === 1 && now?.node !== only && rows.some((row) => row.key === only)) setCurrent(only);
  }, [selection.value]);
  useEffect(() => {
    const y = at * ROW_HEIGHT;
    const element = tree.current;
    if (!element) return;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + ROW_HEIGHT > element.scrollTop + element.clientHeight) element.scrollTop = y + ROW_HEIGHT - element.clientHeight;
  }, [at]);

  const go = (index: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (!row) return;
    setCurrent(row.key);
    // Keys are about the node whose row, or whose port, is the current one.
    if (row.level === 1 || !selection.peek().has(row.node)) select([row.node]);
    if (row.level === 1) reveal(measure(row.node));
    else spoken.value = describe(row);
  };
  const edit = ({ node, port, side }: RowData): void => {
    if (side !== "in") return;
    const edge = document.edgeInto(node, port!);
    if (edge) go(rows.findIndex((row) => row.key === edge.source));
    else editField(port!);
  };
  const fold = (id: string, unfold: boolean): void => {
    const next = new Set(open);
    if (unfold) next.add(id);
    else next.delete(id);
    setOpen(next);
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || !now) return;
    const { node, port, side, level } = now;
    switch (event.key) {
      case "ArrowDown": go(at + 1); break;
      case "ArrowUp": go(at - 1); break;
      case "Home": go(0); break;
      case "End": go(rows.length - 1); break;
      case "PageDown": go(at + 12); break;
      case "PageUp": go(at - 12); break;
      case "ArrowRight":
        if (level === 1 && !open.has(node)) fold(node, true);
        else go(at + 1);
        break;
      case "ArrowLeft":
        if (level === 1) fold(node, false);
        else go(rows.findIndex((row) => row.key === node));
        break;
      case "Enter":
        select([node]);
        if (level === 1) fold(node, !open.has(node));
        else edit(now);
        break;
      case "c": case "C":
        select([node]);
        dialog.value = { kind: "connect", data: { node, ...(port === undefined ? {} : { port, side }) } };
        break;
      case "d": case "D":
        if (side === "in") disconnect(node, port!);
        break;
      case "i": case "I": {
        const property = side === "in" ? propertyOf(now) : undefined;
        if (property && canBeInput(node, property)) {
          makeInput(node, property);
          select([node]);
        }
        break;
      }
      case "a": case "A":
        select([node]);
        perform("add");
        break;
      case "[": case "]": follow(node, port, event.key === "["); break;
      case "Delete": case "Backspace":
        if (side === "in") disconnect(node, port!);
        else {
          select([node]);
          removeSelected();
        }
        break;
      default: return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const follow = (node: string, port: string | undefined, back: boolean): void => {
    const edge = back ? document.edgesInto(node).find((one) => port === undefined || one.targetHandle === port) : document.edgesFrom(node, port)[0];
    const to = edge && (back ? edge.source : edge.target);
    const index = rows.findIndex((row) => row.key === to);
    if (index >= 0) go(index);
  };
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - OVERSCAN);
  const count = Math.ceil((tree.current?.clientHeight ?? 600) / ROW_HEIGHT) + 2 * OVERSCAN;
  return (
    <div class="outline">
      <input class="input filter" type="search" placeholder={t.filter} aria-label={t.filter} value={filter} onInput={(event) => { setFilter(event.currentTarget.value); setCurrent(""); place.current = 0; }} />
      {document.nodes.size === 0 ? <p class="muted pad">{t.emptyOutline} <button type="button" class="button" onClick={() => perform("add")}>{t.addNode}</button></p> : (
        <div ref={tree} class="tree" role="tree" tabIndex={0} data-canvas-keys="" aria-label={t.outline} aria-describedby="outline-help" aria-multiselectable="true" aria-activedescendant={now ? `o-${now.key}` : undefined} onKeyDown={keys} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
          <div class="tree-space" style={{ height: `${rows.length * ROW_HEIGHT}px` }} role="presentation">
            {rows.slice(first, first + count).map((row, offset) => (
              <OutlineRow key={row.key} row={row} index={first + offset} size={rows.length} current={row === now} open={open.has(row.node)} onPress={() => go(first + offset)} onEdit={() => edit(row)} onFold={() => fold(row.node, !open.has(row.node))} />
            ))}
          </div>
        </div>
      )}
      <p id="outline-help" class="unseen">{t.outlineHelp}</p>
    </div>
  );
}

/** Puts the focus into the field of a property, in the Inspector. */
function editField(name: string): void {
  showSide("right");
  focusSoon(`#${CSS.escape(`i-${name}`)}`);
}

function propertyOf(row: RowData): Property | undefined {
  return portsOf(row.node).properties.find((one) => one.name === row.port);
}

/** What stands beside a port: its value, or where it comes from or goes to. */
function beside(row: RowData): string {
  const { document } = opened.value;
  if (row.side === "out") return document.edgesFrom(row.node, row.port).map((edge) => t.goesTo(`${title(edge.target)}.${labelOf(edge.targetHandle)}`)).join(", ");
  const edge = document.edgeInto(row.node, row.port!);
  if (edge) return t.connectedTo(`${title(edge.source)}.${labelOf(edge.sourceHandle)}`);
  const property = propertyOf(row);
  const value = property && valueOf(document.nodes.get(row.node), property);
  if (value === undefined || value === null || value === "") return "";
  if (isObject(value)) return String(value.repo_id ?? value.uri ?? value.value ?? value.asset_id ?? writeJson(value)).slice(0, 60);
  return typeof value === "string" ? value.slice(0, 80) : writeJson(value).slice(0, 80);
}

function describe(row: RowData): string {
  return `${labelOf(row.port ?? "")}, ${beside(row)}`;
}

interface RowProps {
  row: RowData;
  index: number;
  size: number;
  current: boolean;
  open: boolean;
  onPress: () => void;
  onEdit: () => void;
  onFold: () => void;
}

function OutlineRow({ row, index, current, open, onPress, onEdit, onFold }: RowProps) {
  versionOf(row.node).value;
  check.value;
  runTick.value;
  const chosen = row.level === 1 && selection.value.has(row.node);
  const style = { top: `${index * ROW_HEIGHT}px` };
  const id = `o-${row.key}`;
  if (row.level === 2) {
    const wrong = problems.value.get(row.node)?.find((one) => one.property === row.port);
    return (
      <div id={id} role="treeitem" aria-level={2} aria-selected={current} class={`tree-row port-row ${current ? "current" : ""} ${wrong ? "wrong" : ""}`} style={style} onClick={onPress} onDblClick={onEdit} title={wrong?.message}>
        <span class="arrow" aria-hidden="true">{row.side === "in" ? "←" : "→"}</span>
        <span class="tree-name">{labelOf(row.port!)}</span>
        <span class="tree-value">{wrong ? wrong.message : beside(row)}</span>
      </div>
    );
  }
  const state = nodeState(row.node);
  return (
    <div id={id} role="treeitem" aria-level={1} aria-expanded={open} aria-selected={chosen} aria-label={`${title(row.node)}, ${t.marks[state.mark]}${state.reason ? `: ${state.reason}` : ""}`} class={`tree-row ${current ? "current" : ""} ${chosen ? "chosen" : ""}`} style={style} onClick={onPress}>
      <span class={`twist ${open ? "open" : ""}`} aria-hidden="true" onClick={(event) => { event.stopPropagation(); onFold(); }}>▸</span>
      <span class="tree-name">{title(row.node)}</span>
      {state.mark === "running" && state.total > 0 && <span class="steps">{state.step}/{state.total}</span>}
      <span class={`mark mark-${state.mark}`} aria-hidden="true">{MARKS[state.mark]}</span>
    </div>
  );
}
