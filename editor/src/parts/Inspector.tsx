/** The right side: values of what is selected, its result, why it will run, help. */
import { useEffect, useState } from "preact/hooks";
import { portsOf, renameNode, select, setDynamic, setFrame, setField, setUi, setValues, title } from "../app/editing.ts";
import { check, checkOf, dialog, file, freshKeys, nodeState, opened, problems, revision, selectedFrame, selection, types, versionOf } from "../app/store.ts";
import { hasInner, openInner } from "../app/inner.ts";
import { applyFix } from "../app/fixing.ts";
import { groundOf, isCrop } from "../app/masking.ts";
import { canBeInput, makeInput } from "../app/promoting.ts";
import { madeOf } from "../app/timings.ts";
import { shownKey } from "../canvas/keys.ts";
import { showNode } from "../canvas/neighbours.ts";
import { takesAny } from "../model/ports.ts";
import { COLORS, colorOf, readFrames } from "../model/frames.ts";
import { part, textOf } from "../model/document.ts";
import { writeJson } from "../model/json.ts";
import { asGiven, fieldKind, isChanged, isFace, valueOf } from "../model/shown.ts";
import { MARKS } from "../model/state.ts";
import { labelOf, titleOf } from "../model/types.ts";
import type { Problem, Property } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { Field } from "./fields/Field.tsx";
import { perform } from "../actions.ts";
import { Icon, IconButton } from "./Icon.tsx";
import { ResultPane } from "./Result.tsx";
import { t } from "./text.ts";

type Pane = "values" | "result" | "why" | "help";
const PANES: Pane[] = ["values", "result", "why", "help"];

export default function Inspector() {
  const [pane, setPane] = useState<Pane>("values");
  const ids = [...selection.value];
  revision.value;
  const id = ids[0];
  if (id === undefined) return selectedFrame.value === null ? <AboutWorkflow /> : <FramePane id={selectedFrame.value} />;
  for (const one of ids) versionOf(one).value;
  const { document } = opened.value;
  const record = document.nodes.get(id);
  const typeName = textOf(record?.type);
  const shown = ids.length > 1 ? "values" : pane;
  return (
    <section class="inspector" id="inspector" aria-label={t.inspector}>
      <header class="inspector-head">
        <h2>{ids.length > 1 ? t.several(ids.length) : title(id)}</h2>
        {ids.length === 1 && <p class="muted small" title={typeName}>{types.value.node(typeName) ? typeName : `${typeName}: ${t.unknownType}`}</p>}
      </header>
      {ids.length === 1 && (
        <div class="tabs" role="tablist" aria-label={t.inspector} onKeyDown={(event) => {
          const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
          if (!by) return;
          event.preventDefault();
          const next = PANES[(PANES.indexOf(pane) + by + PANES.length) % PANES.length]!;
          setPane(next);
          event.currentTarget.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
        }}>
          {PANES.map((one) => (
            <button key={one} id={`tab-${one}`} type="button" role="tab" aria-selected={one === pane} aria-controls="inspector-pane" tabIndex={one === pane ? 0 : -1} onClick={() => setPane(one)}>
              {t[one]}
              {one === "why" && problems.value.has(id) && <i class="alarm" aria-label={t.problems} />}
            </button>
          ))}
        </div>
      )}
      <div class="inspector-pane" id="inspector-pane" role={ids.length === 1 ? "tabpanel" : undefined} aria-labelledby={ids.length === 1 ? `tab-${pane}` : undefined}>
        {shown === "values" && <Values ids={ids} />}
        {shown === "result" && <ResultPane id={id} />}
        {shown === "why" && <Why id={id} />}
        {shown === "help" && <Help type={typeName} />}
      </div>
    </section>
  );
}

