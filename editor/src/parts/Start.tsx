/** What the server has: each workflow with its image, its form, and how programs call it. */
import { useEffect, useState } from "preact/hooks";
import { newWorkflow } from "../app/files.ts";
import { history } from "../app/jobs.ts";
import { imagesOf } from "../app/results.ts";
import { writeRoute } from "../app/route.ts";
import { complain } from "../app/running.ts";
import { brokenWorkflows, dialog, server, status, workflows } from "../app/store.ts";
import type { ServedModels } from "../net/schema.ts";
import { Icon } from "./Icon.tsx";
import { Thumb } from "./Thumb.tsx";
import { t } from "./text.ts";

const FILTERED_FROM = 7;

export default function Start() {
  const [filter, setFilter] = useState("");
  const [models, setModels] = useState<ServedModels["models"]>([]);
  useEffect(() => void server.api.servedModels().then((answer) => setModels(answer.models.filter((one) => one.tasks.length)), complain), []);
  const own = status.value?.owner === true;
  const fits = (text: string): boolean => text.toLowerCase().includes(filter.trim().toLowerCase());
  const found = workflows.value.filter((one) => fits(`${one.name} ${one.title} ${one.description}`));
  const shown = models.filter((one) => fits(one.id));
  const total = workflows.value.length + models.length;
  const broken = Object.keys(brokenWorkflows.value).length;
  return (
    <main class="start">
      <header class="page-head">
        <div><h1>{t.workflows}</h1><p class="muted mono small">{status.value?.address}</p></div>
        {total >= FILTERED_FROM && <input class="input filter" type="search" placeholder={t.filter} aria-label={t.filter} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />}
        {own && <button type="button" class="button primary" onClick={() => newWorkflow()}><Icon name="plus" /> {t.newWorkflow}</button>}
      </header>
      {total === 0 && (
        <div class="empty">
          <Icon name="folder" size={32} />
          <h2>{t.noWorkflows}</h2>
          <p>{own ? t.noWorkflowsHint : t.noneServedHint}</p>
        </div>
      )}
      {total > 0 && found.length + shown.length === 0 && <p class="muted">{t.nothingFits}</p>}
      <ul class="cards">
        {found.map((one) => <Card key={one.name} name={one.name} title={one.title || one.name} about={one.description} image={newestImage(one.name) ?? one.thumbnail} own={own} />)}
      </ul>
      {broken > 0 && <p class="muted small">{t.brokenFiles(broken)}</p>}
      {shown.length > 0 && (
        <>
          <h2>{t.models}</h2>
          <ul class="cards">{shown.map((one) => <Card key={one.id} name={one.id} title={one.id} about={one.tasks.join(", ")} image={null} own={false} />)}</ul>
        </>
      )}
    </main>
  );
}

/** The first image that the newest run of a workflow made. */
function newestImage(name: string): string | undefined {
  const images = history.value.filter((job) => job.workflow === name).map((job) => imagesOf(job)[0]);
  return images.find((image) => image !== undefined)?.url;
}

interface CardProps {
  name: string;
  title: string;
  about: string;
  image: string | null;
  /** Whether its graph can be edited. */
  own: boolean;
}

function Card({ name, title, about, image, own }: CardProps) {
  return (
    <li class="card">
      <a class="card-link" href={writeRoute({ view: "form", name })}>
        <Thumb url={image} side={640} icon={28} />
        <strong>{title}</strong>
      </a>
      {name !== title && <span class="muted mono small">{name}</span>}
      <span class="muted small card-about" title={about}>{about}</span>
      <footer>
        <a class="button" href={writeRoute({ view: "form", name })} aria-label={`${t.form}: ${title}`}><Icon name="form" /> {t.form}</a>
        {own && <a class="button" href={writeRoute({ view: "graph", name })} aria-label={`${t.edit}: ${title}`}><Icon name="graph" /> {t.edit}</a>}
        <button type="button" class="button" aria-label={`${t.call}: ${title}`} onClick={() => (dialog.value = { kind: "calls", data: { name } })}>{t.call}</button>
      </footer>
    </li>
  );
}
