/** The left side: workflows of the folder, the outline, the nodes there are. */
import { useState } from "preact/hooks";
import { addNode } from "../app/editing.ts";
import { newWorkflow, openWorkflow, removeWorkflow } from "../app/files.ts";
import { settings } from "../app/settings.ts";
import { type Tab, brokenWorkflows, dialog, file, leftTab, types, workflows } from "../app/store.ts";
import { screen, toCanvas } from "../canvas/view.ts";
import { titleOf } from "../model/types.ts";
import type { NodeType } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { Icon, IconButton } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";
import Outline from "./Outline.tsx";
import { search } from "../app/finding.ts";
import { Thumb } from "./Thumb.tsx";
import { t } from "./text.ts";

const TABS: Tab[] = ["workflows", "outline", "nodes"];

export default function Left() {
  const shown = leftTab.value;
  const keys = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    const next = TABS[(TABS.indexOf(shown) + by + TABS.length) % TABS.length]!;
    leftTab.value = next;
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`#left-${next}`)?.focus();
  };
  return (
    <section class="left" aria-label={t[shown]}>
      <div class="tabs" role="tablist" aria-label={t.regions} onKeyDown={keys}>
        {TABS.map((one) => (
          <button key={one} id={`left-${one}`} type="button" role="tab" aria-selected={one === shown} aria-controls="left-pane" tabIndex={one === shown ? 0 : -1} onClick={() => (leftTab.value = one)}>
            {t[one]}
          </button>
        ))}
      </div>
      <div id="left-pane" class="left-pane" role="tabpanel" aria-labelledby={`left-${shown}`}>
        {shown === "workflows" && <Workflows />}
        {shown === "outline" && <Outline />}
        {shown === "nodes" && <Nodes />}
      </div>
    </section>
  );
}

export function Workflows() {
  const [filter, setFilter] = useState("");
  const found = workflows.value.filter((one) => `${one.name} ${one.title}`.toLowerCase().includes(filter.toLowerCase()));
  return (
    <div class="workflows">
      <div class="pane-head">
        <input class="input filter" type="search" placeholder={t.filter} aria-label={t.filter} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <IconButton icon="plus" label={t.newWorkflow} onClick={() => newWorkflow()} />
      </div>
      {workflows.value.length === 0 && (
        <div class="empty">
          <Icon name="folder" size={28} />
          <h3>{t.noWorkflows}</h3>
          <p>{t.noWorkflowsHint}</p>
        </div>
      )}
      <ul class="list files">
        {found.map((one) => (
          <li key={one.name} class={one.name === file.value.name ? "current" : ""}>
            <button type="button" class="list-button" aria-current={one.name === file.value.name ? "true" : undefined} onClick={() => void openWorkflow(one.name)} title={one.description}>
              <Thumb url={one.thumbnail} side={128} />
              <span class="file-text">
                <span class="file-name">{one.title || one.name}</span>
                <span class="muted small">{one.name} · {timeText(one.modified)}</span>
              </span>
            </button>
            <Menu
              label={t.more}
              items={[
                { text: t.rename, run: () => (dialog.value = { kind: "rename-file", data: one.name }) },
                { text: t.remove, danger: true, run: () => void removeWorkflow(one.name) },
              ]}
            >
              <Icon name="more" />
            </Menu>
          </li>
        ))}
        {Object.entries(brokenWorkflows.value).map(([name, problems]) => (
          <li key={name} class="broken" title={problems[0]?.message}>
            <span class="list-button"><span class="mark mark-mistake">!</span><span class="file-text"><span class="file-name">{name}</span><span class="bad small">{problems[0]?.message}</span></span></span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** All nodes by namespace, or what fits a few words; Enter or a click adds one. */
function Nodes() {
  const [filter, setFilter] = useState("");
  const groups = new Map<string, NodeType[]>();
  const used = settings.value.used;
  const found = filter.trim() ? search.value.find(filter, (type) => used[type] ?? 0).slice(0, 80) : [...types.value.nodes.values()];
  for (const type of found) {
    const group = filter.trim() ? "" : type.namespace;
    groups.set(group, [...(groups.get(group) ?? []), type]);
  }
  const add = (type: NodeType): void => {
    const { width, height } = screen.peek();
    addNode(type, toCanvas(width / 2 - 120, height / 3));
  };
  return (
    <div class="node-list">
      <div class="pane-head">
        <input class="input filter" type="search" placeholder={t.addNodeHint} aria-label={t.filter} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      </div>
      {[...groups].map(([group, list]) => (
        <details key={group} open={!!filter.trim() || undefined}>
          <summary class={group ? "" : "unseen"}>{group}<span class="muted">{list.length}</span></summary>
          {list.map((type) => (
            <button key={type.type} type="button" class="list-button" disabled={file.value.readOnly} title={type.description} onClick={() => add(type)}>
              <span class={`dot kind-${types.value.info(type.outputs[0]?.type ?? -1).kind}`} aria-hidden="true" />
              <span>{titleOf(type.type)}</span>
            </button>
          ))}
        </details>
      ))}
      {found.length === 0 && <p class="muted pad">{t.noNodeFits}</p>}
    </div>
  );
}
