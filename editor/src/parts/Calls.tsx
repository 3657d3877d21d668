/** How programs call a workflow: a tab for each dialect, texts to be copied. */
import { useEffect, useState } from "preact/hooks";
import { complain } from "../app/running.ts";
import { say, server, status } from "../app/store.ts";
import { type Sample, samplesFor } from "../model/calls.ts";
import type { WorkflowInfo } from "../net/schema.ts";
import { Dialog } from "./Dialog.tsx";
import { t } from "./text.ts";

export default function Calls({ name }: { name: string }) {
  const [info, setInfo] = useState<WorkflowInfo | null>(null);
  const [chosen, setChosen] = useState("nodetool");
  useEffect(() => void server.api.workflow(name).then(setInfo, complain), [name]);
  const samples = info && status.value ? samplesFor(info, status.value) : [];
  const dialects = [...new Map(samples.map((one) => [one.dialect, one.title]))];
  const shown = dialects.some(([one]) => one === chosen) ? chosen : dialects[0]?.[0];
  return (
    <Dialog label={t.callIt(info?.title || name)} class="calls">
      <div class="dialog-form">
        <p class="muted">{t.callHint}{status.value?.needs_token && ` ${t.callToken}`}</p>
        {dialects.length > 1 && (
          <div class="segmented" role="group" aria-label={t.dialect}>
            {dialects.map(([one, title]) => <button key={one} type="button" aria-pressed={one === shown} onClick={() => setChosen(one)}>{title}</button>)}
          </div>
        )}
        {samples.filter((one) => one.dialect === shown).map((one) => <Text key={`${one.dialect} ${one.language}`} sample={one} />)}
      </div>
    </Dialog>
  );
}

function Text({ sample }: { sample: Sample }) {
  const copy = (): void => void navigator.clipboard?.writeText(sample.text).then(() => say(t.textCopied), () => say(t.cantCopy, "error"));
  return (
    <section class="sample" aria-label={`${sample.title} ${sample.language}`.trim()}>
      <header><h3>{sample.language || sample.title}</h3><button type="button" class="text-button" onClick={copy}>{t.copy}</button></header>
      <pre class="mono" tabIndex={0} data-sample={`${sample.dialect} ${sample.language}`}>{sample.text}</pre>
    </section>
  );
}
