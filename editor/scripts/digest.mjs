// Writes build.json: what the build was made from, so that a test can tell an old one without node.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const FILES = ["index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"];

/** Paths of all sources, relative, sorted by their bytes. */
function sources() {
  const below = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1).replaceAll("\\", "/"));
  return [...FILES, ...below].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** SHA-256 over name, zero byte, content, zero byte of each source. */
function digest() {
  const hash = createHash("sha256");
  for (const path of sources()) {
    hash.update(path).update("\0").update(readFileSync(join(root, path))).update("\0");
  }
  return hash.digest("hex");
}

const out = process.env.EDITOR_OUT ?? join(root, "../nodetool_core/editor/static");
const versions = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
writeFileSync(
  join(out, "build.json"),
  `${JSON.stringify({ digest: digest(), dependencies: versions.dependencies, tools: versions.devDependencies }, null, 2)}\n`,
);
