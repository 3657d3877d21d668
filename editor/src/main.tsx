/** Begins: session, catalogue, the workflow that the address or the server names. */
import { effect } from "@preact/signals";
import { render } from "preact";
import "./style/tokens.css";
import "./style/base.css";
import "./style/canvas.css";
import "./style/parts.css";
import "./style/views.css";
import { keepChecking } from "./app/checking.ts";
import { takeDrops } from "./app/dropping.ts";
import { fileTitle, keepDrafts, loadWorkflows, newWorkflow, openWorkflow, recoverNameless } from "./app/files.ts";
import { loadHistory } from "./app/jobs.ts";
import { followRoute, go, parseRoute, route, showsFile } from "./app/route.ts";
import { follow } from "./app/running.ts";
import { keepSettings } from "./app/settings.ts";
import { file, server, status, types, unsaved, workflows } from "./app/store.ts";
import { takeKey } from "./canvas/keys.ts";
import { rebuild } from "./canvas/scene.ts";
import { Types } from "./model/types.ts";
import { ApiError, type Loaded } from "./net/api.ts";
import { App, dialogs, openTabs } from "./parts/App.tsx";
import { preload } from "./parts/Lazy.tsx";
import { t } from "./text.ts";

const API = 1;
const root = document.getElementById("app")!;
const STATUS_MILLISECONDS = 15_000;

async function begin(): Promise<void> {
  keepSettings();
  const key = /^#key=(.+)$/.exec(location.hash)?.[1];
  if (key !== undefined) {
    // The key leaves the address before anything else can read it there.
    history.replaceState(null, "", location.pathname);
    await server.api.session({ key: decodeURIComponent(key) }).catch(() => undefined);
  }
  const { name } = parseRoute(location.hash);
  let early: Promise<Loaded> | undefined;
  const known = server.api.status().then((found) => {
    // Who may read files gets this one while the nodes are still on their way.
    if (name && found.owner) early = server.api.document(name);
    early?.catch(() => undefined);
    return found;
  });
  try {
    const [found, catalogue] = await Promise.all([known, server.api.nodes()]);
    status.value = found;
    types.value = new Types(catalogue);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) await askToken(key === undefined ? t.askToken : t.expiredLink);
    else failed();
    return;
  }
  await start(early);
}

async function askToken(message: string): Promise<void> {
  const { Session } = await import("./parts/Session.tsx");
  const enter = async (token: string): Promise<boolean> => {
    try {
      await server.api.session({ token });
    } catch {
      return false;
    }
    render(null, root);
    void begin();
    return true;
  };
  render(<Session message={message} onToken={enter} />, root);
}

function failed(): void {
  render(
    <main class="session">
      <form onSubmit={(event) => { event.preventDefault(); location.reload(); }}>
        <h1>{t.app}</h1>
        <p>{t.failedToLoad}</p>
        <button type="submit" class="button primary large">{t.tryAgain}</button>
      </form>
    </main>,
    root,
  );
}

async function start(early?: Promise<Loaded>): Promise<void> {
  route.value = parseRoute(location.hash);
  const { owner, open, api } = status.value!;
  const listed = loadWorkflows();
  const wanted = route.value;
  if (!owner) {
    if (wanted.view === "graph") go({ view: wanted.name ? "form" : "start", name: wanted.name });
  } else {
    const name = wanted.name || (location.hash ? "" : (open ?? ""));
    // A model that is served has a form and no file.
    const isFile = name !== "" && (wanted.view !== "form" || (await early?.then(() => true, () => false)) === true);
    if (isFile) {
      route.value = { ...wanted, name };
      await openWorkflow(name, early);
    }
    if (!isFile || file.value.name !== name) newWorkflow();
    if (wanted.view !== "graph" && route.value.view !== wanted.view) go(wanted);
    if (location.hash === "" && route.value.name) go(route.value);
  }
  render(<App />, root);
  addEventListener("keydown", takeKey);
  takeDrops();
  effect(() => {
    const { view } = route.value;
    const name = showsFile() ? `${unsaved.value ? "• " : ""}${fileTitle()}` : view === "start" ? t.workflows : t[view as "gallery"];
    document.title = `${name} – ${t.app}`;
  });
  followRoute((name) => {
    const isFile = route.value.view === "graph" || workflows.value.some((one) => one.name === name);
    if (owner && isFile && name !== file.value.name) void openWorkflow(name);
  });
  keepChecking();
  keepDrafts();
  follow();
  rebuild();
  if (api !== API) failed();
  // The canvas is drawn after the page: ready is when it is.
  requestAnimationFrame(() => setTimeout(markReady));
  await Promise.all([listed, loadHistory()]);
  if (owner && !file.value.name) await recoverNameless();
  setInterval(() => void server.api.status().then((found) => (status.value = found), () => undefined), STATUS_MILLISECONDS);
}

function markReady(): void {
  performance.mark("ready");
  void preload(dialogs);
  // A row that came late would move what is below it.
  void preload(openTabs);
}

void begin();
