/** An image that carries a workflow was dropped: use it, or open what made it. */
import { addNode } from "../app/editing.ts";
import { newWorkflow } from "../app/files.ts";
import { types } from "../app/store.ts";
import type { Point } from "../model/operations.ts";
import type { ReadAnswer } from "../net/schema.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { t } from "./text.ts";

export default function DropDialog({ answer, name, at }: { answer: ReadAnswer; name: string; at: Point }) {
  const use = (): void => {
    const type = types.value.node("nodetool.input.ImageInput");
    if (type && answer.upload) addNode(type, at, undefined, { value: { type: "image", asset_id: answer.upload.asset_id } });
    closeDialog();
  };
  const open = (): void => {
    closeDialog();
    if (answer.document) newWorkflow(answer.document, name);
  };
  return (
    <Dialog label={name}>
      <div class="drop-choice">
        {answer.upload && <img src={`${answer.upload.url}?side=512`} alt={name} />}
        <div>
          <button type="button" class="button large" onClick={use} disabled={!answer.upload}><Icon name="image" /> {t.dropUse}</button>
          <button type="button" class="button large" onClick={open} disabled={!answer.document}><Icon name="graph" /> {t.dropOpen}</button>
          {answer.notes?.map((note, index) => <p key={index} class="muted small">{note.message} {note.hint}</p>)}
        </div>
      </div>
    </Dialog>
  );
}
