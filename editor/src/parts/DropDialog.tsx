/** An image that carries a workflow was dropped: use it, or open what made it. */
import { useDropped } from "../app/taking.ts";
import { openRead } from "../app/reports.ts";
import type { Point } from "../model/operations.ts";
import type { ReadAnswer } from "../net/schema.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { t } from "./text.ts";

export default function DropDialog({ answer, name, at }: { answer: ReadAnswer; name: string; at: Point }) {
  const use = (): void => {
    useDropped(answer, at);
    closeDialog();
  };
  const open = (): void => {
    closeDialog();
    openRead(answer, name);
  };
  return (
    <Dialog label={name}>
      <div class="drop-choice">
        {answer.upload && <img src={`${answer.upload.url}?side=512`} alt={name} />}
        <div>
          <button type="button" class="button large" onClick={use} disabled={!answer.upload}><Icon name="image" /> {t.dropUse}</button>
          <button type="button" class="button large" onClick={open} disabled={!answer.document}><Icon name="graph" /> {t.dropOpen}</button>
          {answer.grade && <p class="muted small">{t.grades[answer.grade]}</p>}
          {!answer.grade && answer.notes?.map((note, index) => <p key={index} class="muted small">{note.message} {note.hint}</p>)}
        </div>
      </div>
    </Dialog>
  );
}
