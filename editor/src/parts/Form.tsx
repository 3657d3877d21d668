/** A workflow without its nodes: its inputs as a form, its results beside them. */
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { imageUrl, uploaded } from "../app/images.ts";
import { route } from "../app/route.ts";
import { expected } from "../app/timings.ts";
import { cancelRun, complain, drawnSeed } from "../app/running.ts";
import { check, dialog, file, opened, revision, runTick, placeName, runs, server, shownRun, status, types } from "../app/store.ts";
import { type FormField, fieldsOfDocument, fieldsOfSchema } from "../model/form.ts";
import type { JsonObject } from "../model/json.ts";
import { fractionDone, hasEnded, runOfJob } from "../model/runs.ts";
import type { Job, WorkflowInfo } from "../net/schema.ts";
import { Field } from "./fields/Field.tsx";
import { imageFrom } from "./fields/Image.tsx";
import { FormResult } from "./FormResult.tsx";
import { Icon } from "./Icon.tsx";
import { t } from "./text.ts";

/** Values that were given here, by workflow: they stay when the view is another for a while. */
const given = signal<Record<string, JsonObject>>({});

/** Images that runs were given, by job: what a result is compared with. */
const before = new Map<string, string>();

export default function Form() {
  const name = route.value.name || file.value.name;
  const [info, setInfo] = useState<WorkflowInfo | null>(null);
  const [job, setJob] = useState<Job | null>(null);
  const [runId, setRunId] = useState<string | null>(null);
  const [earlier, setEarlier] = useState<Job[]>([]);
  const own = status.value?.owner === true && (name === file.value.name || !name);
  const lookBack = (): void => void server.api.jobs({ workflow: name, limit: "24" }).then((answer) => setEarlier(answer.jobs), () => undefined);
  useEffect(() => {
    setJob(null);
    setRunId(null);
    setInfo(null);
    lookBack();
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
    if (!runId || !state || !hasEnded(state)) return;
    server.api.job(runId).then(setJob, complain);
    lookBack();
  }, [runId, state]);

  const set = (field: FormField, value: unknown): void => {
    const { [field.name]: _before, ...rest } = values;
    given.value = { ...given.value, [name]: value === undefined ? rest : { ...rest, [field.name]: value as never } };
  };
  const photo = found.find((field) => field.kind === "image");
  const start = async (more: JsonObject = {}): Promise<void> => {
    try {
      const inputs = { ...values, ...more };
      const next = own
        ? await server.api.run({ workflow: document.toJson(), name: placeName() || undefined, inputs, previews: true, wait: false })
        : await server.api.runNamed(name, inputs);
      const url = photo && imageUrl(inputs[photo.name] ?? photo.value);
      if (url) before.set(next.id, url);
      if (!runs.value.some((one) => one.id === next.id)) runs.value = [...runs.value, runOfJob(next)];
      shownRun.value = runs.value.find((one) => one.id === next.id)!;
      setRunId(next.id);
    } catch (error) {
      complain(error);
    }
  };
  /** An image that is dropped or pasted anywhere goes to the first field that takes one. */
  const take = (data: DataTransfer | null): boolean => {
    const blob = imageFrom(data);
    if (!blob || !photo) return false;
    uploaded(blob).then((value) => set(photo, value), complain);
    return true;
  };
  useEffect(() => {
    const paste = (event: ClipboardEvent): void => {
      if (!event.defaultPrevented && !dialog.peek() && take(event.clipboardData)) event.preventDefault();
    };
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  });
  const seed = found.find((field) => field.property.seed);
  const missing = found.filter((field) => field.property.required && (values[field.name] ?? field.value) === undefined);
  const active = run && !hasEnded(run.state);
  const fields = (more: boolean) => found.filter((field) => field.more === more);
  const row = (field: FormField) => <FormRow key={field.name} field={field} value={values[field.name] ?? field.value} onChange={(value) => set(field, value)} />;
  return (
    <main class="form-view" onDragOver={(event) => event.preventDefault()} onDrop={(event) => { event.preventDefault(); take(event.dataTransfer); }}>
      <form class="form-inputs" onSubmit={(event) => { event.preventDefault(); if (!active) void start(); }}>
        <div class="form-scroll">
          <h1>{title}</h1>
          {about && <p class="muted">{about}</p>}
          {found.length === 0 && (own || info) && <p class="muted">{t.noInputs}</p>}
          {fields(false).map((field, index, all) => (
            <>
              {field.group && field.group !== all[index - 1]?.group && <h2 class="form-group">{field.group}</h2>}
              {row(field)}
            </>
          ))}
          {fields(true).length > 0 && (
            <details class="more-fields">
              <summary>{t.more}<span class="muted small">{fields(true).map((field) => field.label).join(", ")}</span></summary>
              {fields(true).map(row)}
            </details>
          )}
          {name && (own || info) && <p><button type="button" class="text-button" onClick={() => (dialog.value = { kind: "calls", data: { name } })}>{t.callThis}</button></p>}
        </div>
        <footer class="form-foot">
          {active ? (
            <button type="button" class="button primary large" onClick={() => void cancelRun(run.id)}>
              <progress max={1} value={fractionDone(run)} aria-label={t.running} />
              <Icon name="stop" size={14} /> {t.cancel}
            </button>
          ) : (
            <button type="submit" class="button primary large" disabled={missing.length > 0} aria-describedby="form-about">
              <Icon name="play" size={14} /> {t.run}
            </button>
          )}
          {seed && job && !active && <button type="button" class="button large" onClick={() => void start({ [seed.name]: drawnSeed() })}>{t.again}</button>}
          <span class="muted small" id="form-about">{active ? (run.state === "queued" ? t.states.queued : "") : missing.length ? t.needsFirst(missing.map((field) => field.label).join(", ")) : <About job={job} own={own} />}</span>
        </footer>
      </form>
      <section class="form-results" aria-label={t.result} aria-live="polite">
        <FormResult run={run ?? null} job={job} earlier={earlier} before={job ? before.get(job.id) : undefined} onShow={setJob} onUse={photo && ((image) => set(photo, image))} />
      </section>
    </main>
  );
}

function About({ job, own }: { job: Job | null; own: boolean }) {
  const nodes = own ? Object.entries(check.value?.nodes ?? {}) : [];
  const known = expected(nodes.filter(([, node]) => node.state === "missing" || node.state === "volatile").map(([id]) => id));
  return <>{job ? t.seconds(Number(job.report.seconds ?? 0)) : known ? t.runAbout(t.seconds(known)) : ""}</>;
}

function FormRow({ field, value, onChange }: { field: FormField; value: never | FormField["value"]; onChange: (value: unknown) => void }) {
  const id = `f-${field.name}`;
  return (
    <div class={`field kind-of-${field.kind}`}>
      <div class="field-head">
        <label for={id}>{field.label}</label>
        {field.property.required && <span class="tag">{t.required}</span>}
      </div>
      <Field id={id} property={field.property} typeName={field.typeName} kind={field.kind} value={value} label={field.label} describedBy={`${id}-about`} onChange={onChange} />
      {field.property.description && <p class="field-about" id={`${id}-about`}>{field.property.description}</p>}
    </div>
  );
}
