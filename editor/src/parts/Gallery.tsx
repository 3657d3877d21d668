/** What was made, the newest first: whole runs, each with what can be done with it. */
import { useEffect, useState } from "preact/hooks";
import { history, historyNext, keepJob, keptOnly, loadHistory, loadOlder, removeJob } from "../app/jobs.ts";
import { showCopy } from "../app/files.ts";
import { movedContent } from "../app/relocating.ts";
import { imagesIn, imagesOf } from "../app/results.ts";
import { complain } from "../app/running.ts";
import { dialog, runTick, runs, server, status, workflows } from "../app/store.ts";
import { told } from "../app/telling.ts";
import { useAsInput } from "../app/using.ts";
import { hasEnded } from "../model/runs.ts";
import { labelOf } from "../model/types.ts";
import { thumbnail } from "../net/api.ts";
import type { Job } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { Icon, IconButton } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";
import { QueueList } from "./Queue.tsx";
import { dayText, t } from "./text.ts";

/** Jobs that are enough of what is looked for, and those that are looked at by the page itself. */
const FEW = 12;
const MOST_LOOKED_AT = 1000;

export default function Gallery() {
  const [filter, setFilter] = useState("");
  const [from, setFrom] = useState("");
  useEffect(() => void loadHistory(), [keptOnly.value]);
  runTick.value;
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const jobs = history.value.filter((job) => {
    const text = [job.workflow, job.label, ...job.prompts, JSON.stringify(job.report.seeds ?? "")].join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && (!from || from in job.outputs);
  });
  const outputs = [...new Set(history.value.flatMap((job) => Object.keys(job.outputs)))].sort();
  const seconds = status.value?.limits.results_seconds ?? 0;
  // What is looked for may be older than what is here.
  const isShort = words.length > 0 && jobs.length < FEW && historyNext.value !== null && history.value.length < MOST_LOOKED_AT;
  useEffect(() => {
    if (isShort) void loadOlder().catch(complain);
  }, [isShort, historyNext.value]);
  const active = runs.value.filter((run) => !hasEnded(run.state));
  const byDay = new Map<string, Job[]>();
  for (const job of jobs) {
    const day = dayText(job.ended ?? job.created);
    byDay.set(day, [...(byDay.get(day) ?? []), job]);
  }
  return (
    <main class="gallery">
      <header class="page-head">
        <h1>{t.gallery}</h1>
        <input class="input filter" type="search" placeholder={t.filterGallery} aria-label={t.filterGallery} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        {outputs.length > 1 && (
          <select class="input select gallery-from" aria-label={t.from} value={from} onChange={(event) => setFrom(event.currentTarget.value)}>
            <option value="">{t.fromAny}</option>
            {outputs.map((one) => <option key={one} value={one}>{labelOf(one)}</option>)}
          </select>
        )}
        <label class="check"><input type="checkbox" checked={keptOnly.value} onChange={(event) => (keptOnly.value = event.currentTarget.checked)} /> {t.onlyKept}</label>
      </header>
      {active.length > 0 && <section class="gallery-queue" aria-label={t.queue}><QueueList active={active} /></section>}
      {jobs.length === 0 && (
        <div class="empty">
          <Icon name="image" size={36} />
          <h2>{t.noHistory}</h2>
          <p>{t.noHistoryHint}</p>
        </div>
      )}
      {[...byDay].map(([day, made]) => (
        <section key={day} class="day" aria-label={day}>
          <h2>{day}</h2>
          {made.map((job) => <JobRow key={job.id} job={job} from={from} />)}
        </section>
      ))}
      {jobs.length > 0 && seconds > 0 && <p class="muted small">{t.removedAfter(t.hours(seconds / 3600))}</p>}
      {historyNext.value && <button type="button" class="button" onClick={() => void loadOlder().catch(complain)}>{t.loadMore}</button>}
    </main>
  );
}

function JobRow({ job, from }: { job: Job; from: string }) {
  const [shown, setShown] = useState(12);
  const images = from ? imagesIn(job.outputs[from]) : imagesOf(job);
  const show = (index: number, compared = false): void => void (dialog.value = { kind: "viewer", data: { images, index, title: job.workflow, compared } });
  const { computed, cached, seconds } = job.report as { computed?: number; cached?: number; seconds?: number };
  const [problem] = job.problems;
  const openWorkflow = async (): Promise<void> => {
    try {
      const from = workflows.value.some((one) => one.name === job.workflow) ? job.workflow : "";
      showCopy(await movedContent(await server.api.jobDocument(job.id), from, ""), `${job.workflow || t.untitled} @ ${timeText(job.ended ?? job.created)}`);
    } catch (error) {
      complain(error);
    }
  };
  return (
    <article class={`job is-${job.state}`} aria-label={`${job.workflow || t.untitled}, ${timeText(job.ended ?? job.created)}`}>
      <header>
        <strong>{job.label || job.workflow || t.untitled}</strong>
        <span class="muted small">
          {[timeText(job.ended ?? job.created), job.state === "done" ? "" : t.states[job.state], seconds === undefined ? "" : t.seconds(seconds), computed === undefined ? "" : t.computedOf(computed, cached ?? 0)].filter(Boolean).join(" · ")}
        </span>
        <span class="spring" />
        <IconButton icon="star" label={job.kept ? t.kept : t.keep} pressed={job.kept} filled={job.kept} onClick={() => void keepJob(job, !job.kept).catch(complain)} />
        <Menu label={t.more} items={[{ text: t.openWorkflow, run: openWorkflow }, { text: t.valuesOf, run: () => (dialog.value = { kind: "values", data: { job } }) }, ...(images.length ? [{ text: t.compare, run: () => show(0, true) }] : []), { text: t.remove, danger: true, run: () => void removeJob(job).catch(complain) }]}>
          <Icon name="more" />
        </Menu>
      </header>
      {job.prompts.length > 0 && <p class="prompt small muted" title={job.prompts.join("\n")}>{job.prompts.join(" · ")}</p>}
      {problem && <p class="problem bad">{told(problem)}</p>}
      <div class="thumbs">
        {images.slice(0, shown).map((image, index) => (
          <span class="tile" key={image.url}>
            <button type="button" class="thumb" aria-label={`${t.result} ${index + 1}, ${image.width}×${image.height}`} onClick={() => show(index)}>
              <img src={thumbnail(image.url, 384)} alt="" loading="lazy" width={image.width} height={image.height} />
            </button>
            <IconButton icon="link" label={t.useAsInput} onClick={() => void useAsInput(image)} />
          </span>
        ))}
      </div>
      {images.length > shown && <button type="button" class="button" onClick={() => setShown(shown + 48)}>{t.loadMore} ({images.length - shown})</button>}
    </article>
  );
}
