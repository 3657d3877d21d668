/** What became of each node of a file of another tool, or why it can't be imported. */
import type { Report } from "../app/reports.ts";
import { title } from "../app/editing.ts";
import { opened } from "../app/store.ts";
import { told } from "../app/telling.ts";
import { showNode } from "../canvas/neighbours.ts";
import type { ImportedNode } from "../net/schema.ts";
import { count } from "../text.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { t } from "./text.ts";

const FATES: Record<ImportedNode["fate"], string> = { lost: "✕", approximated: "≈", "other form": "↔", same: "✓" };

export default function ReportDialog({ name, answer: { grade, report = [], notes = [] } }: Report) {
  const changed = report.filter((one) => one.messages.length > 0);
  const rest = report.length - changed.length;
  const order = Object.keys(FATES);
  changed.sort((a, b) => order.indexOf(a.fate) - order.indexOf(b.fate));
  // What is about the file as a whole, or why it was refused.
  const loose = notes.filter((note) => !changed.some((one) => one.messages.some((message) => message.startsWith(note.message))));
  return (
    <Dialog label={t.importOf(name)} class="report">
      <div class="report-body" tabIndex={0}>
        <p>{grade ? t.grades[grade] : t.importRefused}</p>
        {loose.map((note, index) => <p key={index} class={grade ? "problem" : "problem bad"}>{told(note)}</p>)}
        <ul class="list report-list">
          {changed.map((one) => <Fate key={one.node} one={one} />)}
        </ul>
        {rest > 0 && <p class="muted small">{t.keptWhole(count(rest, "node", "nodes"))}</p>}
      </div>
      <footer class="report-foot">
        <button type="button" class="button primary" autofocus onClick={closeDialog}>{t.close}</button>
      </footer>
    </Dialog>
  );
}

function Fate({ one }: { one: ImportedNode }) {
  const there = one.nodes.filter((id) => opened.value.document.nodes.has(id));
  return (
    <li>
      <p>
        <span class={`mark fate-${one.fate.replace(" ", "-")}`} aria-hidden="true">{FATES[one.fate]}</span>
        <strong>{one.node}</strong>
        <span class="tag">{t.fates[one.fate]}</span>
        {there.map((id) => <button key={id} type="button" class="text-button" onClick={() => { closeDialog(); showNode(id); }}>{title(id)}</button>)}
      </p>
      {one.messages.map((message, index) => <p key={index} class="muted small">{message}</p>)}
    </li>
  );
}