/** All properties; of several nodes, those that all have. */
function Values({ ids }: { ids: string[] }) {
  const { document } = opened.value;
  const [first, ...rest] = ids as [string, ...string[]];
  const common = portsOf(first).properties.filter((property) => rest.every((id) => portsOf(id).properties.some((one) => one.name === property.name && one.type === property.type)));
  const type = types.value.node(textOf(document.nodes.get(first)?.type));
  const names = new Set(common.map((one) => one.name));
  // What no field below shows: a type, or a property, that there is not.
  const loose = rest.length ? [] : (problems.value.get(first) ?? []).filter((one) => !one.property || !names.has(one.property));
  if (isFace(type)) common.sort((a, b) => Number(b.name === "value") - Number(a.name === "value"));
  return (
    <div class="fields">
      {ids.length === 1 && isCrop(first) && !file.value.readOnly && <button type="button" class="button" disabled={!groundOf(first, "image")} onClick={() => (dialog.value = { kind: "crop", data: { node: first } })}>{t.cropOnImage}</button>}
      {ids.length === 1 && hasInner(first) && <button type="button" class="button" onClick={() => openInner(first)}>{t.openInner}</button>}
      {loose.map((problem, index) => <ProblemLine key={index} problem={problem} ids={ids} />)}
      {common.map((property) => <ValueRow key={`${first} ${property.name}`} ids={ids} property={property} />)}
      {common.length === 0 && <p class="muted">{type ? t.noValues : t.valuesKept}</p>}
      {!type && rest.length === 0 && <div class="sample"><pre tabIndex={0}>{writeJson(part(document.nodes.get(first), "data"))}</pre></div>}
      {ids.length === 1 && !file.value.readOnly && takesAny(types.value, document, first) && <AddProperty id={first} />}
      {ids.length === 1 && type && (
        <details class="more-fields">
          <summary>{t.more}</summary>
          <label for="node-title">{t.title}</label>
          <input id="node-title" class="input" value={textOf(part(document.nodes.get(first), "ui_properties").title)} placeholder={titleOf(type.type)} disabled={file.value.readOnly} onInput={(event) => setUi([first], "title", event.currentTarget.value || undefined, `title ${first}`)} />
          <IdField id={first} />
          <Colors label={t.color} value={colorOf(part(document.nodes.get(first), "ui_properties").color)} onChange={(color) => setUi([first], "color", color)} />
        </details>
      )}
    </div>
  );
}

/** For a node that takes properties of any name. */
function AddProperty({ id }: { id: string }) {
  const [name, setName] = useState("");
  const taken = portsOf(id).properties.some((one) => one.name === name.trim());
  return (
    <form
      class="add-property"
      onSubmit={(event) => {
        event.preventDefault();
        if (!name.trim() || taken) return;
        setDynamic(id, name.trim(), "");
        setName("");
      }}
    >
      <input class="input" value={name} placeholder={t.nameOfProperty} aria-label={t.nameOfProperty} aria-invalid={taken || undefined} autocomplete="off" spellcheck={false} onInput={(event) => setName(event.currentTarget.value)} />
      <button type="submit" class="button" disabled={!name.trim() || taken}>{t.addItem}</button>
    </form>
  );
}

export function IdField({ id }: { id: string }) {
  const [text, setText] = useState(id);
  useEffect(() => setText(id), [id]);
  const taken = text !== id && opened.value.document.nodes.has(text);
  return (
    <>
      <label for="node-id">{t.id}</label>
      <input id="node-id" class="input mono" value={text} aria-invalid={taken || undefined} spellcheck={false} disabled={file.value.readOnly} onInput={(event) => setText(event.currentTarget.value)} onBlur={() => { if (text && !taken && text !== id && renameNode(id, text)) return; setText(id); }} />
    </>
  );
}

