import { useLayoutEffect, useRef } from "preact/hooks";
import { type FieldProps, common } from "./Field.tsx";

/** One line or several. On a node it has a fixed height; elsewhere it grows with its text. */
export function TextField(props: FieldProps) {
  const { value, kind, property, compact, onChange } = props;
  const text = value === null || value === undefined ? "" : String(value);
  const optional = / \| none$/.test(props.typeName);
  const element = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const area = element.current;
    if (!area || compact) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(320, area.scrollHeight + 2)}px`;
  });
  const set = (next: string) => onChange(next === "" && optional ? null : next);
  const limit = property.max_length === undefined ? {} : { maxLength: property.max_length };
  if (kind === "multiline") {
    return (
      <textarea {...common(props)} {...limit} ref={element} class="input area" rows={compact ? 2 : 3} value={text} data-scrolls="" spellcheck={false} onInput={(event) => set(event.currentTarget.value)} />
    );
  }
  return <input {...common(props)} {...limit} class="input" type="text" value={text} autocomplete="off" spellcheck={false} onInput={(event) => set(event.currentTarget.value)} />;
}
