/** An image at any size, and two of them: wiped over each other, or their difference. */
import { useEffect, useRef, useState } from "preact/hooks";
import { history } from "../app/jobs.ts";
import { imagesOf, nodeResult, passedResult } from "../app/results.ts";
import { title as nodeTitle } from "../app/editing.ts";
import { dialog, file, opened, status, types, versionOf } from "../app/store.ts";
import { copyImage, useAsInput } from "../app/using.ts";
import { textOf } from "../model/document.ts";
import { thumbnail } from "../net/api.ts";
import type { ImageValue } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { slots } from "../app/slots.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { Icon, IconButton } from "./Icon.tsx";
import { ResultPane } from "./Result.tsx";
import { imageUrl } from "../app/images.ts";
import { t } from "./text.ts";

interface Props {
  node?: string;
  images?: ImageValue[];
  index?: number;
  title?: string;
  /** Whether it is compared with another one from the start. */
  compared?: boolean;
  /** Takes an image as an input; the graph of the open workflow does where nothing else is said. */
  onUse?: (image: ImageValue) => void;
}

type Mode = "one" | "wipe" | "difference";

export default function Viewer({ node, images: given, index = 0, title, onUse, compared = false }: Props) {
  if (node) versionOf(node).value;
  const images = given ?? (node ? imagesOf(passedResult(node)) : []);
  const label = title || (node ? nodeTitle(node) : t.result);
  if (!images.length) {
    return (
      <Dialog label={label} class="viewer-small">
        {node && <ResultPane id={node} />}
      </Dialog>
    );
  }
  return <Stage images={images} first={Math.min(index, images.length - 1)} label={label} node={node} onUse={onUse} compared={compared} />;
}

interface Other {
  url: string;
  text: string;
}

/** What an image can be compared with: the inputs of its node, other results, earlier ones. */
function others(node: string | undefined, now: string): Other[] {
  const { document } = opened.value;
  const found: Other[] = slots.value.filter((one) => one !== null);
  for (const [id, record] of document.nodes) {
    const type = types.value.node(textOf(record.type));
    const input = type?.role === "input" ? imageUrl((record.data as { value?: never } | undefined)?.value) : null;
    if (input) found.push({ url: input, text: nodeTitle(id) });
    else for (const image of imagesOf(nodeResult(id)).slice(0, 4)) if (id !== node || image.url !== now) found.push({ url: image.url, text: nodeTitle(id) });
  }
  for (const job of history.value.slice(0, 12)) {
    for (const image of imagesOf(job).slice(0, 2)) found.push({ url: image.url, text: `${job.workflow} ${timeText(job.ended ?? job.created)}` });
  }
  const seen = new Set([now]);
  return found.filter((one) => !seen.has(one.url) && seen.add(one.url)).slice(0, 24);
}

