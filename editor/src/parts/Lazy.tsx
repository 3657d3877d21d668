/** A part that is fetched when it is first needed. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { say } from "../app/store.ts";
import { t } from "../text.ts";

interface Props {
  load: () => Promise<{ default: ComponentType<never> }>;
  [name: string]: unknown;
}

const loaded = new Map<string, ComponentType<never>>();

export function Lazy({ load, ...rest }: Props) {
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
  if (!Part) return <p class="loading" role="status">{t.loading}</p>;
  const Shown = Part as ComponentType<object>;
  return <Shown {...rest} />;
}
