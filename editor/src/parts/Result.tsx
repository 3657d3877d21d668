/** What a node gave: images, texts, numbers, lists with pages. */
import { useState } from "preact/hooks";
import { dialog, revision, runTick, versionOf } from "../app/store.ts";
import { imagesIn, isImage, passedResult } from "../app/results.ts";
import { madeOf } from "../app/timings.ts";
import { writeJson } from "../model/json.ts";
import { labelOf } from "../model/types.ts";
import { thumbnail } from "../net/api.ts";
import type { ResultValue } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { Icon } from "./Icon.tsx";
import { t } from "./text.ts";

export function ResultPane({ id }: { id: string }) {
  versionOf(id).value;
  revision.value;
  runTick.value;
  const result = passedResult(id);
  const made = madeOf(id);
  if (!result) {
    return (
      <div class="empty">
        <Icon name="image" size={28} />
        <h3>{t.noResult}</h3>
        <p>{t.noResultHint}</p>
      </div>
    );
  }
  return (
    <div class="results">
      {Object.entries(result.outputs).map(([name, value]) => (
        <section key={name}>
          {Object.keys(result.outputs).length > 1 && <h3>{labelOf(name)}</h3>}
          <ResultValueView value={value} onOpen={(index) => (dialog.value = { kind: "viewer", data: { node: id, index } })} />
          {result.left_out[name] && <p class="muted small">{t.leftOut(result.left_out[name])}</p>}
        </section>
      ))}
      {made && (
        <p class="muted small">
          {t.seconds(made.seconds)} · {t.made(timeText(made.at))}
        </p>
      )}
    </div>
  );
}

const PAGE = 24;

export function ResultValueView({ value, onOpen }: { value: ResultValue; onOpen?: (index: number) => void }) {
  const [shown, setShown] = useState(PAGE);
  const images = imagesIn(value);
  if (images.length) {
    const one = images.length === 1;
    return (
      <>
        <div class={one ? "one-image" : "thumbs"}>
          {images.slice(0, shown).map((image, index) => (
            <button type="button" key={image.url} class="thumb" onClick={() => onOpen?.(index)} aria-label={`${t.result} ${index + 1}, ${image.width}×${image.height}`}>
              <img src={thumbnail(image.url, one ? 512 : 256)} alt="" loading="lazy" width={image.width} height={image.height} />
            </button>
          ))}
        </div>
        {one && <p class="muted small">{images[0]!.width} × {images[0]!.height}</p>}
        {images.length > shown && <button type="button" class="button" onClick={() => setShown(shown + PAGE)}>{t.loadMore} ({images.length - shown})</button>}
      </>
    );
  }
  if (typeof value === "string") return <pre class="text-result">{value}</pre>;
  if (Array.isArray(value) && value.every((one) => !isImage(one as ResultValue))) {
    return (
      <ol class="list-result">
        {value.slice(0, shown).map((one, index) => <li key={index}>{typeof one === "string" ? one : writeJson(one as never)}</li>)}
        {value.length > shown && <button type="button" class="button" onClick={() => setShown(shown + PAGE)}>{t.loadMore} ({value.length - shown})</button>}
      </ol>
    );
  }
  return <pre class="text-result mono">{writeJson(value as never)}</pre>;
}
