import { defineConfig } from "vitest/config";

interface Importers {
  isEntry: boolean;
  importers: readonly string[];
}

/** Whether the page needs a module from the start: it is imported, not fetched later. */
function isOfPage(id: string, infoOf: (id: string) => Importers | null, seen = new Set<string>()): boolean {
  if (seen.has(id)) return false;
  seen.add(id);
  const info = infoOf(id);
  return info !== null && (info.isEntry || info.importers.some((one) => isOfPage(one, infoOf, seen)));
}

/** The build goes into the Python package, which serves it below /editor/. */
export default defineConfig({
  base: "/editor/",
  build: {
    outDir: process.env.EDITOR_OUT ?? "../nodetool_core/editor/static",
    emptyOutDir: true,
    sourcemap: false,
    target: "es2023",
    cssMinify: true,
    // What each later part needs is not listed in the page: half a kilobyte, for parts that come a
    // moment later.
    modulePreload: {
      polyfill: false,
      resolveDependencies: (_, needed, { hostType }) => (hostType === "html" ? needed : []),
    },
    // Nothing is put into the page itself: its policy forbids inline scripts and styles.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "vendor", test: /node_modules/ },
            // In one piece it is smaller than in those that later parts happen to share.
            { name: (id, build) => (isOfPage(id, (one) => build.getModuleInfo(one)) ? "page" : null) },
          ],
        },
      },
    },
  },
  // A busy machine is no failure.
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000 },
});
