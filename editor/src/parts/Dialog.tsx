/** A dialog on the browser's own <dialog>: focus stays inside, Escape closes. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { dialog } from "../app/store.ts";
import { t } from "./text.ts";
import { IconButton } from "./Icon.tsx";

interface Props {
  label: string;
  class?: string;
  head?: boolean;
  onClose?: () => void;
  children: ComponentChildren;
}

export function closeDialog(): void {
  dialog.value = null;
}

export function Dialog({ label, class: extra = "", head = true, onClose = closeDialog, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  // Before anything is painted: a key that is pressed at once goes to the dialog, not to the page behind.
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const shown = element.current!;
    shown.showModal();
    return () => {
      shown.close();
      if (before?.isConnected && before !== document.body) before.focus({ preventScroll: true });
      else document.querySelector<HTMLElement>("#canvas")?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={`dialog ${extra}`}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => event.target === element.current && onClose()}
    >
      {head && (
        <header class="dialog-head">
          <h2>{label}</h2>
          <IconButton icon="close" label={t.close} onClick={onClose} />
        </header>
      )}
      {children}
    </dialog>
  );
}
