// The graphs of bench/editor.py in @xyflow/react: as many fields a node as our page shows, and a
// port for each. `?visible` renders only what is in view.
import { createRoot } from "react-dom/client";
import { createElement as h, memo } from "react";
import { ReactFlow, Handle, Position } from "@xyflow/react";
import "@xyflow/react/dist/style.css";

const ROWS = { Blur: ["image", "radius"], Brightness: ["image", "factor"],
  ImageToImage: ["image", "prompt", "model", "strength", "guidance_scale", "seed"],
  ImageInput: ["value"] };
const Step = memo(({ data }) => h("div", { className: "step" }, h("header", null, data.title),
  data.rows.map(name => h("label", { key: name },
    h(Handle, { type: "target", position: Position.Left, id: name, style: { top: "auto" } }),
    name, h("input", { defaultValue: "1.0" }))),
  h(Handle, { type: "source", position: Position.Right, id: "output" })));
const query = new URLSearchParams(location.search);
fetch(query.get("graph")).then(answer => answer.json()).then(({ graph }) => {
  const nodes = graph.nodes.map(node => {
    const title = node.type.split(".").at(-1);
    return { id: node.id, type: "step", position: node.ui_properties.position,
      data: { title, rows: ROWS[title] } };
  });
  const edges = graph.edges.map((edge, index) => ({ id: `e${index}`, source: edge.source,
    target: edge.target, sourceHandle: "output",
    targetHandle: edge.target === "n0" ? "value" : "image" }));
  createRoot(document.getElementById("root")).render(h(ReactFlow, {
    defaultNodes: nodes, defaultEdges: edges, nodeTypes: { step: Step }, fitView: true,
    panOnScroll: true, minZoom: 0.02, onlyRenderVisibleElements: query.has("visible"),
    onInit: flow => {
      window.flow = flow;
      requestAnimationFrame(() => setTimeout(() => performance.mark("ready")));
    },
  }));
});
