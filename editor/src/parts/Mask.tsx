/** Paints a mask over an image, which itself is never changed. */
import { useEffect, useRef, useState } from "preact/hooks";
import { groundOf, keepMask } from "../app/masking.ts";
import { complain } from "../app/running.ts";
import { set, settings } from "../app/settings.ts";
import { opened, server } from "../app/store.ts";
import { part } from "../model/document.ts";
import { type MaskStep, drawStep, drawSteps, readSteps } from "../model/mask.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { IconButton } from "./Icon.tsx";
import { t } from "./text.ts";

type Tool = "paint" | "erase" | "box";
type Look = { x: number; y: number; zoom: number };

const TOOLS: [Tool, string, string][] = [
  ["paint", t.paint, "B"],
  ["erase", t.erase, "E"],
  ["box", t.box, "R"],
];

export default function Mask({ node, property }: { node: string; property: string }) {
  const [steps, setSteps] = useState<MaskStep[]>(() => readSteps(part(opened.value.document.nodes.get(node), "ui_properties").mask));
  const [undone, setUndone] = useState<MaskStep[]>([]);
  const [tool, setTool] = useState<Tool>("paint");
  const [radius, setRadius] = useState(24);
  const [softness, setSoftness] = useState(0.2);
  const [shown, setShown] = useState(true);
  const tint = settings.value.maskColor;
  const [busy, setBusy] = useState(false);
  const [image, setImage] = useState<HTMLImageElement | null>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const mask = useRef<CanvasRenderingContext2D | null>(null);
  const tinted = useRef<CanvasRenderingContext2D | null>(null);
  const look = useRef<Look>({ x: 0, y: 0, zoom: 1 });
  const current = useRef<MaskStep | null>(null);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const pointer = useRef<{ x: number; y: number } | null>(null);

  useEffect(() => {
    const url = groundOf(node, property);
    if (!url) return closeDialog();
    const loading = new Image();
    loading.onload = () => {
      if (!canvas.current) return;
      mask.current = contextOf(loading.naturalWidth, loading.naturalHeight);
      tinted.current = contextOf(loading.naturalWidth, loading.naturalHeight);
      const { clientWidth: width, clientHeight: height } = canvas.current;
      const zoom = Math.min((width - 48) / loading.naturalWidth, (height - 48) / loading.naturalHeight, 4);
      look.current = { zoom, x: (width - loading.naturalWidth * zoom) / 2, y: (height - loading.naturalHeight * zoom) / 2 };
      setRadius(Math.max(3, Math.round(Math.min(loading.naturalWidth, loading.naturalHeight) / 16)));
      setImage(loading);
    };
    loading.onerror = closeDialog;
    loading.src = url;
  }, []);

  const draw = (): void => {
    const target = canvas.current?.getContext("2d");
    if (!target || !image || !mask.current || !tinted.current) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    const { clientWidth: width, clientHeight: height } = target.canvas;
    target.canvas.width = width * ratio;
    target.canvas.height = height * ratio;
    const { x, y, zoom } = look.current;
    target.setTransform(ratio * zoom, 0, 0, ratio * zoom, x * ratio, y * ratio);
    target.imageSmoothingEnabled = zoom < 3;
    target.drawImage(image, 0, 0);
    if (shown) {
      const layer = tinted.current;
      layer.globalCompositeOperation = "copy";
      layer.drawImage(mask.current.canvas, 0, 0);
      if (current.current) {
        layer.globalCompositeOperation = "source-over";
        drawStep(layer, current.current);
      }
      layer.globalCompositeOperation = "source-in";
      layer.fillStyle = tint;
      layer.fillRect(0, 0, layer.canvas.width, layer.canvas.height);
      target.globalAlpha = 0.6;
      target.drawImage(layer.canvas, 0, 0);
      target.globalAlpha = 1;
    }
    if (pointer.current && tool !== "box") {
      target.lineWidth = 1.5 / zoom;
      for (const [color, grow] of [["#000", 0], ["#fff", 1.5 / zoom]] as const) {
        target.strokeStyle = color;
        target.beginPath();
        target.arc(pointer.current.x, pointer.current.y, radius + grow, 0, 7);
        target.stroke();
      }
    }
  };
  useEffect(() => {
    if (mask.current) drawSteps(mask.current, steps);
    draw();
  }, [steps, image]);
  useEffect(draw, [shown, radius, tool, tint]);

  const add = (step: MaskStep): void => {
    setSteps([...steps, step]);
    setUndone([]);
  };
  const undo = (): void => {
    const last = steps.at(-1);
    if (!last) return;
    setSteps(steps.slice(0, -1));
    setUndone([...undone, last]);
  };
  const redo = (): void => {
    const last = undone.at(-1);
    if (!last) return;
    setUndone(undone.slice(0, -1));
    setSteps([...steps, last]);
  };
  const done = async (): Promise<void> => {
    if (!mask.current || !image) return;
    setBusy(true);
    try {
      // The last step is drawn after a frame: whoever is quicker gets it all the same.
      drawSteps(mask.current, steps);
      const blob = await blackAndWhite(mask.current.canvas);
      const stored = await server.api.upload(blob);
      keepMask(node, property, { type: "image", asset_id: stored.asset_id }, steps);
      closeDialog();
    } catch (error) {
      complain(error);
      setBusy(false);
    }
  };
  const zoomBy = (factor: number, x: number, y: number): void => {
    const { zoom, x: left, y: top } = look.current;
    const next = Math.min(16, Math.max(0.05, zoom * factor));
    look.current = { zoom: next, x: x - ((x - left) * next) / zoom, y: y - ((y - top) * next) / zoom };
    draw();
  };

  const at = (event: PointerEvent): { x: number; y: number } => {
    const { x, y, zoom } = look.current;
    return { x: Math.round((event.offsetX - x) / zoom), y: Math.round((event.offsetY - y) / zoom) };
  };
  const down = (event: PointerEvent): void => {
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    pointers.current.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    if (pointers.current.size > 1 || event.button === 1) {
      // Two fingers move the image; what the first one began is no stroke.
      current.current = null;
      return;
    }
    const { x, y } = at(event);
    current.current = tool === "box" ? { mode: "box", points: [x, y, x, y] } : { mode: tool, radius, softness, points: [x, y] };
    draw();
  };
  const move = (event: PointerEvent): void => {
    const before = pointers.current.get(event.pointerId);
    const now = { x: event.offsetX, y: event.offsetY };
    pointer.current = at(event);
    const step = current.current;
    if (before && !step) {
      const [other] = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, one]) => one);
      if (other) zoomBy(Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y)), other.x, other.y);
      look.current = { ...look.current, x: look.current.x + (now.x - before.x) / (other ? 2 : 1), y: look.current.y + (now.y - before.y) / (other ? 2 : 1) };
    }
    if (before) pointers.current.set(event.pointerId, now);
    if (step && "points" in step) {
      const { x, y } = pointer.current;
      if (step.mode === "box") step.points = [step.points[0]!, step.points[1]!, x, y];
      else for (const one of event.getCoalescedEvents?.() ?? [event]) step.points.push(at(one).x, at(one).y);
    }
    draw();
  };
  const up = (event: PointerEvent): void => {
    pointers.current.delete(event.pointerId);
    const step = current.current;
    current.current = null;
    if (step) add(step);
  };
  const keys = (event: KeyboardEvent): void => {
    const command = event.ctrlKey || event.metaKey;
    const run: Record<string, () => void> = command
      ? { z: event.shiftKey ? redo : undo, y: redo, Enter: () => void done() }
      : { b: () => setTool("paint"), e: () => setTool("erase"), r: () => setTool("box"), i: () => add({ mode: "invert" }), m: () => setShown(!shown), "[": () => setRadius(Math.max(1, Math.round(radius * 0.8))), "]": () => setRadius(Math.min(400, Math.ceil(radius * 1.25))), "{": () => setSoftness(Math.max(0, softness - 0.1)), "}": () => setSoftness(Math.min(0.95, softness + 0.1)) };
    const found = run[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!found) return;
    event.preventDefault();
    found();
  };
  return (
    <Dialog label={t.mask} class="viewer" head={false}>
      <div class="mask-inner" onKeyDown={keys}>
        <header class="viewer-bar mask-tools">
          <span class="segmented" role="group" aria-label={t.brush}>
            {TOOLS.map(([one, text, key]) => <button key={one} type="button" aria-current={tool === one ? "true" : undefined} title={key} onClick={() => setTool(one)}>{text}</button>)}
          </span>
          <label>{t.brush} <input type="range" min={1} max={400} value={radius} onInput={(event) => setRadius(Number(event.currentTarget.value))} /></label>
          <label>{t.softness} <input type="range" min={0} max={0.95} step={0.05} value={softness} onInput={(event) => setSoftness(Number(event.currentTarget.value))} /></label>
          <button type="button" class="text-button" onClick={() => add({ mode: "fill" })}>{t.fill}</button>
          <button type="button" class="text-button" onClick={() => add({ mode: "invert" })} title="I">{t.invert}</button>
          <button type="button" class="text-button" onClick={() => add({ mode: "clear" })}>{t.clear}</button>
          <button type="button" class="text-button" aria-pressed={shown} onClick={() => setShown(!shown)} title="M">{t.mask}</button>
          <input type="color" aria-label={t.maskColor} title={t.maskColor} value={tint} onInput={(event) => set("maskColor", event.currentTarget.value)} />
          <span class="muted small">{t.strokes(steps.length)}</span>
          <IconButton icon="undo" label={t.undo} disabled={!steps.length} onClick={undo} />
          <IconButton icon="redo" label={t.redo} disabled={!undone.length} onClick={redo} />
          <span class="spring" />
          <button type="button" class="button" onClick={closeDialog}>{t.cancel}</button>
          <button type="button" class="button primary" disabled={busy || !image} onClick={() => void done()}>{t.done}</button>
        </header>
        <div class="mask-stage">
          <canvas ref={canvas} tabIndex={0} autofocus role="img" aria-label={t.mask} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={up} onPointerLeave={() => { pointer.current = null; draw(); }} onWheel={(event) => { event.preventDefault(); zoomBy(Math.exp(-event.deltaY * 0.002), event.offsetX, event.offsetY); }} />
        </div>
      </div>
    </Dialog>
  );
}

function contextOf(width: number, height: number): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d")!;
}

/** White is painted, black is not; of the size of the image. */
function blackAndWhite(mask: HTMLCanvasElement): Promise<Blob> {
  const context = contextOf(mask.width, mask.height);
  context.fillStyle = "#000000";
  context.fillRect(0, 0, mask.width, mask.height);
  context.drawImage(mask, 0, 0);
  return new Promise((done, failed) => context.canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error(t.mask))), "image/png"));
}
