/** What became of files of other tools that were imported here, while their workflows are open. */
import type { WorkflowDocument } from "../model/document.ts";
import type { ReadAnswer } from "../net/schema.ts";
import { newWorkflow } from "./files.ts";
import { dialog, opened } from "./store.ts";

export interface Report {
  name: string;
  answer: ReadAnswer;
}

const reports = new WeakMap<WorkflowDocument, Report>();

/** Opens what was read from a file; where not all of it could be kept, with what became of it. */
export function openRead(answer: ReadAnswer, name: string): void {
  if (!answer.document) return;
  newWorkflow(answer.document, name.replace(/\.[^.]+$/, ""));
  if (!answer.grade) return;
  reports.set(opened.value.document, { answer, name });
  if (answer.grade !== "whole") showReport();
}

export function hasReport(): boolean {
  return reports.has(opened.value.document);
}

export function showReport(): void {
  const found = reports.get(opened.value.document);
  if (found) dialog.value = { kind: "report", data: found };
}
