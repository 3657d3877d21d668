/** The regions of the page. On a narrow one, one region at a time and tabs at the bottom. */
import { signal } from "@preact/signals";
import { fileTitle, takeOver } from "../app/files.ts";
import { shownTabs } from "../app/tabs.ts";
import { go, route } from "../app/route.ts";
import { set, settings, sides } from "../app/settings.ts";
import { type View, connected, dialog, file, leftTab, status } from "../app/store.ts";
import { t } from "../text.ts";
import { Bar } from "./Bar.tsx";
import { Canvas } from "./Canvas.tsx";
import { Icon, type IconName } from "./Icon.tsx";
import { Lazy } from "./Lazy.tsx";
import { Toasts } from "./Toasts.tsx";

/** Dialogs and tabs are fetched once the page is ready; the sides come while the canvas is drawn. */
export const dialogs = () => import("./Dialogs.tsx");
const left = () => import("./Left.tsx");
const inspector = () => import("./Inspector.tsx");
const strip = () => import("./Queue.tsx");
export const openTabs = () => import("./OpenTabs.tsx");
const outline = () => import("./Outline.tsx");
const workflows = () => import("./Left.tsx").then(({ Workflows }) => ({ default: Workflows }));

type Region = "main" | "workflows" | "outline" | "inspector";

/** Which region a narrow page shows. */
export const region = signal<Region>("main");

export function App() {
  const { bottom, leftWidth, rightWidth } = settings.value;
  const { left: hasLeft, right: hasRight } = sides.value;
  const { view, name } = route.value;
  const isGraph = view === "graph";
  const own = status.value?.owner === true;
  const hasSides = isGraph && own;
  return (
    <div class={`app show-${region.value} view-${view}`} style={{ "--left": hasSides && hasLeft ? `${leftWidth}px` : "0px", "--right": hasSides && hasRight ? `${rightWidth}px` : "0px" }}>
      <Bar />
      {own && isGraph && shownTabs.value.length > 1 && <Lazy load={openTabs} quiet />}
      {!connected.value && <p class="banner" role="alert">{t.offline(0)}</p>}
      {own && isGraph && file.value.readOnly && file.value.name && <p class="banner quiet">{t.otherTab} <button type="button" class="text-button" onClick={takeOver}>{t.editHere}</button></p>}
      <div class="body">
        {hasSides && hasLeft && (
          <aside class="side left-side" aria-label={t.leftSide}><Lazy load={left} quiet /><Resizer name="leftWidth" sign={1} label={t.outline} /></aside>
        )}
        <div class="main">
          {isGraph && own && <main class="graph-main" aria-label={t.graph}><h1 class="unseen">{fileTitle()}</h1><Canvas /></main>}
          {(view === "start" || (isGraph && !own) || (view === "form" && !name && !own)) && <Lazy key="start" load={() => import("./Start.tsx")} />}
          {view === "form" && (name || own) && <Lazy key="form" load={() => import("./Form.tsx")} />}
          {view === "gallery" && <Lazy key="gallery" load={() => import("./Gallery.tsx")} />}
          {view === "models" && <Lazy key="models" load={() => import("./Models.tsx")} />}
        </div>
        {hasSides && hasRight && (
          <aside class="side right-side" aria-label={t.inspector}><Resizer name="rightWidth" sign={-1} label={t.inspector} /><Lazy load={inspector} quiet /></aside>
        )}
        {isGraph && own && <div class="narrow-region">{region.value !== "main" && <Lazy key={region.value} load={{ outline, inspector, workflows }[region.value]} />}</div>}
      </div>
      {isGraph && own && bottom && <Lazy load={strip} quiet />}
      <Tabs />
      {dialog.value && <Lazy load={dialogs} />}
      <Toasts />
    </div>
  );
}

function Resizer({ name, sign, label }: { name: "leftWidth" | "rightWidth"; sign: 1 | -1; label: string }) {
  const by = (amount: number): void => set(name, Math.min(560, Math.max(200, settings.peek()[name] + sign * amount)));
  return (
    <div
      class="resizer"
      role="separator"
      aria-orientation="vertical"
      aria-label={`${t.size}: ${label}`}
      aria-valuenow={settings.value[name]}
      aria-valuemin={200}
      aria-valuemax={560}
      tabIndex={0}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => event.buttons && by(event.movementX)}
      onKeyDown={(event) => {
        if (event.key === "ArrowLeft") by(-16);
        else if (event.key === "ArrowRight") by(16);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    />
  );
}

/** The tabs of a narrow page. */
function Tabs() {
  const { view } = route.value;
  const to = (next: Region, where: View = "graph") => () => {
    region.value = next;
    go({ view: where, name: where === "graph" || where === "form" ? file.value.name || route.value.name : "" });
    if (next === "outline") leftTab.value = "outline";
  };
  const tabs: [string, IconName, boolean, () => void][] = [
    [t.form, "form", view === "form", to("main", "form")],
    [t.graph, "graph", view === "graph" && region.value === "main", to("main")],
    [t.outline, "list", view === "graph" && region.value === "outline", to("outline")],
    [t.inspector, "panelRight", view === "graph" && region.value === "inspector", to("inspector")],
    [t.workflows, "folder", view === "start", to("main", "start")],
    [t.gallery, "grid", view === "gallery", to("main", "gallery")],
  ];
  if (status.value?.owner !== true) tabs.splice(0, 4);
  return (
    <nav class="narrow-tabs" aria-label={t.regions}>
      {tabs.map(([text, icon, on, run]) => (
        <button key={text} type="button" aria-current={on ? "page" : undefined} onClick={run}>
          <Icon name={icon} size={18} />
          <span>{text}</span>
        </button>
      ))}
    </nav>
  );
}
