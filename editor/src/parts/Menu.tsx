/** A button with a menu below it, by the ARIA pattern: arrows, Home, End, Escape. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Action } from "../actions.ts";
import { shownKey } from "../canvas/keys.ts";

export type MenuItem = { action: Action; text?: string } | { text: string; run: () => unknown; danger?: boolean };

interface Props {
  label: string;
  class?: string;
  items: MenuItem[];
  children: ComponentChildren;
}

export function Menu({ label, class: extra = "", items, children }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    root.current?.querySelector<HTMLElement>("[role=menuitem]:not([aria-disabled=true])")?.focus();
    const outside = (event: Event): void => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", outside, true);
    return () => removeEventListener("pointerdown", outside, true);
  }, [open]);
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  const keys = (event: KeyboardEvent): void => {
    const all = [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key];
    if (next !== undefined) all[next]?.focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") setOpen(false);
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class={`menu-root ${extra}`} ref={root} onKeyDown={(event) => open && keys(event)}>
      <button ref={button} type="button" class="menu-button" aria-haspopup="menu" aria-expanded={open} aria-label={typeof children === "object" && children !== null && "type" in children ? label : undefined} title={label} onClick={() => setOpen(!open)}>
        {children}
      </button>
      {open && (
        <div class="menu" role="menu" aria-label={label}>
          {items.map((item, index) => {
            const made = "action" in item ? item.action : null;
            const off = made?.when ? !made.when() : false;
            const run = "action" in item ? item.action.run : item.run;
            return (
              <button key={index} type="button" role="menuitem" tabIndex={-1} aria-disabled={off} class={"danger" in item && item.danger ? "danger" : ""} onClick={() => { if (off) return; close(); void run(); }}>
                <span>{item.text ?? made?.name}</span>
                {made?.keys && <kbd>{shownKey(made.keys)}</kbd>}
              </button>
            );
          })}
        </div>
      )}
    </div>
  );
}
