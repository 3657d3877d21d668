/** A node on the canvas. Heights are those of canvas/geometry.ts. */
import { portsOf, setUi, setValue, title } from "../app/editing.ts";
import { imagesOf, nodeResult } from "../app/results.ts";
import { madeOf } from "../app/timings.ts";
import { dialog, file, nodeState, opened, problems, shownRun, types, versionOf } from "../app/store.ts";
import { HEADER, RESULT, type Row, hasPort, measure } from "../canvas/geometry.ts";
import { pending, update, wireFrom } from "../canvas/scene.ts";
import { part, textOf } from "../model/document.ts";
import { colorOf } from "../model/frames.ts";
import { isBypassed, isChanged, valueOf } from "../model/shown.ts";
import { MARKS } from "../model/state.ts";
import { LETTERS, labelOf } from "../model/types.ts";
import { thumbnail } from "../net/api.ts";
import { t } from "../text.ts";
import { Field } from "./fields/Field.tsx";
import { Icon } from "./Icon.tsx";

interface PortProps {
  node: string;
  name: string;
  type: number;
  side: "in" | "out";
  connected: boolean;
  y: number;
}

function Port({ node, name, type, side, connected, y }: PortProps) {
  const { kind, name: typeName } = types.value.info(type);
  const wire = wireFrom.value ? pending.peek() : null;
  const state = wire ? (wire.fits(node, name, side) ? "fits" : "faded") : "";
  return (
    <span class={`port ${side} kind-${kind} ${connected ? "connected" : ""} ${state}`} style={{ top: `${y - 7}px` }} title={`${labelOf(name)}: ${typeName}`} data-port={`${side} ${name}`} aria-hidden="true">
      <span>{LETTERS[kind]}</span>
    </span>
  );
}

function PropertyRow({ id, row }: { id: string; row: Row }) {
  const { document } = opened.value;
  const { property, kind, height } = row;
  const record = document.nodes.get(id);
  const edge = document.edgeInto(id, property.name);
  const wrong = problems.peek().get(id)?.some((one) => one.property === property.name);
  const fieldId = `n-${id}-${property.name}`;
  const tall = kind === "multiline" || kind === "image";
  const value = valueOf(record, property);
  const face = property.name === "value" || tall;
  return (
    <div class={`row ${edge ? "joined" : ""} ${tall && property.name === "value" ? "bare" : ""} ${tall && !edge ? "tall" : ""} ${wrong ? "wrong" : ""} ${isChanged(record, property) ? "changed" : ""} ${property.required && !edge && value == null ? "missing" : ""}`} style={{ height: `${height}px` }}>
      {hasPort(id, property.name) && <Port node={id} name={property.name} type={property.type} side="in" connected={!!edge} y={14} />}
      {edge || !face || (kind === "multiline" && property.name !== "value") ? <label class="row-label" for={edge ? undefined : fieldId} title={property.description}>{labelOf(property.name)}</label> : null}
      {edge ? (
        <span class="row-from" title={t.connectedTo(title(edge.source))}>{arrived(edge.source, edge.sourceHandle)}</span>
      ) : (
        <Field id={fieldId} property={property} typeName={types.value.info(property.type).name} kind={kind} value={value} label={labelOf(property.name)} node={id} compact disabled={file.value.readOnly} invalid={wrong} onChange={(next) => setValue(id, property.name, next)} />
      )}
    </div>
  );
}

/** The value that came last through a wire, in a few characters. */
function arrived(source: string, output: string): string {
  const value = nodeResult(source)?.outputs[output];
  if (value === undefined || value === null) return "";
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value).slice(0, 60);
  const images = imagesOf({ outputs: { value } });
  return images.length === 1 ? `${images[0]!.width}×${images[0]!.height}` : images.length ? `${images.length}` : "";
}

export function openViewer(node: string): void {
  dialog.value = { kind: "viewer", data: { node } };
}

