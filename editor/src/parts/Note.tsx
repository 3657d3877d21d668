/** A note on the canvas: its text is edited in place. */
import { setValue, title } from "../app/editing.ts";
import { file, opened, types, versionOf } from "../app/store.ts";
import { HEADER, measure } from "../canvas/geometry.ts";
import { part, textOf } from "../model/document.ts";
import { colorOf } from "../model/frames.ts";
import { noteText } from "../model/notes.ts";
import { t } from "../text.ts";

export function NoteBody({ id }: { id: string }) {
  versionOf(id).value;
  const record = opened.value.document.nodes.get(id);
  const data = part(record, "data");
  const plain = types.value.node(textOf(record?.type))?.properties.find((one) => one.name === "comment_color")?.default;
  const color = data.comment_color === plain ? undefined : colorOf(data.comment_color);
  const style = { height: `${measure(id).height}px`, ...(color ? { "--tint": color } : {}) };
  return (
    <section class="node note" style={style} aria-label={`${t.note}: ${title(id)}`}>
      <header class="node-header" style={{ height: `${HEADER}px` }}><span class="node-title">{textOf(data.headline) || t.note}</span></header>
      <textarea class="note-text" data-field="" data-scrolls="" spellcheck={false} aria-label={t.note} placeholder={t.writeNote} value={noteText(data.comment)} disabled={file.value.readOnly} onInput={(event) => setValue(id, "comment", event.currentTarget.value)} />
      <span class="node-resize both" data-resize="" aria-hidden="true" />
    </section>
  );
}
