import { useRef, useState } from "preact/hooks";
import { type Json, numberOf, parseJson, writeJson } from "../../model/json.ts";
import { count } from "../../text.ts";
import { t } from "../text.ts";
import { complain } from "../../app/running.ts";
import { Icon, IconButton } from "../Icon.tsx";
import { type FieldProps, common } from "./Field.tsx";
import { imageName, imageUrl, uploaded } from "../../app/images.ts";

/** Texts and numbers: one a line. Images: thumbnails. */
export function ListField(props: FieldProps) {
  if (/image/.test(props.typeName)) return <ImageList {...props} />;
  return <LineList {...props} />;
}

function LineList(props: FieldProps) {
  const { typeName, onChange, value, compact } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const items = Array.isArray(value) ? value : [];
  const numbers = /int|float/.test(typeName);
  const set = (text: string): void => {
    setDraft(text);
    const lines = text === "" ? [] : text.split("\n");
    if (!numbers) onChange(lines);
    else {
      try {
        const read = lines.filter((line) => line.trim()).map((line) => parseJson(line.trim()));
        if (read.every((one) => numberOf(one) !== undefined)) onChange(read);
      } catch {
        // Half a number is not one yet.
      }
    }
  };
  const text = draft ?? items.map(String).join("\n");
  if (compact) return <span class="muted small" data-field="">{count(items.length, "item", "items")}</span>;
  return <textarea {...common(props)} class="input area" rows={Math.min(12, Math.max(3, items.length + 1))} value={text} data-scrolls="" onInput={(event) => set(event.currentTarget.value)} onBlur={() => setDraft(null)} />;
}

function ImageList(props: FieldProps) {
  const { value, onChange, disabled, compact } = props;
  const chooser = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const items = Array.isArray(value) ? value : [];
  if (compact) return <span class="muted small" data-field="">{count(items.length, "image", "images")}</span>;
  const add = async (files: Iterable<File>): Promise<void> => {
    try {
      const stored: Json[] = [];
      for (const one of files) if (one.type.startsWith("image/")) stored.push(await uploaded(one));
      if (!stored.length) return;
      onChange([...items, ...stored]);
      // What was added is at the end, which may be out of sight.
      requestAnimationFrame(() => list.current?.scrollTo({ top: list.current.scrollHeight }));
    } catch (error) {
      complain(error);
    }
  };
  return (
    <div
      class="image-list-field"
      data-field=""
      data-drop-image=""
      role="group"
      aria-label={props.label}
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        event.stopPropagation();
      }}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        if (!disabled) void add(event.dataTransfer?.files ?? []);
      }}
    >
      <p class="image-list-head">
        <span class="muted small">{count(items.length, "image", "images")}</span>
        <button type="button" class="button" disabled={disabled} onClick={() => chooser.current?.click()}><Icon name="plus" /> {t.addItem}</button>
      </p>
      {items.length > 0 && <div class="image-list" ref={list}>
      {items.map((item, index) => (
        <span class="image-item" key={index}>
          {imageUrl(item) ? <img src={imageUrl(item, 128)!} alt={imageName(item)} loading="lazy" /> : <span>{imageName(item)}</span>}
          <IconButton icon="close" label={t.removeItem} disabled={disabled ?? false} onClick={() => onChange(items.toSpliced(index, 1))} />
        </span>
      ))}
      </div>}
      <input ref={chooser} type="file" accept="image/*" multiple hidden tabIndex={-1} onChange={(event) => void add(event.currentTarget.files ?? [])} />
    </div>
  );
}

/** Any JSON. What is no JSON yet is shown as such and not set. */
export function JsonField(props: FieldProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [wrong, setWrong] = useState(false);
  const text = draft ?? (props.value === undefined ? "" : writeJson(props.value));
  if (props.compact) return <span class="muted small mono" data-field="">{text.length > 28 ? `${text.slice(0, 27)}…` : text}</span>;
  const set = (next: string): void => {
    setDraft(next);
    try {
      props.onChange(next.trim() === "" ? undefined : parseJson(next));
      setWrong(false);
    } catch {
      setWrong(true);
    }
  };
  return (
    <span class="json-field" data-field="">
      <textarea {...common(props)} aria-invalid={wrong || props.invalid || undefined} class="input area mono" rows={3} value={text} data-scrolls="" spellcheck={false} onInput={(event) => set(event.currentTarget.value)} onBlur={() => { setDraft(null); setWrong(false); }} />
      {wrong && <span class="bad small">{t.badJson}</span>}
    </span>
  );
}
