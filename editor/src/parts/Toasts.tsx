import { dismiss, spoken, toasts } from "../app/store.ts";
import { t } from "../text.ts";
import { IconButton } from "./Icon.tsx";

/** Short messages, and what is only read out. */
export function Toasts() {
  return (
    <>
      <div class="toasts" role="status" aria-live="polite">
        {toasts.value.map((toast) => (
          <div key={toast.id} class={`toast ${toast.kind}`}>
            <p>{toast.text}</p>
            {toast.action && <button type="button" class="text-button" onClick={() => { toast.action!.run(); dismiss(toast.id); }}>{toast.action.text}</button>}
            <IconButton icon="close" label={t.dismiss} onClick={() => dismiss(toast.id)} />
          </div>
        ))}
      </div>
      <p class="unseen" role="status" aria-live="polite">{spoken.value}</p>
    </>
  );
}
