// Fails where the build is larger than the limits, and prints the table.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = process.env.EDITOR_OUT ?? join(root, "../nodetool_core/editor/static");
const KIB = 1024;
const LIMITS = { "entry JS": 60 * KIB, "entry CSS": 12 * KIB, everything: 200 * KIB };
const PACKAGES = 2;

const page = readFileSync(join(out, "index.html"), "utf8");
const sizes = { "entry JS": 0, "entry CSS": 0, everything: 0 };
for (const name of readdirSync(join(out, "assets"))) {
  const size = gzipSync(readFileSync(join(out, "assets", name)), { level: 9 }).length;
  sizes.everything += size;
  if (page.includes(name) && name.endsWith(".js")) sizes["entry JS"] += size;
  if (page.includes(name) && name.endsWith(".css")) sizes["entry CSS"] += size;
}
let wrong = false;
for (const [name, limit] of Object.entries(LIMITS)) {
  const over = sizes[name] > limit;
  wrong ||= over;
  console.log(`${name}: ${(sizes[name] / KIB).toFixed(1)} KiB of ${limit / KIB} gzipped${over ? "  TOO LARGE" : ""}`);
}
const packages = Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).dependencies);
if (packages.length > PACKAGES) {
  wrong = true;
  console.log(`${packages.length} run-time packages; ${PACKAGES} are the most`);
}
process.exit(wrong ? 1 : 0);
