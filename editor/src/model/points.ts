/** Points that a wire is led through, kept in the file as `ui_properties.points` of its edge. */
import { type Patch, type WorkflowDocument, part } from "./document.ts";
import { isObject, numberOf } from "./json.ts";
import { type Point, setEdgeUi } from "./operations.ts";

export function pointsOf(document: WorkflowDocument, edge: string): Point[] {
  const { points } = part(document.edges.get(edge), "ui_properties");
  if (!Array.isArray(points)) return [];
  return points.filter(isObject).map((one) => ({ x: numberOf(one.x) ?? 0, y: numberOf(one.y) ?? 0 }));
}

export function setPoints(document: WorkflowDocument, edge: string, points: readonly Point[]): Patch[] {
  const value = points.map(({ x, y }) => ({ x: Math.round(x), y: Math.round(y) }));
  return setEdgeUi(document, edge, "points", value.length ? value : undefined);
}

/** Edges whose both ends are among some nodes, and that have points. */
export function ledEdges(document: WorkflowDocument, nodes: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const node of nodes) {
    for (const edge of document.edgesFrom(node)) if (nodes.has(edge.target) && pointsOf(document, edge.id).length) found.add(edge.id);
  }
  return [...found];
}

/** Moves the points of the wires among nodes that are moved together. */
export function movePoints(document: WorkflowDocument, nodes: ReadonlySet<string>, dx: number, dy: number): Patch[] {
  return ledEdges(document, nodes).flatMap((edge) => setPoints(document, edge, pointsOf(document, edge).map(({ x, y }) => ({ x: x + dx, y: y + dy }))));
}