function ValueRow({ ids, property: declared }: { ids: string[]; property: Property }) {
  const { document } = opened.value;
  const id = ids[0]!;
  const record = document.nodes.get(id);
  const property = asGiven(declared, record, types.value.node(textOf(record?.type)));
  const edge = ids.length === 1 ? document.edgeInto(id, property.name) : undefined;
  const value = valueOf(record, property);
  const { name: typeName, kind: typeKind } = types.value.info(property.type);
  const kind = fieldKind(property, types.value, value);
  const wrong = problems.value.get(id)?.filter((one) => one.property === property.name) ?? [];
  const fieldId = `i-${property.name}`;
  const changed = !edge && isChanged(record, property);
  return (
    <div class={`field ${wrong.length ? "wrong" : ""} ${changed ? "changed" : ""} kind-of-${kind}`}>
      <div class="field-head">
        <label for={fieldId}>{labelOf(property.name)}</label>
        {property.required && <span class="tag">{t.required}</span>}
        <span class={`type kind-${typeKind}`}>{property.choices ? "" : typeName}</span>
        {ids.length === 1 && !file.value.readOnly && canBeInput(id, property) && <IconButton icon="form" label={t.makeInput} class="quiet" onClick={() => makeInput(id, property)} />}
        {changed && !file.value.readOnly && <IconButton icon="again" label={t.reset} onClick={() => setValues(ids, property.name, undefined)} />}
      </div>
      {edge ? (
        <button type="button" class="from" onClick={() => showNode(edge.source)}>
          <Icon name="link" size={14} /> {t.connectedTo(`${title(edge.source)}.${labelOf(edge.sourceHandle)}`)}
        </button>
      ) : (
        <Field id={fieldId} property={property} typeName={typeName} kind={kind} value={value} label={labelOf(property.name)} node={id} disabled={file.value.readOnly} invalid={wrong.length > 0} describedBy={`${fieldId}-about`} onChange={(next) => setValues(ids, property.name, next)} />
      )}
      {wrong.map((problem, index) => <ProblemLine key={index} problem={problem} ids={ids} />)}
      <p class="field-about" id={`${fieldId}-about`}>{property.description}{edge ? "" : <Limits property={property} />}</p>
    </div>
  );
}

/** What a property may be, and what it is where nothing is said. */
function Limits({ property: { min, max, above, below, default: given, choices, description } }: { property: Property }) {
  const low = min ?? above;
  const high = max ?? below;
  const said = [
    low === undefined && high === undefined ? "" : t.within(low === undefined ? "" : String(low), high === undefined ? "" : String(high)),
    given === undefined || given === null || given === "" || typeof given === "object" || choices?.length === 1 ? "" : t.byDefault(String(given)),
  ].filter(Boolean);
  return said.length ? <span class="limits">{description && " · "}{said.join(" · ")}</span> : null;
}

function ProblemLine({ problem, ids }: { problem: Problem; ids: string[] }) {
  return (
    <p class={problem.level === "warning" || problem.level === "note" ? "problem" : "problem bad"}>
      {problem.message} {problem.hint}
      {problem.fix && !file.value.readOnly && <button type="button" class="text-button" onClick={() => applyFix(problem, ids)}>{t.applyFix(problem.fix.text)} <kbd>{shownKey("Alt+Enter")}</kbd></button>}
    </p>
  );
}

function Why({ id }: { id: string }) {
  versionOf(id).value;
  check.value;
  const state = nodeState(id);
  const known = checkOf(id);
  const made = madeOf(id);
  const { document } = opened.value;
  const above = [...new Set(document.edgesInto(id).map((edge) => edge.source))];
  return (
    <div class="why">
      <p class={`why-state is-${state.mark}`}>
        <span class={`mark mark-${state.mark}`} aria-hidden="true">{MARKS[state.mark]}</span>
        <strong>{t.marks[state.mark]}</strong>
      </p>
      {state.reason && <p>{state.reason}</p>}
      {made && <p class="muted">{t.seconds(made.seconds)} · {t.made(timeText(made.at))}</p>}
      {(problems.value.get(id) ?? []).map((problem, index) => <ProblemLine key={index} problem={problem} ids={[id]} />)}
      {above.length > 0 && (
        <>
          <h3>{t.upstream}</h3>
          <ul class="list">
            {above.map((one) => {
              const { mark } = nodeState(one);
              return (
                <li key={one}>
                  <button type="button" class="list-button" onClick={() => showNode(one)}>
                    <span class={`mark mark-${mark}`} aria-hidden="true">{MARKS[mark]}</span>
                    <span>{title(one)}</span>
                    <span class="muted">{t.marks[mark]}</span>
                  </button>
                </li>
              );
            })}
          </ul>
        </>
      )}
      {known?.key && <p class="muted small mono key" title={freshKeys.has(known.key) ? t.marks.known : undefined}>{known.key}</p>}
    </div>
  );
}

