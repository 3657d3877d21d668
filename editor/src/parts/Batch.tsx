/** Many runs of one workflow: a row of a table, or an image, for each. */
import { useRef, useState } from "preact/hooks";
import { uploaded } from "../app/images.ts";
import { submitRows } from "../app/arranging.ts";
import { complain } from "../app/running.ts";
import { opened, types } from "../app/store.ts";
import { fieldsOfDocument } from "../model/form.ts";
import { type Json, type JsonObject, writeJson } from "../model/json.ts";
import { inputsOf, readRows } from "../model/rows.ts";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { t } from "./text.ts";

const SHOWN = 8;
const MOST = 1000;

export default function Batch() {
  const fields = fieldsOfDocument(opened.value.document, types.value);
  const images = fields.filter((field) => field.kind === "image");
  const [rows, setRows] = useState<JsonObject[]>([]);
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState("");
  const chooser = useRef<HTMLInputElement>(null);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const read = rows.map((row) => inputsOf(row, fields));
  const problems = read.flatMap(({ problems: found }, index) => Object.entries(found).map(([name, kind]) => (kind === "unknown" ? t.noSuchInput(name, fields.map((one) => one.name).join(", ")) : t.badCell(name, index + 1))));
  const blocked = !rows.length || rows.length > MOST || problems.length > 0 || busy !== "";

  const take = async (files: globalThis.File[]): Promise<void> => {
    setWrong("");
    try {
      const next: JsonObject[] = [];
      for (const one of files) {
        if (!one.type.startsWith("image/")) next.push(...readRows(await one.text()));
        else if (images[0]) {
          setBusy(`${t.uploading} ${next.length + 1}`);
          next.push({ [images[0].name]: await uploaded(one) });
        } else throw new SyntaxError(t.noImageInput);
      }
      setRows(next);
    } catch (error) {
      if (error instanceof SyntaxError) setWrong(error.message);
      else complain(error);
    } finally {
      setBusy("");
    }
  };
  const start = async (): Promise<void> => {
    setBusy(t.runStarted);
    await submitRows(read.map(({ inputs }, index) => ({ inputs, label: `${index + 1}/${rows.length}` })));
    closeDialog();
  };
  return (
    <Dialog label={t.runRows} class="batch">
      <div class="dialog-form">
        <p class="muted">{t.runRowsHint(fields.map((field) => field.name).join(", "))}</p>
        <button type="button" class="button" autofocus disabled={busy !== ""} onClick={() => chooser.current?.click()}>{busy || t.chooseRows}</button>
        <input ref={chooser} id="rows-file" type="file" accept=".csv,.json,.jsonl,text/csv,application/json,image/*" multiple hidden tabIndex={-1} onChange={(event) => { void take([...(event.currentTarget.files ?? [])]); event.currentTarget.value = ""; }} />
        {[...new Set([wrong, ...problems, rows.length > MOST ? t.tooManyRows(MOST) : ""])].filter(Boolean).slice(0, 4).map((text) => <p key={text} class="problem bad" role="alert">{text}</p>)}
        {rows.length > 0 && (
          <div class="rows-shown">
            <table>
              <thead><tr>{columns.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
              <tbody>{rows.slice(0, SHOWN).map((row, index) => <tr key={index}>{columns.map((name) => <td key={name}>{cell(row[name])}</td>)}</tr>)}</tbody>
            </table>
            {rows.length > SHOWN && <p class="muted small pad">{t.moreRows(rows.length - SHOWN)}</p>}
          </div>
        )}
        <footer>
          <button type="button" class="button" onClick={closeDialog}>{t.cancel}</button>
          <button type="button" class="button primary" disabled={blocked} onClick={() => void start()}>{t.runTimes(rows.length)}</button>
        </footer>
      </div>
    </Dialog>
  );
}

function cell(value: Json | undefined): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : writeJson(value);
}
