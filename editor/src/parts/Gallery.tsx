/** What was made, the newest first: whole runs, each with what can be done with it. */
import { useEffect, useState } from "preact/hooks";
import { history, historyNext, keepJob, keptOnly, loadHistory, loadOlder, removeJob } from "../app/jobs.ts";
import { addNode } from "../app/editing.ts";
import { showCopy } from "../app/files.ts";
import { movedContent } from "../app/relocating.ts";
import { imagesOf } from "../app/results.ts";
import { go } from "../app/route.ts";
import { complain } from "../app/running.ts";
import { dialog, file, runTick, runs, server, types, workflows } from "../app/store.ts";
import { screen, toCanvas } from "../canvas/view.ts";
import { hasEnded } from "../model/runs.ts";
import { thumbnail } from "../net/api.ts";
import type { ImageValue, Job } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { Icon, IconButton } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";
import { QueueList } from "./Queue.tsx";
import { t } from "./text.ts";

/** Jobs that are enough of what is looked for, and those that are looked at by the page itself. */
const FEW = 12;
const MOST_LOOKED_AT = 1000;

export default function Gallery() {
  const [filter, setFilter] = useState("");
  useEffect(() => void loadHistory(), [keptOnly.value]);
  runTick.value;
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const jobs = history.value.filter((job) => {
    const text = [job.workflow, job.label, ...job.prompts, JSON.stringify(job.report.seeds ?? "")].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  // What is looked for may be older than what is here.
  const isShort = words.length > 0 && jobs.length < FEW && historyNext.value !== null && history.value.length < MOST_LOOKED_AT;
  useEffect(() => {
    if (isShort) void loadOlder().catch(complain);
  }, [isShort, historyNext.value]);
  const active = runs.value.filter((run) => !hasEnded(run.state));
  return (
    <main class="gallery">
      <header class="page-head">
        <h1>{t.gallery}</h1>
        <input class="input filter" type="search" placeholder={t.filterGallery} aria-label={t.filterGallery} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
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
      {jobs.map((job) => <JobRow key={job.id} job={job} />)}
      {historyNext.value && <button type="button" class="button" onClick={() => void loadOlder().catch(complain)}>{t.loadMore}</button>}
    </main>
  );
}

function JobRow({ job }: { job: Job }) {
  const [shown, setShown] = useState(12);
  const images = imagesOf(job);
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
        <Menu label={t.more} items={[{ text: t.openWorkflow, run: openWorkflow }, { text: t.remove, danger: true, run: () => void removeJob(job).catch(complain) }]}>
          <Icon name="more" />
        </Menu>
      </header>
      {job.prompts.length > 0 && <p class="prompt small muted" title={job.prompts.join("\n")}>{job.prompts.join(" · ")}</p>}
      {problem && <p class="problem bad">{problem.message} {problem.hint}</p>}
      <div class="thumbs">
        {images.slice(0, shown).map((image, index) => (
          <span class="tile" key={image.url}>
            <button type="button" class="thumb" aria-label={`${t.result} ${index + 1}, ${image.width}×${image.height}`} onClick={() => (dialog.value = { kind: "viewer", data: { images, index, title: job.workflow } })}>
              <img src={thumbnail(image.url, 384)} alt="" loading="lazy" width={image.width} height={image.height} />
            </button>
            <IconButton icon="link" label={t.useAsInput} onClick={() => useAsInput(image)} />
          </span>
        ))}
      </div>
      {images.length > shown && <button type="button" class="button" onClick={() => setShown(shown + 48)}>{t.loadMore} ({images.length - shown})</button>}
    </article>
  );
}

const IMAGE_INPUT = "nodetool.input.ImageInput";

/** Adds an input with this image to the workflow that is open. */
export function useAsInput(image: ImageValue): void {
  const type = types.value.node(IMAGE_INPUT);
  const id = image.asset_id ?? /\/v1\/files\/([0-9a-f]+)/.exec(image.url)?.[1];
  if (!type || !id) return;
  go({ view: "graph", name: file.value.name });
  const { width, height } = screen.peek();
  addNode(type, toCanvas(width / 2 - 120, height / 3), undefined, { value: { type: "image", asset_id: id } });
}
