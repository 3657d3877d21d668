/** How programs call a workflow: in each dialect that can, in three languages, ready to be pasted. */
import type { FieldSchema, Status, WorkflowInfo } from "../net/schema.ts";
import { type Json, isObject } from "./json.ts";

export interface Sample {
  /** As the server calls it: `nodetool`, `huggingface`. */
  dialect: string;
  title: string;
  /** `curl`, `Python`, `JavaScript`; empty for what the server says in general. */
  language: string;
  text: string;
}

const OWN = ["nodetool", "huggingface", "qolaba"];

const TOKEN = "NODETOOL_TOKEN";
const PHOTO = "photo.png";
const LONGEST = 60;

interface Asked {
  address: string;
  name: string;
  needsToken: boolean;
  /** Names of inputs that take an image. */
  images: string[];
  /** A few values, as an example. */
  values: Record<string, Json>;
  output: string;
}

/** Samples for a workflow, those of our own dialect first. */
export function samplesFor(info: WorkflowInfo, status: Status): Sample[] {
  const asked: Asked = {
    address: status.address,
    name: info.name.split("/").map(inAddress).join("/"),
    needsToken: status.needs_token,
    images: imagesOf(info),
    values: valuesOf(info),
    output: Object.keys(info.outputs.properties ?? {})[0] ?? "image",
  };
  const takesImage = info.task === "image-to-image";
  const prompt = typeof asked.values.prompt === "string" ? asked.values.prompt : "a winter night";
  const app = status.apps[info.name];
  const texts: Record<string, [string, string][]> = {
    nodetool: [["curl", ownCurl(asked)], ["Python", ownPython(asked)], ["JavaScript", ownScript(asked)]],
    huggingface: info.task ? [["curl", hubCurl(asked, takesImage, prompt)], ["Python", hubPython(asked, takesImage, prompt)], ["JavaScript", hubScript(asked, takesImage, prompt)]] : [],
    qolaba: info.task && app ? [["curl", qolabaCurl(asked, app, takesImage, prompt)]] : [],
  };
  return status.dialects.flatMap(({ name, title, guide: general, image_guide }) => {
    const guide = takesImage ? image_guide : general;
    const own: [string, string][] = OWN.includes(name) ? (texts[name] ?? []) : info.task && guide ? [["", guide.replaceAll("NAME", asked.name).trim()]] : [];
    return own.map(([language, text]) => ({ dialect: name, title, language, text }));
  });
}

/** A part of an address that a shell takes as one word. */
function inAddress(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function isImage(schema: FieldSchema): boolean {
  const parts = (schema as { anyOf?: { properties?: { type?: { const?: string } } }[] }).anyOf;
  return parts?.some((part) => part.properties?.type?.const === "image") ?? false;
}

function imagesOf(info: WorkflowInfo): string[] {
  return Object.entries(info.inputs.properties ?? {}).filter(([, schema]) => isImage(schema)).map(([name]) => name);
}

/** What has to be given, and the first texts: short ones, since they are an example. */
function valuesOf(info: WorkflowInfo): Record<string, Json> {
  const required = new Set(info.inputs.required ?? []);
  const found: Record<string, Json> = {};
  for (const [name, schema] of Object.entries(info.inputs.properties ?? {})) {
    if (isImage(schema) || schema.type === "array") continue;
    const isText = schema.type === "string" && !schema.enum;
    if (!required.has(name) && (!isText || name.startsWith("negative") || Object.keys(found).length > 1)) continue;
    const given = schema.default ?? schema.enum?.[0] ?? (isText ? "a winter night" : schema.type === "boolean" ? true : (schema.minimum ?? 1));
    found[name] = typeof given === "string" && given.length > LONGEST ? `${given.slice(0, LONGEST).trimEnd()}` : given;
  }
  return found;
}

/** A text as one word of a shell. */
export function shellText(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** JSON as Python writes it. */
export function pythonText(value: Json): string {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(pythonText).join(", ")}]`;
  if (isObject(value)) return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${pythonText(one)}`).join(", ")}}`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

const bearer = ({ needsToken }: Asked): string => (needsToken ? ` \\\n  -H "Authorization: Bearer $${TOKEN}"` : "");

function ownCurl(asked: Asked): string {
  const { address, name, images, values } = asked;
  const head = bearer(asked);
  const steps = images.map((_, index) => `image${index + 1}=$(curl -sSf ${address}/v1/uploads${head} \\\n  -H 'Content-Type: image/png' --data-binary @${PHOTO})`);
  const inputs = JSON.stringify(values);
  const joined = images.map((one, index) => `"${one}": '"$image${index + 1}"'`).join(", ");
  const body = `'{"inputs": ${images.length ? `{${[joined, inputs.slice(1, -1).replaceAll("'", "'\\''")].filter(Boolean).join(", ")}}` : inputs.replaceAll("'", "'\\''")}}'`;
  return [...steps, `curl -sSf ${address}/v1/workflows/${name}/runs${head} \\\n  -H 'Content-Type: application/json' \\\n  -d ${body}`].join("\n");
}

function ownPython(asked: Asked): string {
  const { address, name, images, values, needsToken } = asked;
  const lines = ["import base64", "import json", ...(needsToken ? ["import os"] : []), "from pathlib import Path", "from urllib.request import Request, urlopen", ""];
  const inputs = Object.entries(values).map(([key, value]) => `${JSON.stringify(key)}: ${pythonText(value)}`);
  const photos = images.map((key) => `${JSON.stringify(key)}: "data:image/png;base64," + photo`);
  if (images.length) lines.push(`photo = base64.b64encode(Path("${PHOTO}").read_bytes()).decode()`);
  lines.push(`inputs = {${[...photos, ...inputs].join(", ")}}`);
  const token = needsToken ? `, "Authorization": "Bearer " + os.environ["${TOKEN}"]` : "";
  lines.push(
    "request = Request(",
    `    "${address}/v1/workflows/${name}/runs",`,
    `    json.dumps({"inputs": inputs, "inline": True}).encode(),`,
    `    {"Content-Type": "application/json"${token}},`,
    ")",
    "outputs = json.load(urlopen(request))[\"outputs\"]",
    "for name, value in outputs.items():",
    "    if isinstance(value, dict) and \"data\" in value:",
    "        Path(f\"{name}.png\").write_bytes(base64.b64decode(value[\"data\"]))",
    "    else:",
    "        print(name, value)",
  );
  return lines.join("\n");
}

function ownScript(asked: Asked): string {
  const { address, name, images, values, needsToken } = asked;
  const token = needsToken ? `, Authorization: \`Bearer \${process.env.${TOKEN}}\`` : "";
  const inputs = Object.entries(values).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const photos = images.map((key) => `${JSON.stringify(key)}: \`data:image/png;base64,\${photo}\``);
  return [
    `import { readFileSync, writeFileSync } from "node:fs";`,
    "",
    ...(images.length ? [`const photo = readFileSync("${PHOTO}", "base64");`] : []),
    `const answer = await fetch("${address}/v1/workflows/${name}/runs", {`,
    `  method: "POST",`,
    `  headers: { "Content-Type": "application/json"${token} },`,
    `  body: JSON.stringify({ inputs: { ${[...photos, ...inputs].join(", ")} }, inline: true }),`,
    "});",
    "const { outputs } = await answer.json();",
    "for (const [name, value] of Object.entries(outputs)) {",
    `  if (value?.data) writeFileSync(\`\${name}.png\`, value.data, "base64");`,
    "  else console.log(name, value);",
    "}",
  ].join("\n");
}

