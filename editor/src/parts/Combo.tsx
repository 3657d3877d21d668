/** A text field with a list below it: the ARIA combobox that palette, search and connect share. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Item {
  id: string;
  group?: string | undefined;
  face: ComponentChildren;
}

interface Props<T extends Item> {
  label: string;
  placeholder: string;
  initial?: string;
  items: (text: string) => T[];
  empty: string;
  onChoose: (item: T, event: KeyboardEvent | MouseEvent) => void;
  foot?: (item: T | undefined) => ComponentChildren;
  before?: ComponentChildren;
}

export function Combo<T extends Item>({ label, placeholder, initial = "", items, empty, onChoose, foot, before }: Props<T>) {
  const [text, setText] = useState(initial);
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const base = useId();
  // Also where another list comes into a dialog that is open already.
  useLayoutEffect(() => field.current?.focus(), []);
  const found = items(text);
  const chosen = found[Math.min(at, found.length - 1)];
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [at, text]);
  const keys = (event: KeyboardEvent): void => {
    const page = 8;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
    if (by !== undefined) {
      const last = found.length - 1;
      const next = at + by;
      setAt(by === -1 && at === 0 ? last : by === 1 && at >= last ? 0 : Math.max(0, Math.min(last, next)));
    } else if (event.key === "Enter" && chosen) onChoose(chosen, event);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  let group: string | undefined;
  return (
    <div class="combo">
      <div class="combo-head">
        {before}
        <input
          ref={field}
          autofocus
          class="combo-input"
          type="text"
          role="combobox"
          aria-label={label}
          aria-expanded="true"
          aria-controls={`${base}-list`}
          aria-activedescendant={chosen ? `${base}-${chosen.id}` : undefined}
          aria-autocomplete="list"
          placeholder={placeholder}
          value={text}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={keys}
        />
      </div>
      <div class="combo-list" role="listbox" id={`${base}-list`} aria-label={label} ref={list}>
        {found.map((item, index) => {
          const heading = item.group !== group ? item.group : undefined;
          group = item.group;
          return (
            <>
              {heading && <div class="combo-group" role="presentation">{heading}</div>}
              <div key={item.id} role="option" id={`${base}-${item.id}`} aria-selected={item === chosen} class="combo-item" onPointerMove={() => index !== at && setAt(index)} onClick={(event) => onChoose(item, event)}>
                {item.face}
              </div>
            </>
          );
        })}
        {found.length === 0 && <p class="combo-empty">{empty}</p>}
      </div>
      {foot?.(chosen)}
    </div>
  );
}
