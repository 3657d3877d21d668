/** Ctrl+K: every action with its key, nodes of the document, workflows of the folder. */
import { listed, perform } from "../actions.ts";
import { selectFrame, title } from "../app/editing.ts";
import { openWorkflow } from "../app/files.ts";
import { opened, nodeState, workflows } from "../app/store.ts";
import { frameBoxes } from "../canvas/frames.ts";
import { reveal } from "../canvas/view.ts";
import { showNode } from "../canvas/neighbours.ts";
import { shownKey } from "../canvas/keys.ts";
import { textOf } from "../model/document.ts";
import { MARKS } from "../model/state.ts";
import { Combo, type Item } from "./Combo.tsx";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { t } from "./text.ts";

interface Found extends Item {
  run: () => void;
}

const MOST = 80;

export function ActionSearch({ onlyNodes }: { onlyNodes: boolean }) {
  const items = (text: string): Found[] => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (...texts: string[]) => words.every((word) => texts.join(" ").toLowerCase().includes(word));
    const actions = onlyNodes ? [] : listed().filter((one) => fits(one.name) && (one.when?.() ?? true)).map((one): Found => ({
      id: `action-${one.id}`,
      run: () => perform(one.id),
      face: <><span class="item-name">{one.name}</span>{one.keys && <kbd>{shownKey(one.keys)}</kbd>}</>,
    }));
    const nodes = [...opened.value.document.nodes].filter(([id, record]) => fits(id, title(id), textOf(record.type))).map(([id]): Found => {
      const { mark } = nodeState(id);
      return {
        id: `node-${id.replaceAll(/[^\w-]/g, "-")}`,
        group: t.nodes,
        run: () => showNode(id),
        face: <><span class={`mark mark-${mark}`} aria-label={t.marks[mark]}>{MARKS[mark]}</span><span class="item-name">{title(id)}</span><span class="item-place">{id}</span></>,
      };
    });
    const frames = frameBoxes().filter((one) => fits(one.title, one.id)).map((one): Found => ({
      id: `frame-${one.id.replaceAll(/[^\w-]/g, "-")}`,
      group: t.nodes,
      run: () => { selectFrame(one.id); reveal(one); },
      face: <><span class="mark" aria-hidden="true">▢</span><span class="item-name">{one.title}</span><span class="item-place">{t.frame}</span></>,
    }));
    const files = onlyNodes ? [] : workflows.value.filter((one) => fits(one.name, one.title)).map((one): Found => ({
      id: `file-${one.name.replaceAll(/[^\w-]/g, "-")}`,
      group: t.workflows,
      run: () => void openWorkflow(one.name),
      face: <><span class="item-name">{one.title || one.name}</span><span class="item-place">{one.name}</span></>,
    }));
    return [...actions, ...nodes.slice(0, MOST), ...frames, ...files.slice(0, MOST)];
  };
  const choose = (item: Found): void => {
    closeDialog();
    // The dialog gives back the focus first; some actions move it.
    setTimeout(item.run);
  };
  return (
    <Dialog label={t.search} class="palette" head={false}>
      <Combo label={t.searchActions} placeholder={t.searchActions} items={items} empty={t.nothingFits} onChoose={choose} />
    </Dialog>
  );
}
