import { defineConfig } from "vitest/config";

/** The build goes into the Python package, which serves it below /editor/. */
export default defineConfig({
  base: "/editor/",
  build: {
    outDir: process.env.EDITOR_OUT ?? "../nodetool_core/editor/static",
    emptyOutDir: true,
    sourcemap: false,
    target: "es2023",
    cssMinify: true,
    modulePreload: { polyfill: false },
    // Nothing is put into the page itself: its policy forbids inline scripts and styles.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        codeSplitting: { groups: [{ name: "vendor", test: /node_modules/ }] },
      },
    },
  },
  // A busy machine is no failure.
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000 },
});
