/** A workflow without its nodes: its inputs as a form, its results beside them. */
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { history } from "../app/jobs.ts";
import { imagesOf } from "../app/results.ts";
import { route } from "../app/route.ts";
import { cancelRun, complain, drawnSeed } from "../app/running.ts";
import { check, dialog, file, opened, revision, runTick, runs, server, shownRun, status, types } from "../app/store.ts";
import { type FormField, fieldsOfDocument, fieldsOfSchema } from "../model/form.ts";
import type { JsonObject } from "../model/json.ts";
import { type Run, fractionDone, hasEnded, runOfJob } from "../model/runs.ts";
import { labelOf } from "../model/types.ts";
import type { Job, WorkflowInfo } from "../net/schema.ts";
import { t, timeText } from "../text.ts";
import { Field } from "./fields/Field.tsx";
import { Icon } from "./Icon.tsx";
import { ResultValueView } from "./Result.tsx";

/** Values that were given here, by workflow: they stay when the view is another for a while. */
const given = signal<Record<string, JsonObject>>({});

export default function Form() {
  const name = route.value.name || file.value.name;
  const [info, setInfo] = useState<WorkflowInfo | null>(null);
  const [job, setJob] = useState<Job | null>(null);
  const [runId, setRunId] = useState<string | null>(null);
  const own = status.value?.owner === true;
  useEffect(() => {
    setJob(null);
    setRunId(null);
    if (!own && name) server.api.workflow(name).then(setInfo, complain);
  }, [name, own]);
  revision.value;
  runTick.value;
  const document = opened.value.document;
  const found = own ? fieldsOfDocument(document, types.value) : info ? fieldsOfSchema(info) : [];
  const title = own ? document.name || file.value.name || t.untitled : info?.title || name;
  const about = own ? document.description : info?.description;
  const values = given.value[name] ?? {};
  const run = runs.value.find((one) => one.id === runId) ?? (shownRun.value?.id === runId ? shownRun.value : null);
  const state = run?.state;
  useEffect(() => {
    if (runId && state && hasEnded(state)) server.api.job(runId).then(setJob, complain);
  }, [runId, state]);

  const set = (field: FormField, value: unknown): void => {
    const { [field.name]: _before, ...rest } = values;
    given.value = { ...given.value, [name]: value === undefined ? rest : { ...rest, [field.name]: value as never } };
  };
  const start = async (more: JsonObject = {}): Promise<void> => {
    try {
      const inputs = { ...values, ...more };
      const next = own
        ? await server.api.run({ workflow: document.toJson(), name: file.value.name || undefined, inputs, previews: true, wait: false })
        : await server.api.runNamed(name, inputs);
      if (!runs.value.some((one) => one.id === next.id)) runs.value = [...runs.value, runOfJob(next)];
      shownRun.value = runs.value.find((one) => one.id === next.id)!;
      setRunId(next.id);
    } catch (error) {
      complain(error);
    }
  };
  const seed = found.find((field) => field.property.seed);
  const missing = found.some((field) => field.property.required && (values[field.name] ?? field.value) === undefined);
  const active = run && !hasEnded(run.state);
  const fields = (more: boolean) => found.filter((field) => field.more === more);
  const row = (field: FormField) => <FormRow key={field.name} field={field} value={values[field.name] ?? field.value} onChange={(value) => set(field, value)} />;
  return (
    <main class="form-view">
      <form class="form-inputs" onSubmit={(event) => { event.preventDefault(); if (!active) void start(); }}>
        <div class="form-scroll">
          <h1>{title}</h1>
          {about && <p class="muted">{about}</p>}
          {found.length === 0 && <p class="muted">{t.noInputs}</p>}
          {fields(false).map(row)}
          {fields(true).length > 0 && (
            <details class="more-fields">
              <summary>{t.more}<span class="muted small">{fields(true).map((field) => labelOf(field.name)).join(", ")}</span></summary>
              {fields(true).map(row)}
            </details>
          )}
        </div>
        <footer class="form-foot">
          {active ? (
            <button type="button" class="button primary large" onClick={() => void cancelRun(run.id)}>
              <progress max={1} value={fractionDone(run)} aria-label={t.running} />
              <Icon name="stop" size={14} /> {t.cancel}
            </button>
          ) : (
            <button type="submit" class="button primary large" disabled={missing}>
              <Icon name="play" size={14} /> {t.run}
            </button>
          )}
          {seed && job && !active && <button type="button" class="button large" onClick={() => void start({ [seed.name]: drawnSeed() })}>{t.again}</button>}
          {!active && <About job={job} />}
        </footer>
      </form>
      <section class="form-results" aria-label={t.result} aria-live="polite">
        <Results run={run ?? null} job={job} name={name} onShow={setJob} />
      </section>
    </main>
  );
}