function Stage({ images, first, label, node, onUse, compared }: { images: ImageValue[]; first: number; label: string; node?: string | undefined; onUse?: Props["onUse"]; compared: boolean }) {
  const [at, setAt] = useState(first);
  const [mode, setMode] = useState<Mode>("one");
  const [other, setOther] = useState<Other | null>(null);
  const [view, setView] = useState<{ x: number; y: number; zoom: number } | null>(null);
  const [wipe, setWipe] = useState(0.5);
  const [pixel, setPixel] = useState("");
  const [grid, setGrid] = useState(false);
  const [alpha, setAlpha] = useState(false);
  const host = useRef<HTMLDivElement>(null);
  const shown = useRef<HTMLImageElement>(null);
  const image = images[at]!;
  const choices = others(node, image.url);

  const fitted = (): { x: number; y: number; zoom: number } => {
    const { clientWidth: width, clientHeight: height } = host.current ?? { clientWidth: 800, clientHeight: 600 };
    const zoom = Math.min(width / image.width, height / image.height, image.width < 200 ? 4 : 1);
    return { zoom, x: (width - image.width * zoom) / 2, y: (height - image.height * zoom) / 2 };
  };
  useEffect(() => setView(fitted()), [image.url]);
  useEffect(() => {
    if (compared && choices.length) choose("wipe");
  }, []);
  const now = view ?? { x: 0, y: 0, zoom: 1 };
  const zoomBy = (factor: number, x: number, y: number): void => {
    const zoom = Math.min(32, Math.max(0.02, now.zoom * factor));
    const ratio = zoom / now.zoom;
    setView({ zoom, x: x - (x - now.x) * ratio, y: y - (y - now.y) * ratio });
  };
  const oneToOne = (): void => {
    const { clientWidth: width, clientHeight: height } = host.current!;
    setView({ zoom: 1, x: (width - image.width) / 2, y: (height - image.height) / 2 });
  };
  const choose = (next: Mode): void => {
    if (next !== "one" && !other) setOther(choices[0] ?? null);
    setMode(mode === next ? "one" : next);
  };
  const against = (next: Other): void => {
    setOther(next);
    if (mode === "one") setMode("wipe");
  };
  const own = status.value?.owner === true && !file.value.readOnly;
  const use = (): void => {
    closeDialog();
    if (onUse) onUse(image);
    else void useAsInput(image);
  };
  /** On the input that has the image, or on one that is made of it. */
  const mask = async (): Promise<void> => {
    const isInput = node !== undefined && types.value.node(textOf(opened.value.document.nodes.get(node)?.type))?.role === "input";
    const on = isInput ? node : await useAsInput(image);
    if (on) dialog.value = { kind: "mask", data: { node: on, property: "value" } };
  };
  const go = (by: number): void => setAt((at + by + images.length) % images.length);
  const keys = (event: KeyboardEvent): void => {
    if ((event.target as Element).matches("input, select")) return;
    const { clientWidth: width, clientHeight: height } = host.current!;
    const run: Record<string, () => void> = {
      z: oneToOne, f: () => setView(fitted()), c: () => choose("wipe"), d: () => choose("difference"),
      g: () => setGrid(!grid && images.length > 1), a: () => setAlpha(!alpha),
      ArrowLeft: () => go(-1), ArrowRight: () => go(1), "+": () => zoomBy(1.25, width / 2, height / 2), "-": () => zoomBy(0.8, width / 2, height / 2), " ": closeDialog,
    };
    const slot = slots.peek()[Number(event.key) - 1];
    const found = run[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? (slot ? () => against(slot) : undefined);
    if (!found || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    found();
  };
  const read = (event: PointerEvent): void => {
    const { left, top } = host.current!.getBoundingClientRect();
    const [x, y] = [Math.floor((event.clientX - left - now.x) / now.zoom), Math.floor((event.clientY - top - now.y) / now.zoom)];
    if (x < 0 || y < 0 || x >= image.width || y >= image.height || !shown.current?.complete) return setPixel("");
    setPixel(`${x}, ${y}  ${colorAt(shown.current, x, y)}`);
  };
  const placed = { transform: `translate(${now.x}px, ${now.y}px) scale(${now.zoom})`, width: `${image.width}px`, height: `${image.height}px` };
  const edge = now.x + image.width * now.zoom * wipe;
  const cut = { ...placed, clipPath: mode === "wipe" ? `inset(0 0 0 ${wipe * 100}%)` : "none" };
  return (
    <Dialog label={label} class="viewer" head={false}>
      <div class="viewer-inner" onKeyDown={keys}>
        <header class="viewer-bar">
          <strong>{label}</strong>
          <span class="muted small">{image.width} × {image.height} · {Math.round(now.zoom * 100)} %</span>
          {images.length > 1 && (
            <span class="group">
              <IconButton icon="left" label={t.previous} onClick={() => go(-1)} />
              <span class="small">{at + 1} / {images.length}</span>
              <IconButton icon="right" label={t.next} onClick={() => go(1)} />
            </span>
          )}
          <span class="spring" />
          <button type="button" class="text-button" onClick={oneToOne} title="z">{t.oneToOne}</button>
          <button type="button" class="text-button" onClick={() => setView(fitted())} title="f">{t.fit}</button>
          {images.length > 1 && <button type="button" class="text-button" aria-pressed={grid} onClick={() => setGrid(!grid)} title="g">{t.grid}</button>}
          <button type="button" class="text-button" aria-pressed={alpha} onClick={() => setAlpha(!alpha)} title="a">{t.alpha}</button>
          {choices.length > 0 && (
            <>
              <button type="button" class="text-button" aria-pressed={mode === "wipe"} onClick={() => choose("wipe")} title="c"><Icon name="swap" /> {t.compare}</button>
              <button type="button" class="text-button" aria-pressed={mode === "difference"} onClick={() => choose("difference")} title="d">{t.difference}</button>
            </>
          )}
          {slots.value.map((slot, index) => slot && <button key={index} type="button" class="text-button slot" aria-pressed={mode !== "one" && other?.url === slot.url} title={slot.text} aria-label={t.compareSlot(slot.text)} onClick={() => against(slot)}>{index + 1}</button>)}
          {mode !== "one" && (
            <select class="input select" aria-label={t.chooseOther} value={other?.url} onChange={(event) => setOther(choices.find((one) => one.url === event.currentTarget.value) ?? null)}>
              {choices.map((one) => <option key={one.url} value={one.url}>{one.text}</option>)}
            </select>
          )}
          {(own || onUse) && <IconButton icon="link" label={t.useAsInput} onClick={use} />}
          {own && <IconButton icon="brush" label={t.paintMask} onClick={() => void mask()} />}
          <IconButton icon="copy" label={t.copyImage} onClick={() => void copyImage(image.url)} />
          <a class="icon-button" href={image.url} download={`${label}.png`} aria-label={t.saveImage} title={t.saveImage}><Icon name="download" /></a>
          <IconButton icon="close" label={t.close} class="to-end" onClick={closeDialog} />
        </header>
        {grid && (
          <div class="thumbs viewer-grid">
            {images.map((one, index) => (
              <button key={one.url} type="button" class="thumb" aria-current={index === at ? "true" : undefined} aria-label={`${t.result} ${index + 1}`} onClick={() => { setAt(index); setGrid(false); }}>
                <img src={thumbnail(one.url, 256)} alt="" loading="lazy" width={one.width} height={one.height} />
              </button>
            ))}
          </div>
        )}
        <div
          ref={host}
          class={`stage ${alpha && mode === "one" ? "black" : ""}`}
          tabIndex={0}
          autofocus
          role="group"
          aria-label={`${label}, ${image.width} × ${image.height}`}
          onWheel={(event) => {
            event.preventDefault();
            const { left, top } = event.currentTarget.getBoundingClientRect();
            zoomBy(Math.exp(-event.deltaY * 0.002), event.clientX - left, event.clientY - top);
          }}
          onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
          onPointerMove={(event) => {
            if (event.buttons & 1) setView({ ...now, x: now.x + event.movementX, y: now.y + event.movementY });
            else read(event);
          }}
        >
          {mode !== "difference" && !alpha && <i class="checks" style={{ transform: `translate(${now.x}px, ${now.y}px)`, width: `${image.width * now.zoom}px`, height: `${image.height * now.zoom}px` }} />}
          {alpha && mode === "one" && <i class="layer-image alpha" style={{ ...placed, maskImage: `url(${JSON.stringify(image.url)})` }} />}
          {mode !== "one" && other && <img class="layer-image" src={other.url} alt={other.text} style={placed} draggable={false} />}
          <img ref={shown} class={`layer-image mode-${mode} ${now.zoom >= 3 ? "sharp" : ""}`} src={image.url} alt={label} style={cut} draggable={false} hidden={alpha && mode === "one"} />
          {mode === "wipe" && <Wipe x={edge} at={wipe} onMove={(clientX) => { const { left } = host.current!.getBoundingClientRect(); setWipe(Math.min(1, Math.max(0, (clientX - left - now.x) / (image.width * now.zoom)))); }} onKey={(by) => setWipe(Math.min(1, Math.max(0, wipe + by)))} />}
          {mode === "wipe" && other && <><span class="wipe-name left">{other.text}</span><span class="wipe-name right">{label}</span></>}
        </div>
        <footer class="viewer-foot mono small">
          <span>{pixel || "\u00a0"}</span>
        </footer>
        {images.length > 1 && !grid && (
          <div class="film">
            {images.slice(Math.max(0, at - 12), at + 24).map((one) => (
              <button key={one.url} type="button" class="thumb" aria-current={one === image ? "true" : undefined} aria-label={`${images.indexOf(one) + 1}`} onClick={() => setAt(images.indexOf(one))}>
                <img src={thumbnail(one.url, 128)} alt="" loading="lazy" />
              </button>
            ))}
          </div>
        )}
      </div>
    </Dialog>
  );
}

function Wipe({ x, at, onMove, onKey }: { x: number; at: number; onMove: (clientX: number) => void; onKey: (by: number) => void }) {
  return (
    <div
      class="wipe"
      role="slider"
      tabIndex={0}
      aria-label={t.wipe}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(at * 100)}
      style={{ transform: `translateX(${x}px)` }}
      onPointerDown={(event) => {
        event.stopPropagation();
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        event.stopPropagation();
        if (event.buttons & 1) onMove(event.clientX);
      }}
      onKeyDown={(event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.preventDefault();
        event.stopPropagation();
        onKey((event.key === "ArrowRight" ? 1 : -1) * (event.shiftKey ? 0.1 : 0.02));
      }}
    >
      <i><Icon name="swap" size={14} /></i>
    </div>
  );
}

let probe: CanvasRenderingContext2D | null = null;

function colorAt(image: HTMLImageElement, x: number, y: number): string {
  if (!probe) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    probe = canvas.getContext("2d", { willReadFrequently: true });
  }
  if (!probe) return "";
  probe.clearRect(0, 0, 1, 1);
  probe.drawImage(image, x, y, 1, 1, 0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = probe.getImageData(0, 0, 1, 1).data;
  return `#${[red, green, blue].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}
