/** A crop set on the image itself: a rectangle with handles. */
import { useEffect, useRef, useState } from "preact/hooks";
import { cropOf, groundOf, keepCrop } from "../app/masking.ts";
import { type Crop, HANDLES, type Handle, kept, moved } from "../model/crop.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { t } from "./text.ts";

const ROOM = 32;
const NAMES = { "-1": [t.left, t.top], "1": [t.right, t.bottom] } as const;

function nameOf({ x, y }: Handle): string {
  const parts = [y && NAMES[y][1], x && NAMES[x][0]].filter(Boolean);
  return parts.length ? parts.join(" ") : t.move;
}

export default function CropDialog({ node }: { node: string }) {
  const [image, setImage] = useState<HTMLImageElement | null>(null);
  const [crop, setCrop] = useState<Crop | null>(null);
  const [scale, setScale] = useState(1);
  const stage = useRef<HTMLDivElement>(null);
  const held = useRef<{ handle: Handle; x: number; y: number; crop: Crop } | null>(null);
  useEffect(() => {
    const url = groundOf(node, "image");
    if (!url) return closeDialog();
    const loading = new Image();
    loading.onload = () => {
      const { naturalWidth: width, naturalHeight: height } = loading;
      const { clientWidth, clientHeight } = stage.current!;
      setScale(Math.min((clientWidth - 2 * ROOM) / width, (clientHeight - 2 * ROOM) / height, 8));
      setCrop(kept(cropOf(node) ?? { left: 0, top: 0, right: width, bottom: height }, width, height));
      setImage(loading);
    };
    loading.onerror = closeDialog;
    loading.src = url;
  }, []);
  const size = image ? { width: image.naturalWidth, height: image.naturalHeight } : { width: 1, height: 1 };
  const placed = crop ? { left: `${crop.left * scale}px`, top: `${crop.top * scale}px`, width: `${(crop.right - crop.left) * scale}px`, height: `${(crop.bottom - crop.top) * scale}px` } : {};
  const done = (): void => {
    if (crop) keepCrop(node, crop);
    closeDialog();
  };
  const keys = (event: KeyboardEvent, handle: Handle): void => {
    const step = event.shiftKey ? 10 : 1;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!by || !crop) return;
    event.preventDefault();
    setCrop(moved(crop, handle, by[0]!, by[1]!, size.width, size.height));
  };
  const down = (event: PointerEvent, handle: Handle): void => {
    event.stopPropagation();
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    held.current = { handle, x: event.clientX, y: event.clientY, crop: crop! };
  };
  const move = (event: PointerEvent): void => {
    const from = held.current;
    if (from && event.buttons) setCrop(moved(from.crop, from.handle, (event.clientX - from.x) / scale, (event.clientY - from.y) / scale, size.width, size.height));
  };
  return (
    <Dialog label={t.crop} class="viewer" head={false}>
      <div class="mask-inner" onKeyDown={(event) => event.key === "Enter" && !(event.target as Element).matches("button:not(.crop-handle)") && done()}>
        <header class="viewer-bar">
          <strong>{t.crop}</strong>
          {crop && <span class="muted small mono">{crop.right - crop.left} × {crop.bottom - crop.top} · {crop.left}, {crop.top}</span>}
          <span class="spring" />
          <button type="button" class="text-button" disabled={!image} onClick={() => setCrop({ left: 0, top: 0, right: size.width, bottom: size.height })}>{t.wholeImage}</button>
          <button type="button" class="button" onClick={closeDialog}>{t.cancel}</button>
          <button type="button" class="button primary" disabled={!crop} onClick={done}>{t.done}</button>
        </header>
        <div class="crop-stage" ref={stage}>
          {image && crop && (
            <div class="crop-image" style={{ width: `${size.width * scale}px`, height: `${size.height * scale}px` }}>
              <img src={image.src} alt="" draggable={false} />
              <div class="crop-shade"><i style={placed} /></div>
              <div class="crop-box" style={placed}>
                {HANDLES.map((handle) => (
                  <button key={`${handle.x} ${handle.y}`} type="button" class={`crop-handle x${handle.x} y${handle.y}`} aria-label={nameOf(handle)} onPointerDown={(event) => down(event, handle)} onPointerMove={move} onPointerUp={() => (held.current = null)} onKeyDown={(event) => keys(event, handle)} />
                ))}
              </div>
            </div>
          )}
        </div>
      </div>
    </Dialog>
  );
}
