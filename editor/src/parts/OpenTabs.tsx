/** The workflows that are open, where there are several. */
import { showRoute } from "../app/files.ts";
import { type Tab, activate, active, closeTab, nextTab, shownTabs } from "../app/tabs.ts";
import { Icon } from "./Icon.tsx";
import { t } from "./text.ts";

export default function OpenTabs() {
  const choose = (tab: Tab): void => {
    activate(tab);
    showRoute();
  };
  const close = (tab: Tab): void => {
    closeTab(tab);
    showRoute();
  };
  const keys = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (event.key === "Delete") close(active.value);
    else if (by) {
      nextTab(by);
      showRoute();
    } else return;
    event.preventDefault();
    event.stopPropagation();
    const row = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => row.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };
  return (
    <nav aria-label={t.tabs}>
      <div class="open-tabs" role="tablist" aria-label={t.tabs} onKeyDown={keys}>
        {shownTabs.value.map(({ tab, title, unsaved }) => (
          <span key={tab.id} class="open-tab" role="presentation">
            <button type="button" role="tab" aria-selected={tab === active.value} tabIndex={tab === active.value ? 0 : -1} title={title} onClick={() => choose(tab)} onAuxClick={(event) => event.button === 1 && close(tab)}>
              {unsaved && <i class="unsaved-dot" aria-label={t.unsaved} />}
              <span>{title.slice(title.lastIndexOf("/") + 1)}</span>
            </button>
            {/* A list of tabs holds tabs alone: keys close one by Delete, or by Alt+W. */}
            <button type="button" class="icon-button close-tab" aria-hidden="true" tabIndex={-1} aria-label={`${t.closeTab} ${title}`} title={`${t.closeTab} ${title}`} onClick={() => close(tab)}><Icon name="close" /></button>
          </span>
        ))}
      </div>
    </nav>
  );
}
