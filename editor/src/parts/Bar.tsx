/** The top: which document, saved or not, graph or form, search, and Run with what it would do. */
import { useEffect, useState } from "preact/hooks";
import { action, perform } from "../actions.ts";
import { fileTitle } from "../app/files.ts";
import { go, route, showsFile } from "../app/route.ts";
import { activeRun, check, connected, file, opened, revision, runTick, runs, saving, server, status, types, unsaved } from "../app/store.ts";
import { cancelRun, runTargets } from "../app/running.ts";
import { sides, toggle } from "../app/settings.ts";
import { shownKey } from "../canvas/keys.ts";
import { fractionDone, hasEnded } from "../model/runs.ts";
import { isBypassed, isFace } from "../model/shown.ts";
import { t } from "../text.ts";
import { Icon, IconButton } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";

export function Bar() {
  if (status.value?.owner !== true) return <ClientBar />;
  const isGraph = route.value.view === "graph";
  return (
    <header class="bar">
      <div class="bar-left">
        {isGraph && <IconButton icon="panel" label={t.leftSide} hint={shownKey("Ctrl+B")} pressed={sides.value.left} onClick={() => toggle("left")} class="wide-only" />}
        <Title />
      </div>
      <nav class="segmented" aria-label={t.regions}>
        {(["start", "graph", "form", "gallery", "models"] as const).map((one) => (
          <button key={one} type="button" class={one === "graph" || one === "form" ? "" : "wide-only"} aria-current={route.value.view === one ? "page" : undefined} onClick={() => go({ view: one, name: one === "graph" || one === "form" ? file.value.name : "" })}>
            {one === "start" ? t.workflows : t[one]}
          </button>
        ))}
      </nav>
      <div class="bar-right">
        {isGraph && <History />}
        <button type="button" class="search-button wide-only" onClick={() => perform("actions")} title={t.searchActions}>
          <Icon name="search" />
          <span>{t.search}</span>
          <kbd>{shownKey("Ctrl+K")}</kbd>
        </button>
        {isGraph && <Run />}
        {isGraph && <IconButton icon="panelRight" label={t.inspector} hint={shownKey("Ctrl+I")} pressed={sides.value.right} onClick={() => toggle("right")} class="wide-only" />}
      </div>
    </header>
  );
}

/** Who has no rights to the files sees forms and results alone. */
function ClientBar() {
  const { view, name } = route.value;
  const isStart = view === "start" || view === "graph" || (view === "form" && !name);
  return (
    <header class="bar">
      <div class="bar-left"><strong class="brand">{t.app}</strong></div>
      <nav class="segmented" aria-label={t.regions}>
        <button type="button" aria-current={isStart ? "page" : undefined} onClick={() => go({ view: "start", name: "" })}>{t.workflows}</button>
        <button type="button" aria-current={view === "gallery" ? "page" : undefined} onClick={() => go({ view: "gallery", name: "" })}>{t.gallery}</button>
      </nav>
      <div class="bar-right">{status.value?.needs_token && <button type="button" class="text-button" onClick={() => void leave()}>{t.leave}</button>}</div>
    </header>
  );
}

async function leave(): Promise<void> {
  await server.api.leave().catch(() => undefined);
  location.replace(location.pathname);
}

function Title() {
  if (!showsFile()) {
    return (
      <div class="doc-title">
        <Menu label={t.more} class="doc-menu" items={["new", "open", "models", "theme", "keys"].map((id) => ({ action: action(id) }))}>
          <strong class="brand">{t.app}</strong>
          <Icon name="down" size={12} />
        </Menu>
      </div>
    );
  }
  const name = fileTitle();
  const short = name.slice(name.lastIndexOf("/") + 1);
  const folder = name.slice(0, name.length - short.length);
  const state = !connected.value ? "offline" : file.value.readOnly ? "readOnly" : saving.value ? "saving" : unsaved.value ? "unsaved" : "saved";
  revision.value;
  const text = state === "offline" ? t.offline(opened.value.history.length) : t[state];
  return (
    <div class="doc-title">
      <Menu label={t.more} class="doc-menu" items={["new", "open", "save", "save-as", "versions", "models", "theme", "keys"].map((id) => ({ action: action(id) }))}>
        <span class="folder">{folder}</span>
        <strong>{short}</strong>
        <Icon name="down" size={12} />
      </Menu>
      {(file.value.name || file.value.inside || unsaved.value || state === "offline" || state === "readOnly") && (
        <span class={`save-state ${state}`} role="status" title={text}>
          <i aria-hidden="true" />
          <span>{text}{state === "saved" && file.value.saved && <Ago since={file.value.saved} />}</span>
        </span>
      )}
    </div>
  );
}