function Result({ id, y }: { id: string; y: number }) {
  versionOf(id).value;
  const preview = shownRun.peek()?.previews.get(id);
  const images = imagesOf(nodeResult(id));
  const first = images[0];
  const src = preview ?? (first ? thumbnail(first.url, 512) : null);
  if (!src) return null;
  return (
    <button type="button" class="node-result" data-field="" tabIndex={-1} style={{ top: `${y}px`, height: `${RESULT}px` }} onClick={() => openViewer(id)} aria-label={`${t.result}: ${title(id)}`}>
      <img src={src} alt="" draggable={false} class={preview ? "preview" : ""} />
      {!preview && images.length > 1 && <span class="count">{images.length}</span>}
      {!preview && first && <span class="dims">{first.width}×{first.height}</span>}
    </button>
  );
}

export function NodeBody({ id }: { id: string }) {
  versionOf(id).value;
  const { document } = opened.value;
  const record = document.nodes.get(id);
  if (!record) return null;
  const typeName = textOf(record.type);
  const type = types.value.node(typeName);
  const ui = part(record, "ui_properties");
  const box = measure(id);
  const state = nodeState(id);
  const seconds = madeOf(id)?.seconds;
  const name = title(id);
  const word = t.marks[state.mark];
  const color = colorOf(ui.color);
  const several = box.outputs.length > 1;
  const faded = wireFrom.value ? !pending.peek()?.fitting.has(id) : false;
  const expand = () => {
    const properties = portsOf(id).properties;
    setUi([id], "shown", Array.isArray(ui.shown) ? undefined : properties.map((one) => one.name));
    update([id]);
  };
  return (
    <section
      class={`node role-${type?.role ?? "unknown"} is-${state.mark} ${color ? "tinted" : ""} ${faded ? "faded" : ""} ${isBypassed(record) ? "bypassed" : ""}`}
      style={{ height: `${box.height}px`, ...(color ? { "--tint": color } : {}) }}
      aria-label={`${name}, ${word}`}
    >
      <header class="node-header" style={{ height: `${HEADER}px` }} title={state.reason ? `${word}: ${state.reason}` : word}>
        <span class={`mark mark-${state.mark}`} aria-hidden="true">{MARKS[state.mark]}</span>
        <span class="node-title">{name}</span>
        {isBypassed(record) && <span class="tag">{t.bypassed}</span>}
        {state.mark === "running" && state.total > 0 ? <span class="steps">{state.step}/{state.total}</span> : seconds !== undefined && seconds >= 0.05 ? <span class="steps muted">{t.seconds(seconds)}</span> : null}
        {!type && <Icon name="cube" />}
        {state.mark === "running" && <progress class="node-progress" aria-label={word} max={1} {...(state.total > 0 ? { value: state.step / state.total } : {})} />}
      </header>
      {!several && box.outputs.map(({ output, y }) => <Port key={output.name} node={id} name={output.name} type={output.type} side="out" connected={document.edgesFrom(id, output.name).length > 0} y={y} />)}
      {several && (
        <div class="node-outputs" style={{ height: `${box.outputsHeight}px` }}>
          {box.outputs.map(({ output }) => (
            <div class="output-row" key={output.name}>
              {labelOf(output.name)}
              <Port node={id} name={output.name} type={output.type} side="out" connected={document.edgesFrom(id, output.name).length > 0} y={14} />
            </div>
          ))}
        </div>
      )}
      <div class="node-rows">
        {box.rows.map((row) => <PropertyRow key={row.property.name} id={id} row={row} />)}
        {box.unknown.map((one) => (
          <div class="row wrong" key={one} title={t.unknownValue}>
            <span class="row-label">{labelOf(one)}</span>
            <span class="row-from">{JSON.stringify(part(record, "data")[one])}</span>
          </div>
        ))}
        {(box.hidden > 0 || Array.isArray(ui.shown)) && (
          <button type="button" class="node-more" data-field="" tabIndex={-1} disabled={file.value.readOnly} onClick={expand}>
            <Icon name={box.hidden > 0 ? "right" : "up"} size={12} />
            {box.hidden > 0 ? t.moreFields(box.hidden) : t.fewerFields}
          </button>
        )}
      </div>
      {box.resultY !== null && <Result id={id} y={box.resultY} />}
      <span class="node-resize" data-resize="" aria-hidden="true" />
    </section>
  );
}
