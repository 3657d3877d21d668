// Asks a server through the openai SDK. Arguments: folder with node_modules, base URL, file of an image. Prints JSON.
import { createRequire } from "node:module";
import { createReadStream } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, baseURL, file] = process.argv.slice(2);
const entry = createRequire(`${folder}/package.json`).resolve("openai");
const { default: OpenAI, toFile } = await import(pathToFileURL(entry));
const client = new OpenAI({ baseURL, apiKey: "test-token", maxRetries: 0 });
const image = () => toFile(createReadStream(file), "photo.png", { type: "image/png" });

const made = await client.images.generate({ prompt: "four", model: "sketch", seed: 7, n: 2 });
const edited = await client.images.edit({ image: await image(), prompt: "seven..", model: "paint" });
const several = await client.images.edit({ image: [await image(), await image()], prompt: "x", model: "collage" });
const varied = await client.images.createVariation({ image: await image(), model: "paint" });
const events = [];
const stream = await client.images.generate({ prompt: "x", model: "sketch", stream: true, partial_images: 2 });
for await (const event of stream) events.push(event.type);
const models = [];
for await (const model of client.models.list()) models.push(model.id);
let refused;
try {
  await client.images.generate({ prompt: "x", model: "nothing" });
} catch (error) {
  refused = { status: error.status, code: error.code, message: error.message };
}
const first = (answer) => answer.data[0].b64_json;
console.log(JSON.stringify({ made: made.data.map((one) => one.b64_json), edited: first(edited), several: first(several), varied: first(varied), events, models, refused }));
