/** Folders and files of the owner: where to save, what to open. */
import { useEffect, useRef, useState } from "preact/hooks";
import { openWorkflow, saveTo } from "../app/files.ts";
import { pathFrom } from "../app/inner.ts";
import { complain } from "../app/running.ts";
import { file, opened, placeName, server } from "../app/store.ts";
import { textOf } from "../model/document.ts";
import { folderOf, snake } from "../model/ids.ts";
import type { PlacesAnswer } from "../net/schema.ts";
import { bytesText, timeText } from "../text.ts";
import { Combo, type Item } from "./Combo.tsx";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { Icon, type IconName } from "./Icon.tsx";
import { t } from "./text.ts";

interface Props {
  /** The folder that is shown first, below that of the workflows. */
  at: string;
  /** How the names of files that can be chosen end. */
  ends: RegExp;
  onFolder: (path: string) => void;
  onFile: (path: string) => void;
}

const below = (folder: string, name: string): string => (folder ? `${folder}/${name}` : name);

/** A list of one folder; Backspace goes up. */
export function PlaceList({ at, ends, onFolder, onFile }: Props) {
  const [shown, setShown] = useState<PlacesAnswer | null>(null);
  const go = (path: string): void => {
    server.api.places(path).then((answer) => {
      setShown(answer);
      onFolder(answer.path);
    }, (error) => (path ? go("") : complain(error)));
  };
  useEffect(() => go(at), []);
  if (!shown) return <p class="loading" role="status">{t.loading}</p>;
  const files = shown.files.filter((one) => ends.test(one.name));
  const keys = (event: KeyboardEvent): void => {
    if (event.key !== "Backspace" || shown.parent === null) return;
    event.preventDefault();
    go(shown.parent);
  };
  return (
    <section class="places" aria-label={t.folder} onKeyDown={keys}>
      <p class="muted small mono places-path">{shown.path || t.topFolder}</p>
      <ul class="list">
        {shown.parent !== null && <li><button type="button" class="list-button" onClick={() => go(shown.parent!)}><Icon name="up" /> {t.folderAbove}</button></li>}
        {shown.folders.map((name) => <li key={`${name}/`}><button type="button" class="list-button" onClick={() => go(below(shown.path, name))}><Icon name="folder" /> <span class="file-name">{name}</span></button></li>)}
        {files.map((one) => (
          <li key={one.name}>
            <button type="button" class="list-button" onClick={() => onFile(below(shown.path, one.name))}>
              <Icon name="file" /> <span class="file-name">{one.name}</span><span class="spring" /><span class="muted small">{bytesText(one.size)} · {timeText(one.modified)}</span>
            </button>
          </li>
        ))}
        {files.length + shown.folders.length === 0 && <li class="muted pad">{t.emptyFolder}</li>}
      </ul>
      {shown.left_out > 0 && <p class="muted small">{t.leftOut(shown.left_out)}</p>}
    </section>
  );
}

const WORKFLOWS = /\.json$/i;

export function OpenDialog() {
  return (
    <Dialog label={t.open}>
      <div class="dialog-form">
        <PlaceList at={folderOf(placeName())} ends={WORKFLOWS} onFolder={() => undefined} onFile={(path) => { closeDialog(); void openWorkflow(path.replace(WORKFLOWS, "")); }} />
      </div>
    </Dialog>
  );
}

export interface Choice {
  label: string;
  /** How the names of files that can be chosen end; none where a folder is wanted. */
  ends: RegExp | null;
  /** Takes the path from the workflow's folder. */
  onChoose: (path: string) => void;
}

interface Entry extends Item {
  run: () => void;
}

/** A file or a folder for a value: a few letters find it, Enter goes into a folder or takes it. */
export function ChooseDialog({ label, ends, onChoose }: Choice) {
  const [shown, setShown] = useState<PlacesAnswer | null>(null);
  const { name } = file.value;
  const go = (path: string): void => void server.api.places(path).then(setShown, (error) => (path ? go("") : complain(error)));
  useEffect(() => go(folderOf(name)), []);
  const take = (path: string): void => {
    closeDialog();
    onChoose(pathFrom(name, path));
  };
  const entry = (id: string, icon: IconName, text: string, note: string, run: () => void): Entry => ({
    id: id.replaceAll(/[^\w-]/g, "-"), run, face: <><Icon name={icon} /><span class="item-name">{text}</span><span class="item-types">{note}</span></>,
  });
  const items = (text: string): Entry[] => {
    if (!shown) return [];
    const fits = (one: string): boolean => one.toLowerCase().includes(text.trim().toLowerCase());
    const { path, parent } = shown;
    return [
      ...(ends ? [] : [entry("here", "check", t.thisFolder, "", () => take(path || "."))]),
      ...shown.folders.filter(fits).map((one) => entry(`${one}-folder`, "folder", one, "", () => go(below(path, one)))),
      ...shown.files.filter((one) => ends?.test(one.name) && fits(one.name)).map((one) => entry(one.name, "file", one.name, bytesText(one.size), () => take(below(path, one.name)))),
      ...(parent === null ? [] : [entry("above", "up", t.folderAbove, "", () => go(parent))]),
    ];
  };
  return (
    <Dialog label={label} class="palette" head={false}>
      <Combo key={shown?.path ?? ""} label={label} placeholder={`${label} · ${shown?.path || t.topFolder}`} empty={shown ? t.nothingFits : t.loading} items={items} onChoose={(item) => item.run()} />
    </Dialog>
  );
}

export function SaveDialog() {
  const { name, label, etag } = file.value;
  const first = name || snake(label || textOf(opened.value.document.fields.name)) || "untitled";
  const [text, setText] = useState(first);
  const [there, setThere] = useState<ReadonlySet<string>>(new Set());
  const wanted = text.trim().replace(WORKFLOWS, "");
  const taken = there.has(wanted) && wanted !== name;
  const save = async (): Promise<void> => {
    if (wanted && (await saveTo(wanted, wanted === name ? etag : ""))) closeDialog();
  };
  const shown = useRef(false);
  const entered = (folder: string): void => {
    // The folder that is listed first is that of the name already, or of what was typed meanwhile.
    if (shown.current) setText((before) => below(folder, before.slice(before.lastIndexOf("/") + 1)));
    shown.current = true;
    void server.api.places(folder).then((answer) => setThere(new Set(answer.files.map((one) => below(folder, one.name.replace(WORKFLOWS, ""))))), () => undefined);
  };
  return (
    <Dialog label={t.saveAs}>
      <form class="dialog-form" onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <label for="one-line">{t.nameOfFile}</label>
        <input id="one-line" class="input large" value={text} autocomplete="off" spellcheck={false} autofocus aria-invalid={taken || undefined} aria-describedby="save-about" onFocus={(event) => event.currentTarget.select()} onInput={(event) => setText(event.currentTarget.value)} />
        <p id="save-about" class={taken ? "bad small" : "muted small"}>{taken ? t.exists : t.saveHint}</p>
        <PlaceList at={folderOf(name)} ends={WORKFLOWS} onFolder={entered} onFile={(path) => setText(path.replace(WORKFLOWS, ""))} />
        <footer>
          <button type="button" class="button" onClick={closeDialog}>{t.cancel}</button>
          <button type="submit" class="button primary" disabled={!wanted || taken}>{t.save}</button>
        </footer>
      </form>
    </Dialog>
  );
}
