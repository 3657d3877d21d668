// Asks a server through the replicate SDK. Arguments: folder with node_modules, base URL, file of an image. Prints JSON.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, baseUrl, file] = process.argv.slice(2);
const entry = createRequire(`${folder}/package.json`).resolve("replicate");
const { default: Replicate, parseProgressFromLogs } = await import(pathToFileURL(entry));
const replicate = new Replicate({ auth: "test-token", baseUrl });
const photo = () => new Blob([readFileSync(file)], { type: "image/png" });
const base64 = async (output) => Buffer.from(await (await output.blob()).arrayBuffer()).toString("base64");

const drawn = await replicate.run("nodetool/draw", { input: { prompt: "four", width: 20 } });
const edited = await replicate.run("nodetool/paint", { input: { image: photo(), prompt: "seven.." } });
const polled = await replicate.run("nodetool/draw", { input: { prompt: "xy" }, wait: { mode: "poll" } });
const model = await replicate.models.get("nodetool", "draw");
const versioned = await replicate.run(`nodetool/draw:${model.latest_version.id}`, { input: { prompt: "abc" } });
const sent = await replicate.run("nodetool/paint", { input: { image: readFileSync(file), prompt: "x" } });
const deployed = await replicate.deployments.predictions.create("nodetool", "draw", { input: { prompt: "d" } });
const done = await replicate.wait(deployed);
const events = [];
for await (const event of replicate.stream("nodetool/steps", { input: { prompt: "x" } })) events.push(event.event);
const uploaded = await replicate.files.create(photo(), { of: "me" });
const files = (await replicate.files.list()).results.map((one) => one.id);
const deleted = await replicate.files.delete(uploaded.id);
const created = await replicate.predictions.create({ model: "nodetool/steps", input: { prompt: "x" } });
const cancelled = await replicate.predictions.cancel(created.id);
const steps = await replicate.wait(await replicate.predictions.create({ model: "nodetool/steps", input: { prompt: "y" } }));
let pages = 0;
for await (const page of replicate.paginate(replicate.predictions.list)) pages += page.length;
const failures = [];
for (const [name, input] of [["sub/broken", { image: photo() }], ["nodetool/nothing", {}]]) {
  try {
    await replicate.run(name, { input });
  } catch (error) {
    failures.push(error.message);
  }
}
const images = [];
for (const one of [drawn, edited, polled, versioned, sent]) images.push(await base64(one));
console.log(
  JSON.stringify({
    images,
    done: done.status,
    events,
    uploaded,
    files,
    deleted,
    cancelled: cancelled.status,
    progress: parseProgressFromLogs(steps.logs),
    pages,
    failures,
    models: (await replicate.models.list()).results.map((one) => `${one.owner}/${one.name}`),
    versions: (await replicate.models.versions.list("nodetool", "draw")).results.length,
    secret: (await replicate.webhooks.default.secret.get()).key,
  }),
);
