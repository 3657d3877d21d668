/** A small catalogue, in the form of GET /v1/nodes. */
import type { Catalogue, NodeType, Property } from "../src/net/schema.ts";

const NAMES = ["image", "str", "int", "float", "any", "hf.image_to_image", "list[image]", "enum"] as const;
const KINDS = ["image", "text", "number", "number", "any", "model", "list", "choice"] as const;
export const id = (name: (typeof NAMES)[number]): number => NAMES.indexOf(name);

function accepts(output: string, property: string): number {
  return Number(output === property || output === "any" || property === "any" || (output === "int" && property === "float"));
}

export const property = (name: string, type: (typeof NAMES)[number], more: Partial<Property> = {}): Property => ({
  name,
  type: id(type),
  required: false,
  description: "",
  ...more,
});

function node(type: string, description: string, properties: Property[], output: (typeof NAMES)[number], more: Partial<NodeType> = {}): NodeType {
  return {
    type,
    title: type.slice(type.lastIndexOf(".") + 1),
    namespace: type.slice(0, type.lastIndexOf(".")),
    pack: "builtin",
    description,
    tags: [],
    synonyms: [],
    use_cases: [],
    role: "step",
    lane: "cpu",
    streams: false,
    dynamic: false,
    properties,
    outputs: [{ name: "output", type: id(output), description: "" }],
    ...more,
  };
}

export const catalogue: Catalogue = {
  types: NAMES.map((name, index) => ({ id: index, name, kind: KINDS[index]! })),
  accepts: NAMES.map((output) => NAMES.map((one) => accepts(output, one))),
  models: [],
  aliases: { "old.Blur": "lib.pillow.filter.Blur" },
  nodes: [
    node("nodetool.input.ImageInput", "An image that a run is given.", [property("name", "str"), property("value", "image")], "image", { role: "input" }),
    node("nodetool.input.StringInput", "A text that a run is given.", [property("name", "str"), property("value", "str", { default: "" })], "str", { role: "input" }),
    node("nodetool.input.IntegerInput", "A whole number.", [property("name", "str"), property("value", "int", { default: 0 })], "int", { role: "input" }),
    node("lib.pillow.filter.Blur", "Softens an image.", [property("image", "image", { required: true }), property("radius", "float", { default: 2, min: 0, max: 100 })], "image", { tags: ["blur", "soften"] }),
    node("lib.pillow.enhance.UnsharpMask", "Sharpens by a blur that is taken away.", [property("image", "image", { required: true })], "image", { tags: ["sharpen"], synonyms: ["Smart Sharpen"] }),
    node("huggingface.image_to_image.ImageToImage", "Transforms an image by a prompt.", [property("model", "hf.image_to_image"), property("prompt", "str", { default: "a lake" }), property("image", "image"), property("strength", "float", { default: 0.8, min: 0, max: 1 }), property("seed", "int", { default: -1, seed: true })], "image", { lane: "device", tags: ["generation"] }),
    node("nodetool.constant.Image", "A fixed image, to be opened by it.", [property("value", "image")], "image", { tags: ["image", "to"] }),
    node("nodetool.output.Output", "A named result.", [property("name", "str"), property("value", "any")], "any", { role: "output" }),
  ],
};
