/** What a form gave: while it runs, its steps; then each output at full size, beside earlier ones. */
import { useState } from "preact/hooks";
import { imagesIn, imagesOf } from "../app/results.ts";
import { dialog, runTick } from "../app/store.ts";
import { told } from "../app/telling.ts";
import { type Run, fractionDone, hasEnded } from "../model/runs.ts";
import { labelOf } from "../model/types.ts";
import { thumbnail } from "../net/api.ts";
import type { ImageValue, Job, ResultValue } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { Icon } from "./Icon.tsx";
import { ResultValueView } from "./Result.tsx";
import { t } from "./text.ts";

interface Props {
  run: Run | null;
  job: Job | null;
  earlier: Job[];
  /** Where the image is that the job was given. */
  before: string | undefined;
  onShow: (job: Job) => void;
  /** Takes an image as the form's own; undefined where it has no field for one. */
  onUse: ((image: { type: "image"; asset_id: string }) => void) | undefined;
}

export function FormResult({ run, job, earlier, before, onShow, onUse }: Props) {
  // A run is changed in place: without this, what it shows would stay.
  runTick.value;
  const active = run && !hasEnded(run.state);
  const preview = run ? [...run.previews.values()].at(-1) : undefined;
  const shown = earlier.filter((one) => imagesOf(one).length > 0);
  return (
    <>
      {active && (
        <div class="live">
          {preview ? <img src={preview} alt="" /> : <div class="pulse" />}
          <progress max={1} value={fractionDone(run)} aria-label={t.running} />
        </div>
      )}
      {!active && job?.problems.map((problem, index) => <p key={index} class="problem bad">{told(problem)}</p>)}
      {!active && job && job.state !== "done" && job.problems.length === 0 && <p class="muted">{t.states[job.state]}</p>}
      {!active && job && Object.entries(job.outputs).map(([output, value]) => (
        <section key={`${job.id} ${output}`} class="output">
          <Output job={job} name={output} value={value} before={before} onUse={onUse} />
        </section>
      ))}
      {!active && !job && (
        <div class="empty">
          <Icon name="image" size={36} />
          <h2>{t.formEmpty}</h2>
          <p>{t.formEmptyHint}</p>
        </div>
      )}
      {shown.length > 0 && (
        <section class="earlier">
          <h2>{t.earlier}</h2>
          <div class="thumbs small">
            {shown.map((one) => (
              <button key={one.id} type="button" class="thumb" aria-current={one.id === job?.id ? "true" : undefined} title={timeText(one.ended ?? one.created)} aria-label={`${t.result}, ${timeText(one.ended ?? one.created)}`} onClick={() => onShow(one)}>
                <img src={thumbnail(imagesOf(one)[0]!.url, 128)} alt="" loading="lazy" />
              </button>
            ))}
          </div>
        </section>
      )}
    </>
  );
}

interface OutputProps {
  job: Job;
  name: string;
  value: ResultValue;
  before: string | undefined;
  onUse: Props["onUse"];
}

function Output({ job, name, value, before, onUse }: OutputProps) {
  const [image, ...more] = imagesIn(value);
  const [compared, setCompared] = useState(false);
  const open = (index: number): void => {
    const images = imagesOf(job);
    const first = images.findIndex((one) => one.url === image?.url);
    dialog.value = { kind: "viewer", data: { images, index: Math.max(0, first) + index, title: job.workflow, ...(onUse ? { onUse: (one: ImageValue) => one.asset_id && onUse({ type: "image", asset_id: one.asset_id }) } : {}) } };
  };
  if (!image || more.length) return <><h2>{labelOf(name)}</h2><ResultValueView value={value} onOpen={open} /></>;
  const id = image.asset_id;
  return (
    <>
      <header class="output-head">
        <h2>{labelOf(name)}</h2>
        <span class="muted small">{image.width} × {image.height}</span>
        <span class="spring" />
        {before && <button type="button" class="button" aria-pressed={compared} onClick={() => setCompared(!compared)}><Icon name="swap" /> {t.beforeAfter}</button>}
        {onUse && id && <button type="button" class="button" onClick={() => onUse({ type: "image", asset_id: id })}><Icon name="link" /> {t.useAsInput}</button>}
        <a class="button" href={image.url} download={`${job.workflow.split("/").at(-1) || name}.${kindOf(image)}`}><Icon name="download" /> {t.saveImage}</a>
      </header>
      {before && compared ? <BeforeAfter before={before} image={image} /> : (
        <div class="one-image">
          <button type="button" class="thumb" aria-label={`${labelOf(name)}, ${image.width}×${image.height}`} onClick={() => open(0)}>
            <img src={image.url} alt={labelOf(name)} width={image.width} height={image.height} />
          </button>
        </div>
      )}
    </>
  );
}

function kindOf(image: ImageValue): string {
  return image.media_type?.split("/")[1] ?? "png";
}

/** Two images over each other, and a line between them that the pointer and the arrows move. */
function BeforeAfter({ before, image }: { before: string; image: ImageValue }) {
  const [at, setAt] = useState(50);
  return (
    <div class="before-after" style={{ "--at": `${at}%`, "--shape": `${image.width} / ${image.height}`, "--most": `${image.width}px` }}>
      <img src={image.url} alt={t.after} width={image.width} height={image.height} />
      <img class="is-before" src={before} alt={t.before} />
      <span class="wipe-name left" aria-hidden="true">{t.before}</span>
      <span class="wipe-name right" aria-hidden="true">{t.after}</span>
      <i aria-hidden="true" />
      <input type="range" min={0} max={100} value={at} aria-label={t.beforeAfter} onInput={(event) => setAt(Number(event.currentTarget.value))} />
    </div>
  );
}
