// Asks a server through @huggingface/inference. Arguments: folder with node_modules, URL, what to do. Prints JSON.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, url, what, file] = process.argv.slice(2);
const entry = createRequire(`${folder}/package.json`).resolve("@huggingface/inference");
const { InferenceClient } = await import(pathToFileURL(entry));
const client = new InferenceClient("test-token");
const image = () => new Blob([readFileSync(file)], { type: "image/png" });

const calls = {
  plain: () => client.imageToImage({ endpointUrl: url, inputs: image() }),
  parameters: () =>
    client.imageToImage({
      endpointUrl: url,
      inputs: image(),
      parameters: { prompt: "four", negative_prompt: "no", num_inference_steps: 6, guidance_scale: 2.5, target_size: { width: 20, height: 10 } },
    }),
  text: () => client.textToImage({ endpointUrl: url, inputs: "cat" }, { outputType: "blob" }),
  wrong: () => client.imageToImage({ endpointUrl: url, inputs: image(), parameters: { num_inference_steps: "many" } }),
};

try {
  const blob = await calls[what]();
  console.log(JSON.stringify({ type: blob.type, content: Buffer.from(await blob.arrayBuffer()).toString("base64") }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message, status: error.httpResponse?.status }));
}
