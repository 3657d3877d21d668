import { workflows } from "../app/store.ts";
import { thumbnail } from "../net/api.ts";
import { t } from "../text.ts";
import { Icon } from "./Icon.tsx";

/** For clients, and for everybody who has not chosen one: the workflows with their images. */
export default function Start() {
  return (
    <main class="start">
      <h1>{t.workflows}</h1>
      <div class="cards">
        {workflows.value.map((one) => (
          <a key={one.name} class="card" href={`#/f/${one.name.split("/").map(encodeURIComponent).join("/")}`}>
            {one.thumbnail ? <img src={thumbnail(one.thumbnail, 640)} alt="" loading="lazy" /> : <span class="no-image"><Icon name="graph" size={28} /></span>}
            <strong>{one.title || one.name}</strong>
            <span class="muted small">{one.description}</span>
          </a>
        ))}
      </div>
      {workflows.value.length === 0 && <div class="empty"><Icon name="folder" size={32} /><h2>{t.noWorkflows}</h2></div>}
    </main>
  );
}
