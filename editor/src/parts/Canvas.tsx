/** The canvas: one layer of nodes near the view above one <canvas> of wires and far nodes. */
import { h } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Opened, file, nodeState, opened, say, selection, structure } from "../app/store.ts";
import { zone } from "../app/dropping.ts";
import { title } from "../app/editing.ts";
import { settings } from "../app/settings.ts";
import { forgetColors } from "../canvas/colors.ts";
import { drawCanvas } from "../canvas/draw.ts";
import { isNote, measure } from "../canvas/geometry.ts";
import { Gestures } from "../canvas/gestures.ts";
import { MAP_HEIGHT, MAP_WIDTH, drawMinimap, goInMinimap } from "../canvas/minimap.ts";
import { DOM_ZOOM, Mounted } from "../canvas/nodes.ts";
import { frame, grid, keepScene, onFrame } from "../canvas/scene.ts";
import { fit, screen, view, zoomAt, zoomTo } from "../canvas/view.ts";
import { perform } from "../actions.ts";
import { shownKey } from "../canvas/keys.ts";
import { t } from "../text.ts";
import { Icon, IconButton } from "./Icon.tsx";
import { NodeBody } from "./Node.tsx";
import { NoteBody } from "./Note.tsx";

export function Canvas() {
  const host = useRef<HTMLDivElement>(null);
  const layer = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<HTMLCanvasElement>(null);
  /** Whose view it is: another workflow is opened before its own view is shown. */
  const inView = useRef<Opened | null>(null);

  // Both before anything is painted: a view that the user chooses comes after the one that is made here.
  useLayoutEffect(() => {
    const element = host.current!;
    const mounted = new Mounted(layer.current!, (id) => h(isNote(id) ? NoteBody : NodeBody, { id }));
    const size = (): void => {
      screen.value = { width: element.clientWidth, height: element.clientHeight };
    };
    size();
    const stopScene = keepScene();
    const stopFrames = onFrame(() => {
      mounted.sync();
      drawCanvas(canvas.current!, mounted.has);
      if (map.current) drawMinimap(map.current);
      const { x, y, zoom } = view.peek();
      const dots = 24 * zoom * (zoom < 0.4 ? 4 : 1);
      element.style.backgroundSize = `${dots}px ${dots}px`;
      element.style.backgroundPosition = `${-x * zoom}px ${-y * zoom}px`;
    });
    const observer = new ResizeObserver(size);
    observer.observe(element);
    const gestures = new Gestures(element);
    const theme = matchMedia("(prefers-color-scheme: dark)");
    theme.addEventListener("change", forgetColors);
    const stopView = view.subscribe((now) => {
      if (inView.current === opened.peek()) opened.peek().view = now;
    });
    const stopTheme = settings.subscribe(() => forgetColors());
    frame();
    performance.mark("canvas");
    return () => {
      stopScene();
      stopFrames();
      observer.disconnect();
      gestures.close();
      theme.removeEventListener("change", forgetColors);
      stopTheme();
      stopView();
      mounted.clear();
    };
  }, []);

  const shown = opened.value.document;
  useLayoutEffect(() => {
    const { view: before } = opened.peek();
    inView.current = opened.peek();
    if (before) view.value = before;
    else {
      fit(grid.bounds());
      // A little outside of the view, nodes with their fields are worth more than all of them without.
      if (view.peek().zoom > DOM_ZOOM * 0.75) zoomTo(Math.max(DOM_ZOOM, view.peek().zoom));
      if (!file.value.readOnly && countOverlaps(shown.nodes.keys()) > 1) say(t.overlapping, "info", { text: t.tidy, run: () => perform("tidy") });
    }
  }, [shown]);

  structure.value;
  const [only] = selection.value;
  const said = selection.value.size === 1 && only !== undefined ? t.selected(title(only), t.marks[nodeState(only).mark]) : selection.value.size ? t.selectedMany(selection.value.size) : t.canvas;
  return (
    <div class="canvas-region">
      <div ref={host} id="canvas" class="canvas" tabIndex={0} role="application" aria-label={`${t.canvas}. ${said}`} aria-describedby="canvas-help" data-canvas-keys="" onContextMenu={(event) => event.preventDefault()}>
        <canvas ref={canvas} class="wires" aria-hidden="true" />
        <div ref={layer} class="layer" />
        {shown.nodes.size === 0 && <Empty />}
        {settings.value.minimap && shown.nodes.size > 0 && (
          <canvas
            ref={map}
            class="minimap"
            data-own=""
            style={{ width: `${MAP_WIDTH}px`, height: `${MAP_HEIGHT}px` }}
            role="img"
            aria-label={t.minimap}
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              goInMinimap(event.offsetX, event.offsetY);
            }}
            onPointerMove={(event) => event.buttons && goInMinimap(event.offsetX, event.offsetY)}
          />
        )}
      </div>
      <DropZones />
      <p id="canvas-help" class="unseen">{t.canvasHelp}</p>
      <div class="zoom-bar" role="group" aria-label={t.zoom}>
        <IconButton icon="minus" label={t.decrease} onClick={() => zoomAt(screen.peek().width / 2, screen.peek().height / 2, 0.8)} />
        <ZoomText />
        <IconButton icon="plus" label={t.increase} onClick={() => zoomAt(screen.peek().width / 2, screen.peek().height / 2, 1.25)} />
        <IconButton icon="fit" label={t.fit} hint={shownKey("Home")} onClick={() => perform("fit-all")} />
      </div>
      {!file.value.readOnly && (
        <button type="button" class="add-button" onClick={() => perform("add")} aria-label={t.addNode} title={`${t.addNode}  Tab`}>
          <Icon name="plus" size={20} />
        </button>
      )}
    </div>
  );
}

/** Nodes of a file whose places were made for smaller ones. */
function countOverlaps(ids: Iterable<string>): number {
  let found = 0;
  for (const id of ids) {
    const { x, y, width, height } = measure(id);
    if (grid.find({ x: x + 8, y: y + 8, width: width - 16, height: height - 16 }).length > 1) found++;
  }
  return found;
}

function ZoomText() {
  return (
    <button type="button" class="text-button zoom-text" onClick={() => zoomTo(1)} title={t.oneToOne}>
      {Math.round(view.value.zoom * 100)} %
    </button>
  );
}

/** Where an image is let go of says what it is for. */
function DropZones() {
  if (zone.value === null || zone.value === "ask") return null;
  return (
    <div class="drop-zones" aria-hidden="true">
      <p class={zone.value === "use" ? "over" : ""}><span><Icon name="image" size={18} /> {t.dropUse}</span></p>
      <p class={zone.value === "open" ? "over" : ""}><span><Icon name="graph" size={18} /> {t.dropOpen}</span></p>
    </div>
  );
}

function Empty() {
  return (
    <div class="empty on-canvas">
      <Icon name="graph" size={32} />
      <h2>{t.emptyCanvas}</h2>
      <p>{t.emptyCanvasHint}</p>
    </div>
  );
}
