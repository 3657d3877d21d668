import { isObject } from "../../model/json.ts";
import { t } from "../../text.ts";
import { type FieldProps, common } from "./Field.tsx";
import { PlaceButton } from "./Image.tsx";

/** A path as text, or what a reference names: a folder, a font. */
export function PathField(props: FieldProps) {
  const { value, property, onChange } = props;
  const own = isObject(value) ? value : isObject(property.default) ? property.default : null;
  const name = own && "name" in own ? "name" : "uri";
  const text = own ? own[name] : value;
  const set = (next: string): void => onChange(own ? { ...own, [name]: next } : next);
  const isFolder = property.widget === "folder" || own?.type === "folder";
  return (
    <span class="path-field" data-field="">
      <input {...common(props)} class="input" type="text" value={String(text ?? "")} placeholder={t.noValue} autocomplete="off" spellcheck={false} onInput={(event) => set(event.currentTarget.value)} />
      <PlaceButton field={props} ends={isFolder ? null : /./} onChoose={set} />
    </span>
  );
}