export function Help({ type: name }: { type: string }) {
  const type = types.value.node(name);
  if (!type) return <p class="muted">{t.unknownType}</p>;
  return (
    <div class="help">
      <p>{type.description}</p>
      {type.use_cases.length > 0 && <h3>{t.useCases}</h3>}
      <ul>{type.use_cases.map((one) => <li key={one}>{one}</li>)}</ul>
      {type.outputs.length > 0 && <h3>{t.outputs}</h3>}
      {type.outputs.map((one) => (
        <p key={one.name}><span class={`type kind-${types.value.info(one.type).kind}`}>{types.value.info(one.type).name}</span> {labelOf(one.name)}. {one.description}</p>
      ))}
      <p class="muted small mono">{t.wholeReference(type.type)}</p>
      <p class="tags">{type.tags.map((tag) => <span class="tag" key={tag}>{tag}</span>)}</p>
    </div>
  );
}

/** A few colours to choose from; none of them takes it away. */
function Colors({ label, value, onChange, must = false }: { label: string; value: string | undefined; onChange: (color: string | undefined) => void; must?: boolean }) {
  return (
    <div class="colors" role="group" aria-label={label}>
      {COLORS.map((color) => (
        <button key={color} type="button" class="color-dot" style={{ "--tint": color }} aria-label={`${label} ${color}`} aria-pressed={value === color} disabled={file.value.readOnly} onClick={() => onChange(color)} />
      ))}
      {!must && value !== undefined && <IconButton icon="close" label={t.noColor} onClick={() => onChange(undefined)} />}
    </div>
  );
}

function FramePane({ id }: { id: string }) {
  const frame = readFrames(opened.value.document).find((one) => one.id === id);
  if (!frame) return <AboutWorkflow />;
  return (
    <section class="inspector" id="inspector" aria-label={t.inspector}>
      <header class="inspector-head"><h2>{t.frame}: {frame.title}</h2></header>
      <div class="inspector-pane fields">
        <div class="field">
          <div class="field-head"><label for="frame-title">{t.title}</label></div>
          <input id="frame-title" class="input" value={frame.title} disabled={file.value.readOnly} onInput={(event) => setFrame(id, "title", event.currentTarget.value)} />
        </div>
        <div class="field">
          <div class="field-head"><span>{t.color}</span></div>
          <Colors label={t.color} value={frame.color} must onChange={(color) => color && setFrame(id, "color", color)} />
        </div>
        <button type="button" class="button" onClick={() => select(frame.nodes)}>{t.selectNodes}</button>
        <button type="button" class="button" disabled={file.value.readOnly} onClick={() => perform("delete")}>{t.removeFrame}</button>
      </div>
    </section>
  );
}

/** Nodes with mistakes that are listed at once. */
const MISTAKES = 20;

function AboutWorkflow() {
  const { document } = opened.value;
  const loose = problems.value.get("") ?? [];
  const notes = check.value?.notes ?? [];
  const wrong = [...problems.value].filter(([id]) => id !== "");
  return (
    <section class="inspector" id="inspector" aria-label={t.inspector}>
      <header class="inspector-head"><h2>{t.workflowAbout}</h2></header>
      <div class="inspector-pane">
        <div class="fields">
          <div class="field">
            <div class="field-head"><label for="w-name">{t.name}</label></div>
            <input id="w-name" class="input" value={document.name} placeholder={t.untitled} disabled={file.value.readOnly} onInput={(event) => setField("name", event.currentTarget.value)} />
          </div>
          <div class="field">
            <div class="field-head"><label for="w-description">{t.description}</label></div>
            <textarea id="w-description" class="input area" rows={4} value={document.description} disabled={file.value.readOnly} onInput={(event) => setField("description", event.currentTarget.value)} />
          </div>
        </div>
        {[...loose, ...notes].map((problem, index) => <ProblemLine key={index} problem={problem} ids={[]} />)}
        {wrong.length > 0 && (
          <>
            <h3>{t.problems}</h3>
            <ul class="list">{wrong.slice(0, MISTAKES).map(([id, [first]]) => <li key={id}><button type="button" class="list-button mistake" onClick={() => showNode(id)}><strong>{title(id)}</strong><span class="small muted">{first!.message}</span></button></li>)}</ul>
          </>
        )}
        <p class="muted small hint">{t.nothingChosenHint}</p>
      </div>
    </section>
  );
}
