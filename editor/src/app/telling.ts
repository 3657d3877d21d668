/** Problems as people are told of them: by the names that the page shows, without addresses for programs. */
import { labelOf } from "../model/types.ts";
import { placeOf } from "../model/places.ts";
import type { Run } from "../model/runs.ts";
import type { Problem } from "../net/schema.ts";
import { t } from "../text.ts";
import { title } from "./editing.ts";
import { opened } from "./store.ts";

/** A sentence that sends a program to a route of the server. */
const ROUTE = /(?:^|(?<=[.!?] ))[^.!?]*\b(?:GET|POST|PUT|PATCH|DELETE) \/[^\s]*[^.!?]*(?:[.!?]|$)\s*/g;
/** A place in a request or a document, which the page shows in another way. */
const IN_JSON = /^(?:body|query|path|workflow|document|graph)\b|\[\d+\]/;
const INPUT = /^(?:body\.)?inputs\.([^.[]+)/;

export function told(problem: Problem): string {
  const { node, property } = placeOf(problem, opened.value.document);
  const input = INPUT.exec(problem.where)?.[1];
  const where = node !== undefined && opened.value.document.nodes.has(node) ? named(node, property) : input ? labelOf(input) : IN_JSON.test(problem.where) ? "" : problem.where;
  return `${where ? `${where}: ` : ""}${problem.message} ${problem.hint.replace(ROUTE, "")}`.trim();
}

function named(node: string, property: string | undefined): string {
  return [title(node), property ? labelOf(property) : ""].filter(Boolean).join(", ");
}

/** Why a run failed: what was wrong with it, or its first node that failed. */
export function whyFailed(run: Run): string {
  const [problem] = run.problems;
  if (problem) return told(problem);
  const failed = [...run.nodes].flatMap(([id, node]) => (node.state === "failed" ? [[id, node.problem] as const] : []));
  const [first] = failed;
  if (!first) return t.runFailed;
  const [id, { message, hint }] = first;
  return `${opened.value.document.nodes.has(id) ? title(id) : labelOf(id)}: ${message} ${hint.replace(ROUTE, "")}`.trim();
}
