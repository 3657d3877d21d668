/** Which dialog is open. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { listed } from "../actions.ts";
import { setFrame, setUi, setValue, title } from "../app/editing.ts";
import { openWorkflow, renameWorkflow, saveMine, showCopy } from "../app/files.ts";
import { movedContent } from "../app/relocating.ts";
import { complain } from "../app/running.ts";
import { dialog, file, opened, server } from "../app/store.ts";
import { shownKey } from "../canvas/keys.ts";
import { isNote } from "../canvas/geometry.ts";
import { type Difference, differences } from "../model/compare.ts";
import { WorkflowDocument } from "../model/document.ts";
import { readFrames } from "../model/frames.ts";
import { labelOf } from "../model/types.ts";
import type { VersionsAnswer } from "../net/schema.ts";
import { bytesText, timeText } from "../text.ts";
import { ActionSearch } from "./ActionSearch.tsx";
import { ConnectDialog } from "./ConnectDialog.tsx";
import { Dialog, closeDialog } from "./Dialog.tsx";
import { IdField } from "./Inspector.tsx";
import { Lazy } from "./Lazy.tsx";
import { Palette, type PaletteData } from "./Palette.tsx";
import { t } from "./text.ts";

export default function Dialogs() {
  const shown = dialog.value;
  if (!shown) return null;
  const data = shown.data as never;
  switch (shown.kind) {
    case "palette":
      return <Palette {...(data as PaletteData)} />;
    case "actions":
      return <ActionSearch onlyNodes={data === "@"} />;
    case "connect":
      return <ConnectDialog {...(data as { node: string })} />;
    case "save-as":
      return <Lazy key="save" load={() => import("./Places.tsx").then(({ SaveDialog }) => ({ default: SaveDialog as never }))} />;
    case "open":
      return <Lazy key="open" load={() => import("./Places.tsx").then(({ OpenDialog }) => ({ default: OpenDialog as never }))} />;
    case "choose":
      return <Lazy key="choose" load={() => import("./Places.tsx").then(({ ChooseDialog }) => ({ default: ChooseDialog as never }))} {...(data as object)} />;
    case "rename-file":
      return <OneLine label={t.rename} field={t.nameOfFile} initial={data} button={t.rename} onDone={(to) => { closeDialog(); if (to !== data) void renameWorkflow(data, to); }} />;
    case "rename-node":
      return <RenameNode id={data} />;
    case "rename-frame":
      return <OneLine label={t.rename} field={t.title} initial={frameTitle(data)} button={t.rename} onDone={(to) => { setFrame(data, "title", to); closeDialog(); }} />;
    case "keys":
      return <Keys />;
    case "versions":
      return <Versions />;
    case "changed":
      return <Changed />;
    case "viewer":
      return <Lazy load={() => import("./Viewer.tsx")} {...(data as object)} />;
    case "mask":
      return <Lazy load={() => import("./Mask.tsx")} {...(data as object)} />;
    case "remove-model":
      return <Lazy load={() => import("./Models.tsx").then(({ RemoveModel }) => ({ default: RemoveModel as never }))} {...(data as object)} />;
    case "calls":
      return <Lazy load={() => import("./Calls.tsx")} {...(data as object)} />;
    case "crop":
      return <Lazy load={() => import("./Crop.tsx")} {...(data as object)} />;
    case "batch":
      return <Lazy load={() => import("./Batch.tsx")} />;
    case "values":
      return <Lazy load={() => import("./ValuesDialog.tsx")} {...(data as object)} />;
    case "report":
      return <Lazy load={() => import("./ReportDialog.tsx")} {...(data as object)} />;
    case "drop":
      return <Lazy load={() => import("./DropDialog.tsx")} {...(data as object)} />;
    default:
      return null;
  }
}

interface FormProps {
  label: string;
  field: string;
  initial: string;
  button: string;
  onDone: (text: string) => unknown;
  children?: ComponentChildren;
}

/** A dialog that asks for one line. */
function OneLine({ label, field, initial, button, onDone, children }: FormProps) {
  const [text, setText] = useState(initial);
  return (
    <Dialog label={label}>
      <form
        class="dialog-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) void onDone(text.trim());
        }}
      >
        <label for="one-line">{field}</label>
        <input id="one-line" class="input large" value={text} autocomplete="off" spellcheck={false} autofocus onFocus={(event) => event.currentTarget.select()} onInput={(event) => setText(event.currentTarget.value)} />
        {children}
        <footer>
          <button type="button" class="button" onClick={closeDialog}>{t.cancel}</button>
          <button type="submit" class="button primary" disabled={!text.trim()}>{button}</button>
        </footer>
      </form>
    </Dialog>
  );
}

