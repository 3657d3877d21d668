/** Models on this machine: size, use, fetching more, letting go of memory. */
import { useEffect, useState } from "preact/hooks";
import { loadModels, models, pulls } from "../app/models.ts";
import { complain } from "../app/running.ts";
import { say, server, status } from "../app/store.ts";
import { bytesText, t } from "../text.ts";
import { Icon, IconButton } from "./Icon.tsx";

export default function Models() {
  const [filter, setFilter] = useState("");
  const [id, setId] = useState("");
  useEffect(() => void loadModels(), []);
  const own = status.value?.owner === true;
  const fits = (models.value ?? []).filter((one) => `${one.id} ${one.tasks.join(" ")}`.toLowerCase().includes(filter.toLowerCase()));
  const pull = async (name: string): Promise<void> => {
    try {
      await server.api.pull(name);
      pulls.value = { ...pulls.value, [name]: { bytes: 0, total: 0 } };
      setId("");
    } catch (error) {
      complain(error);
    }
  };
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
        <form class="pull" onSubmit={(event) => { event.preventDefault(); if (id.trim()) void pull(id.trim()); }}>
          <input class="input" value={id} placeholder={t.pullHint} aria-label={t.pullHint} spellcheck={false} onInput={(event) => setId(event.currentTarget.value)} />
          <button type="submit" class="button primary" disabled={!id.trim()}><Icon name="download" /> {t.pull}</button>
        </form>
      )}
      {Object.entries(pulls.value).map(([name, { bytes, total }]) => (
        <p class="pulling" key={name}>
          <span>{name}</span>
          <progress max={1} {...(total ? { value: bytes / total } : {})} aria-label={name} />
          <span class="muted small">{bytesText(bytes)}{total > 0 && ` / ${bytesText(total)}`}</span>
        </p>
      ))}
      {models.value?.length === 0 && <div class="empty"><Icon name="cube" size={32} /><h2>{t.noModels}</h2></div>}
      <ul class="list model-list">
        {fits.map((one) => (
          <li key={one.id}>
            <span class="model-name"><strong>{one.id}</strong><span class="muted small">{[one.tasks.join(", "), one.family, one.licence].filter(Boolean).join(" · ")}</span></span>
            {one.loaded && <span class="tag good">{t.loaded}</span>}
            <span class="muted small">{one.size ? bytesText(one.size) : ""}</span>
            {one.on_disk ? (
              own && <IconButton icon="trash" label={`${t.remove} ${one.id}`} onClick={() => void server.api.deleteModel(one.id).then(loadModels, complain)} />
            ) : (
              own && <IconButton icon="download" label={`${t.pull} ${one.id}`} onClick={() => void pull(one.id)} />
            )}
          </li>
        ))}
      </ul>
    </main>
  );
}
