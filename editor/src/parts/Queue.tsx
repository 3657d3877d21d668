/** The bottom strip: what runs, what waits, the newest results, the machine. */
import { useState } from "preact/hooks";
import { history, moveJob } from "../app/jobs.ts";
import { go } from "../app/route.ts";
import { cancelRun, cancelWaiting } from "../app/running.ts";
import { imagesOf } from "../app/results.ts";
import { dialog, runTick, runs, status } from "../app/store.ts";
import { type Run, fractionDone, hasEnded } from "../model/runs.ts";
import { labelOf } from "../model/types.ts";
import { thumbnail } from "../net/api.ts";
import { bytesText, timeText } from "../text.ts";
import { Icon, IconButton } from "./Icon.tsx";
import { t } from "./text.ts";

const STRIP = 14;

export default function Strip() {
  const [open, setOpen] = useState(false);
  runTick.value;
  const active = runs.value.filter((run) => !hasEnded(run.state));
  const waiting = active.filter((run) => run.state === "queued");
  const now = active.find((run) => run.state === "running");
  const images = history.value.flatMap((job) => imagesOf(job).slice(0, 2).map((image) => ({ job, image }))).slice(0, STRIP);
  return (
    <footer class="strip" aria-label={t.queue}>
      <button type="button" class="strip-queue" aria-expanded={open} onClick={() => setOpen(!open)}>
        {now ? <><span class="mark mark-running" aria-hidden="true">◐</span><span>{now.workflow || t.untitled}</span><progress max={1} value={fractionDone(now)} aria-label={t.running} /><span class="muted">{Math.round(fractionDone(now) * 100)} %</span></> : <><Icon name="clock" /><span class="muted">{t.nothingQueued}</span></>}
        {waiting.length > 0 && <span class="tag">{t.waitingJobs(waiting.length)}</span>}
      </button>
      {open && (
        <section class="queue-panel" aria-label={t.queue}>
          <QueueList active={active} />
        </section>
      )}
      <div class="strip-images">
        {images.map(({ job, image }, index) => (
          <button key={`${job.id} ${index}`} type="button" class="strip-image" title={`${job.workflow} · ${timeText(job.ended ?? job.created)}`} aria-label={`${t.result}, ${job.workflow}, ${timeText(job.ended ?? job.created)}`} onClick={() => (dialog.value = { kind: "viewer", data: { images: imagesOf(job), title: job.workflow } })}>
            <img src={thumbnail(image.url, 128)} alt="" loading="lazy" />
          </button>
        ))}
      </div>
      <button type="button" class="text-button" onClick={() => go({ view: "gallery", name: "" })}>
        <Icon name="grid" /> {t.gallery}
      </button>
      <Machine />
    </footer>
  );
}

function Machine() {
  const device = status.value?.devices[0];
  if (!device) return null;
  return (
    <span class="machine muted small" title={(status.value?.loaded_models ?? []).join("\n")}>
      {device.name}
      {device.total_bytes > 0 && <> · {bytesText(device.used_bytes)} / {bytesText(device.total_bytes)}</>}
    </span>
  );
}

export function QueueList({ active }: { active: Run[] }) {
  if (!active.length) return <p class="muted pad">{t.nothingQueued}</p>;
  const waiting = active.filter((run) => run.state === "queued").sort((a, b) => b.priority - a.priority || a.created - b.created);
  const at = (run: Run): string => {
    for (const [id, node] of run.nodes) if (node.state === "running") return node.total > 0 ? `${labelOf(id)} ${node.step}/${node.total}` : labelOf(id);
    return t.running;
  };
  return (
    <>
      <ol class="queue">
        {active.filter((run) => run.state === "running").map((run) => (
          <li key={run.id}>
            <span class="mark mark-running" aria-hidden="true">◐</span>
            <span class="queue-name">{run.label || run.workflow || t.untitled}<span class="muted small"> {at(run)}</span><progress max={1} value={fractionDone(run)} aria-label={t.running} /></span>
            <IconButton icon="stop" label={t.cancelRun} disabled={run.cancelling} onClick={() => void cancelRun(run.id)} />
          </li>
        ))}
        {waiting.map((run, index) => (
          <li key={run.id}>
            <span class="queue-number muted">{index + 1}</span>
            <span class="queue-name">{run.label || run.workflow || t.untitled}</span>
            <IconButton icon="up" label={t.sooner} disabled={index === 0} onClick={() => void moveJob(run.id, -1)} />
            <IconButton icon="down" label={t.later} disabled={index === waiting.length - 1} onClick={() => void moveJob(run.id, 1)} />
            <IconButton icon="close" label={t.cancel} onClick={() => void cancelRun(run.id)} />
          </li>
        ))}
      </ol>
      {waiting.length > 0 && <button type="button" class="button" onClick={() => void cancelWaiting()}>{t.cancelAll}</button>}
    </>
  );
}
