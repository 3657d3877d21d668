/** A part that is fetched when it is first needed. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { say } from "../app/store.ts";
import { t } from "../text.ts";

interface Props {
  load: () => Promise<{ default: ComponentType<never> }>;
  /** Whether nothing is said while it comes. */
  quiet?: boolean;
  [name: string]: unknown;
}

/** Fetches a part before it is needed. */
export async function preload(load: Props["load"]): Promise<void> {
  const found = await load().catch(() => null);
  if (found) loaded.set(load.toString(), found.default);
}

const loaded = new Map<string, ComponentType<never>>();

export function Lazy({ load, quiet = false, ...rest }: Props) {
  const key = load.toString();
  const [Part, setPart] = useState<ComponentType<never> | null>(() => loaded.get(key) ?? null);
  useEffect(() => {
    load().then(
      (module) => {
        loaded.set(key, module.default);
        setPart(() => module.default);
      },
      // The build that this page came from is gone: drafts are safe.
      () => say(t.updated, "error", { text: t.reload, run: () => location.reload() }),
    );
  }, [key]);
  if (!Part) return quiet ? null : <p class="loading" role="status">{t.loading}</p>;
  const Shown = Part as ComponentType<object>;
  return <Shown {...rest} />;
}