function hubCurl(asked: Asked, takesImage: boolean, prompt: string): string {
  const { address, name } = asked;
  const head = bearer(asked);
  if (takesImage) return `curl -sSf ${address}/models/${name}${head} \\\n  -H 'Content-Type: image/png' --data-binary @${PHOTO} --output result.png`;
  return `curl -sSf ${address}/models/${name}${head} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shellText(JSON.stringify({ inputs: prompt }))} --output result.png`;
}

function hubPython(asked: Asked, takesImage: boolean, prompt: string): string {
  const { address, name, needsToken } = asked;
  const key = needsToken ? `os.environ["${TOKEN}"]` : `"none is needed"`;
  const text = pythonText(prompt);
  return [
    ...(needsToken ? ["import os", ""] : []),
    "from huggingface_hub import InferenceClient",
    "",
    `client = InferenceClient(base_url="${address}/models/${name}", api_key=${key})`,
    takesImage ? `image = client.image_to_image("${PHOTO}", prompt=${text})` : `image = client.text_to_image(${text})`,
    `image.save("result.png")`,
  ].join("\n");
}

function hubScript(asked: Asked, takesImage: boolean, prompt: string): string {
  const { address, name, needsToken } = asked;
  const key = needsToken ? `process.env.${TOKEN}` : `"none is needed"`;
  const text = JSON.stringify(prompt);
  const url = `endpointUrl: "${address}/models/${name}"`;
  return [
    `import { readFileSync, writeFileSync } from "node:fs";`,
    `import { InferenceClient } from "@huggingface/inference";`,
    "",
    `const client = new InferenceClient(${key});`,
    ...(takesImage
      ? [`const photo = new Blob([readFileSync("${PHOTO}")], { type: "image/png" });`, `const image = await client.imageToImage({ ${url}, inputs: photo, parameters: { prompt: ${text} } });`]
      : [`const image = await client.textToImage({ ${url}, inputs: ${text} }, { outputType: "blob" });`]),
    `writeFileSync("result.png", Buffer.from(await image.arrayBuffer()));`,
  ].join("\n");
}

function qolabaCurl(asked: Asked, app: string, takesImage: boolean, prompt: string): string {
  const path = takesImage ? "getImagetoImage" : "getImage";
  const body = { app_id: app, prompt, ...(takesImage ? { image: "https://example.com/photo.png" } : {}) };
  return `curl -sSf ${asked.address}/${path}${bearer(asked)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shellText(JSON.stringify(body))}`;
}