const AGO_MILLISECONDS = 4_000;

/** How long ago it was, as time passes; not read out again each time. */
function Ago({ since }: { since: number }) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again((count) => count + 1), AGO_MILLISECONDS);
    return () => clearInterval(timer);
  }, []);
  return <span aria-hidden="true">{` ${t.ago((Date.now() - since) / 1000)}`}</span>;
}

function History() {
  revision.value;
  const { history } = opened.value;
  return (
    <div class="group wide-only">
      <IconButton icon="undo" label={t.undo} hint={shownKey("Ctrl+Z")} disabled={!history.canUndo} onClick={() => perform("undo")} />
      <IconButton icon="redo" label={t.redo} hint={shownKey("Ctrl+Shift+Z")} disabled={!history.canRedo} onClick={() => perform("redo")} />
    </div>
  );
}

/** Of what the wanted nodes need, how many nodes would be computed. Faces of the workflow pass values on. */
function toSelection(wanted: string[]): { some: number; all: number } {
  const { document } = opened.value;
  const steps = [...document.ancestors(new Set(wanted))].filter((id) => !isFace(types.value.node(String(document.nodes.get(id)?.type))) && !isBypassed(document.nodes.get(id)));
  const states = steps.map((id) => check.value?.nodes[id]?.state);
  return { some: states.filter((state) => state !== "known").length, all: steps.length };
}

/** Says before a run what it would compute. */
function Run() {
  runTick.value;
  const answer = check.value;
  const active = activeRun.value;
  const unended = runs.value.filter((run) => !hasEnded(run.state));
  const errors = answer?.problems.filter((one) => (one.level ?? "error") === "error").length ?? 0;
  const wanted = runTargets();
  const part = wanted.length && answer ? toSelection(wanted) : null;
  const label = part ? (part.some ? t.runOf(part.some, part.all) : t.runNothing) : !answer ? t.run : errors ? t.run : answer.total === 0 ? t.run : answer.will_run === 0 ? t.runNothing : t.runOf(answer.will_run, answer.total);
  const blocked = errors > 0 || opened.value.document.nodes.size === 0 || !connected.value || status.value?.can_run === false;
  return (
    <div class="run-group">
      <button type="button" class={`run ${active ? "active" : ""} ${errors ? "blocked" : ""}`} aria-disabled={blocked} title={errors ? t.cantRun(errors) : `${label}  ${shownKey("Ctrl+Enter")}`} onClick={() => !blocked && perform("run")}>
        {active && <progress max={1} value={fractionDone(active)} aria-label={t.running} />}
        <Icon name="play" size={14} />
        <span class="run-text wide-only">{label}</span>
        <span class="run-text narrow-only">{t.run}</span>
        {errors > 0 && <span class="badge" aria-label={t.cantRun(errors)}>{errors}</span>}
      </button>
      <Menu label={t.runMenu} class="run-more" items={["run", "run-all", "run-first", "run-anew", "run-seeds", "run-rows", "cancel-all"].map((id) => ({ action: action(id), ...(id === "run" && wanted.length ? { text: t.runSelection } : {}) }))}>
        <Icon name="down" size={12} />
      </Menu>
      {active && <IconButton icon="stop" label={t.cancelRun} hint={shownKey("Ctrl+.")} onClick={() => void cancelRun(active.id)} class="stop" />}
      {unended.length > 1 && (
        <Menu label={t.cancelMenu} class="stop-more" items={[...unended.map((run) => ({ text: t.cancelOne(run.label || run.workflow || t.untitled, run.state === "running"), run: () => void cancelRun(run.id) })), { action: action("cancel-all") }]}>
          <Icon name="down" size={12} />
        </Menu>
      )}
    </div>
  );
}
