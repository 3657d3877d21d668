/** Models on this machine: size, use, fetching more, letting go of memory. */
import { useEffect, useState } from "preact/hooks";
import { loadModels, models, pullModel, pulls } from "../app/models.ts";
import { complain } from "../app/running.ts";
import { dialog, say, server, status } from "../app/store.ts";
import type { Model } from "../net/schema.ts";
import { bytesText } from "../text.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { Icon, IconButton } from "./Icon.tsx";
import { dayText, t } from "./text.ts";

export default function Models() {
  const [filter, setFilter] = useState("");
  const [id, setId] = useState("");
  useEffect(() => void loadModels(), []);
  const own = status.value?.owner === true;
  const fits = (models.value ?? []).filter((one) => `${one.id} ${one.tasks.join(" ")}`.toLowerCase().includes(filter.toLowerCase()));
  const free = async (): Promise<void> => {
    try {
      say(t.freed(bytesText((await server.api.free()).freed_bytes)));
    } catch (error) {
      complain(error);
    }
  };
  return (
    <main class="models">
      <header class="page-head">
        <h1>{t.models}</h1>
        <input class="input filter" type="search" placeholder={t.filter} aria-label={t.filter} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <button type="button" class="button" onClick={() => void free()}>{t.freeMemory}</button>
      </header>
      {own && (
        <form class="pull" onSubmit={(event) => { event.preventDefault(); if (id.trim()) void pullModel(id.trim()).then(() => setId("")); }}>
          <input class="input" value={id} placeholder={t.pullHint} aria-label={t.pullHint} spellcheck={false} onInput={(event) => setId(event.currentTarget.value)} />
          <button type="submit" class="button primary" disabled={!id.trim()}><Icon name="download" /> {t.pull}</button>
        </form>
      )}
      {Object.entries(pulls.value).map(([name, { bytes, total }]) => (
        <div class="pulling" key={name}>
          <span class="model-name">{name}</span>
          <progress max={1} {...(total ? { value: bytes / total } : {})} aria-label={name} />
          <span class="muted small">{bytes > 0 ? bytesText(bytes) : t.pullBegins}{total > 0 && ` / ${bytesText(total)}`}</span>
          <IconButton icon="close" label={`${t.cancel} ${name}`} onClick={() => void server.api.stopPull(name).catch(complain)} />
        </div>
      ))}
      {models.value === null && <p class="loading" role="status">{t.loading}</p>}
      {models.value?.length === 0 && <div class="empty"><Icon name="cube" size={32} /><h2>{t.noModels}</h2><p>{t.noModelsHint}</p></div>}
      {fits.length === 0 && (models.value?.length ?? 0) > 0 && <p class="muted">{t.nothingFits}</p>}
      {fits.length > 0 && <ul class="list model-list">{fits.map((one) => <Row key={one.id} model={one} own={own} />)}</ul>}
    </main>
  );
}

function Row({ model, own }: { model: Model; own: boolean }) {
  const about = [model.family, model.tasks.join(", "), model.licence].filter(Boolean).join(" · ");
  return (
    <li>
      <span class="model-name">
        <strong>{model.id}</strong>
        {about && <span class="muted small">{about}</span>}
        {model.gaps?.map((gap) => <span key={gap} class="bad small">{t.incomplete(gap)}</span>)}
      </span>
      {model.loaded && <span class="tag good">{t.loadedOn(model.devices?.join(", ") ?? "")}</span>}
      {model.ships && <span class="tag">{t.ships}</span>}
      {model.used && <span class="muted small model-used">{t.lastUsed(dayText(model.used))}</span>}
      <span class="muted small model-size">{model.size ? bytesText(model.size) : ""}</span>
      {own && !model.on_disk && !pulls.value[model.id] && <IconButton icon="download" label={`${t.pull} ${model.id}`} onClick={() => void pullModel(model.id)} />}
      {own && !model.ships && <IconButton icon="trash" label={`${t.remove} ${model.id}`} onClick={() => (dialog.value = { kind: "remove-model", data: model })} />}
    </li>
  );
}

/** Says what goes and who needs it, before it goes. */
export function RemoveModel(model: Model) {
  const remove = (): void => {
    closeDialog();
    server.api.deleteModel(model.id).then(({ bytes }) => say(t.removedModel(model.id, bytesText(bytes))), complain).then(loadModels);
  };
  return (
    <Dialog label={t.removeModel}>
      <div class="dialog-form">
        <p class="model-name"><strong>{model.id}</strong></p>
        <p>{t.removeModelHint(bytesText(model.size ?? 0))}</p>
        {(model.used_by?.length ?? 0) > 0 && <p class="bad">{t.usedBy(model.used_by!.join(", "))}</p>}
        <footer>
          <button type="button" class="button" onClick={closeDialog}>{t.cancel}</button>
          <button type="button" class="button danger" autofocus onClick={remove}>{t.remove}</button>
        </footer>
      </div>
    </Dialog>
  );
}
