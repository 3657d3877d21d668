/** The values that a run was given: its prompts, its seeds, and what its workflow's inputs held. */
import { useEffect, useState } from "preact/hooks";
import { imageUrl } from "../app/images.ts";
import { complain } from "../app/running.ts";
import { server, types } from "../app/store.ts";
import { WorkflowDocument, part, textOf } from "../model/document.ts";
import { type Json, writeJson } from "../model/json.ts";
import { nodeTitle } from "../model/shown.ts";
import { labelOf } from "../model/types.ts";
import type { Job } from "../net/schema.ts";
import { timeText } from "../text.ts";
import { Dialog } from "./Dialog.tsx";
import { t } from "./text.ts";

export default function ValuesDialog({ job }: { job: Job }) {
  const [rows, setRows] = useState<[string, Json | undefined][] | null>(null);
  useEffect(() => {
    server.api.jobDocument(job.id).then((found) => setRows(valuesOf(new WorkflowDocument(found))), complain);
  }, [job.id]);
  const seeds = Object.entries((job.report.seeds ?? {}) as Record<string, Record<string, number>>);
  return (
    <Dialog label={`${job.workflow || t.untitled} @ ${timeText(job.ended ?? job.created)}`} class="report">
      <div class="report-body" tabIndex={0}>
        {rows === null && <p class="loading" role="status">{t.loading}</p>}
        <dl class="values-list">
          {(rows ?? []).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{imageUrl(value) ? <img src={imageUrl(value, 256)!} alt={name} /> : shown(value)}</dd></div>)}
          {seeds.flatMap(([id, drawn]) => Object.entries(drawn).map(([name, seed]) => <div key={`${id}.${name}`}><dt>{labelOf(id)}, {labelOf(name)}</dt><dd>{String(seed)}</dd></div>))}
        </dl>
      </div>
    </Dialog>
  );
}

/** Of inputs their value, of other nodes what stands in them. */
function valuesOf(document: WorkflowDocument): [string, Json | undefined][] {
  return [...document.nodes.values()].flatMap((record): [string, Json | undefined][] => {
    const type = types.value.node(textOf(record.type));
    const name = nodeTitle(record, type);
    const data = part(record, "data");
    if (type?.role === "input") return [[name, data.value]];
    if (type?.role === "output" || type?.role === "comment") return [];
    return Object.entries(data).map(([property, value]) => [`${name}, ${labelOf(property)}`, value]);
  });
}

function shown(value: Json | undefined): string {
  const text = typeof value === "string" ? value : value === undefined ? "" : writeJson(value);
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}