function About({ job }: { job: Job | null }) {
  const known = Object.values(check.value?.nodes ?? {}).reduce((sum, node) => sum + (node.state === "missing" ? (node.seconds ?? 0) : 0), 0);
  const text = job ? t.seconds(Number(job.report.seconds ?? 0)) : known ? t.runAbout(t.seconds(known)) : "";
  return text ? <span class="muted small">{text}</span> : null;
}

function FormRow({ field, value, onChange }: { field: FormField; value: never | FormField["value"]; onChange: (value: unknown) => void }) {
  const id = `f-${field.name}`;
  return (
    <div class={`field kind-of-${field.kind}`}>
      <div class="field-head">
        <label for={id}>{labelOf(field.name)}</label>
        {field.property.required && <span class="tag">{t.required}</span>}
      </div>
      <Field id={id} property={field.property} typeName={field.typeName} kind={field.kind} value={value} label={labelOf(field.name)} describedBy={`${id}-about`} onChange={onChange} />
      {field.property.description && <p class="field-about" id={`${id}-about`}>{field.property.description}</p>}
    </div>
  );
}

interface ResultsProps {
  run: Run | null;
  job: Job | null;
  name: string;
  onShow: (job: Job) => void;
}

function Results({ run, job, name, onShow }: ResultsProps) {
  // A run is changed in place: without this, what it shows would stay.
  runTick.value;
  const active = run && !hasEnded(run.state);
  const preview = run ? [...run.previews.values()].at(-1) : undefined;
  const earlier = history.value.filter((one) => one.workflow === name && imagesOf(one).length).slice(0, 12);
  return (
    <>
      {active && (
        <div class="live">
          {preview ? <img src={preview} alt="" /> : <div class="pulse" />}
          <progress max={1} value={fractionDone(run)} aria-label={t.running} />
        </div>
      )}
      {!active && job?.problems.map((problem, index) => <p key={index} class="problem bad">{problem.message} {problem.hint}</p>)}
      {!active && job && Object.entries(job.outputs).map(([output, value]) => (
        <section key={output} class="output">
          <h2>{labelOf(output)}</h2>
          <ResultValueView value={value} onOpen={(index) => (dialog.value = { kind: "viewer", data: { images: imagesOf(job), index, title: job.workflow } })} />
        </section>
      ))}
      {!active && !job && (
        <div class="empty">
          <Icon name="image" size={36} />
          <h2>{t.formEmpty}</h2>
          <p>{t.formEmptyHint}</p>
        </div>
      )}
      {earlier.length > 0 && (
        <section class="earlier">
          <h2>{t.earlier}</h2>
          <div class="thumbs small">
            {earlier.map((one) => (
              <button key={one.id} type="button" class="thumb" title={timeText(one.ended ?? one.created)} aria-label={`${t.result}, ${timeText(one.ended ?? one.created)}`} onClick={() => onShow(one)}>
                <img src={`${imagesOf(one)[0]!.url}?side=128`} alt="" loading="lazy" />
              </button>
            ))}
          </div>
        </section>
      )}
    </>
  );
}
