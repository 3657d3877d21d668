/** Where in the document a problem lies. */
import type { Problem } from "../net/schema.ts";
import type { WorkflowDocument } from "./document.ts";

export interface Place {
  node?: string;
  property?: string;
  edge?: string;
}

const NODE = /^(?:graph\.)?nodes\[(\d+)\](?:\.(?:data|dynamic_properties)\.([^.[]+))?/;
const EDGE = /^(?:graph\.)?edges\[(\d+)\]/;

export function placeOf(problem: Problem, document: WorkflowDocument): Place {
  if (problem.node !== undefined) {
    return { node: problem.node, ...(problem.property === undefined ? {} : { property: problem.property }) };
  }
  const node = NODE.exec(problem.where);
  if (node) {
    const id = [...document.nodes.keys()][Number(node[1])];
    return id === undefined ? {} : { node: id, ...(node[2] === undefined ? {} : { property: node[2] }) };
  }
  const number = problem.edge ?? EDGE.exec(problem.where)?.[1];
  if (number === undefined) return {};
  const id = [...document.edges.keys()][Number(number)];
  const edge = id === undefined ? undefined : document.edge(id);
  return edge ? { edge: edge.id, node: edge.target, property: edge.targetHandle } : {};
}

/** Problems by the node that they are about; those of none under the empty string. */
export function byNode(problems: readonly Problem[], document: WorkflowDocument): Map<string, Problem[]> {
  const found = new Map<string, Problem[]>();
  for (const problem of problems) {
    const place = placeOf(problem, document);
    const key = place.node ?? "";
    const placed = { ...problem, ...(place.property === undefined ? {} : { property: place.property }) };
    const list = found.get(key);
    if (list) list.push(placed);
    else found.set(key, [placed]);
  }
  return found;
}
