// Calls tools through the MCP SDK. Arguments: folder with node_modules, a tool, its arguments as JSON, then "http" and a URL, or
// "stdio" and a command. Prints JSON.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, tool, given, kind, ...where] = process.argv.slice(2);
const entry = (name) => import(pathToFileURL(createRequire(`${folder}/package.json`).resolve(`@modelcontextprotocol/sdk/${name}`)));
const { Client } = await entry("client/index.js");
const { StreamableHTTPClientTransport } = await entry("client/streamableHttp.js");
const { StdioClientTransport } = await entry("client/stdio.js");
const transport = kind === "http" ? new StreamableHTTPClientTransport(new URL(where[0])) : new StdioClientTransport({ command: where[0], args: where.slice(1), env: process.env });
const client = new Client({ name: "judge", version: "1.0.0" });
await client.connect(transport);
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const made = await client.callTool({ name: tool, arguments: JSON.parse(given) });
const progress = [];
const model = tools.find((name) => name.endsWith("text_to_image"));
await client.callTool({ name: model, arguments: { prompt: "a lake", num_inference_steps: 3 } }, undefined, { onprogress: (one) => progress.push(one.progress) });
const wrong = await client.callTool({ name: tool, arguments: { width: -1 } });
let unknown;
try {
  await client.callTool({ name: "nothing", arguments: {} });
} catch (error) {
  unknown = error.code;
}
console.log(JSON.stringify({ tools, content: made.content, progress, wrong, unknown }));
await client.close();