function frameTitle(id: string): string {
  return readFrames(opened.value.document).find((one) => one.id === id)?.title ?? "";
}

function RenameNode({ id }: { id: string }) {
  const done = (text: string): void => {
    if (isNote(id)) setValue(id, "headline", text);
    else setUi([id], "title", text === title(id) ? undefined : text);
    closeDialog();
  };
  return (
    <OneLine label={t.rename} field={t.title} initial={title(id)} button={t.rename} onDone={done}>
      <IdField id={id} />
    </OneLine>
  );
}

function Keys() {
  const groups = [...new Set(listed().map((one) => one.group))];
  return (
    <Dialog label={t.keysTitle} class="keys">
      <div class="keys-list">
        {groups.map((group) => (
          <section key={group}>
            {listed().filter((one) => one.group === group && one.keys).map((one) => (
              <p key={one.id}>
                <span>{one.name}</span>
                <span>{one.keys!.split(" ").map((key) => <kbd key={key}>{shownKey(key)}</kbd>)}</span>
              </p>
            ))}
          </section>
        ))}
      </div>
    </Dialog>
  );
}

function Versions() {
  const [found, setFound] = useState<VersionsAnswer["versions"] | null>(null);
  const { name } = file.value;
  useEffect(() => {
    server.api.versions(name).then((answer) => setFound(answer.versions), complain);
  }, [name]);
  const show = async (id: string, saved: number): Promise<void> => {
    try {
      showCopy(await movedContent(await server.api.version(name, id), name, ""), `${name} @ ${timeText(saved)}`);
      closeDialog();
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Dialog label={`${t.versions}: ${name}`}>
      <ul class="list">
        {found?.map((one) => (
          <li key={one.id}>
            <button type="button" class="list-button" onClick={() => void show(one.id, one.saved)}>
              <span>{timeText(one.saved)}</span>
              <span class="muted">{bytesText(one.bytes)}</span>
            </button>
          </li>
        ))}
        {found?.length === 0 && <li class="muted pad">{t.noVersions}</li>}
      </ul>
    </Dialog>
  );
}

/** The file is another one than ours was begun from: which of the two stays. */
function Changed() {
  const [found, setFound] = useState<Difference[] | null>(null);
  const { name } = file.value;
  const compare = async (): Promise<void> => {
    try {
      const theirs = new WorkflowDocument((await server.api.document(name)).document);
      setFound(differences(opened.value.document, theirs));
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Dialog label={file.value.name}>
      <div class="dialog-form">
        <p>{t.fileChanged}</p>
        {found && (
          <ul class="list differences" tabIndex={0} aria-label={t.compare}>
            {found.length === 0 && <li class="muted">{t.noDifference}</li>}
            {found.map(({ id, how, properties }) => <li key={id}><strong>{how === "added" ? id : title(id)}</strong> <span class="muted">{how === "changed" ? properties.map(labelOf).join(", ") : t.hows[how]}</span></li>)}
          </ul>
        )}
        <footer>
          <button type="button" class="button" disabled={found !== null} onClick={() => void compare()}>{t.compare}</button>
          <button type="button" class="button" onClick={() => { closeDialog(); void openWorkflow(file.value.name); }}>{t.reload}</button>
          <button type="button" class="button primary" onClick={() => { closeDialog(); void saveMine(); }}>{t.keepMine}</button>
        </footer>
      </div>
    </Dialog>
  );
}
