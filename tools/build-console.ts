/**
 * Bundles the console: the pages for a browser, and the same views as one module that writes a report's HTML. Makes
 * dist/console/bundle/ whole or not at all, and fails where the pages grow beyond their bound.
 * Usage: node tools/build-console.ts
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type InlineConfig } from "vite";

const house = join(import.meta.dirname, "..");
const pages = join(house, "src/console");
const out = join(house, "dist/console/bundle");
/** Bytes of all that a browser loads, gzipped. */
const most = 100 * 1024;

// Two builds at once (two tests that both miss it) write apart, and the last one stays.
const fresh = `${out}.${process.pid}`;
const shared: InlineConfig = {
  configFile: false,
  logLevel: "warn",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
};

try {
  await build({
    ...shared,
    root: join(pages, "app"),
    // Beside the page, wherever that is served.
    base: "./",
    build: {
      outDir: fresh,
      emptyOutDir: true,
      target: "es2024",
      cssTarget: ["chrome123", "firefox120", "safari17.5"],
      // The policy of the pages allows no inline script, style or data: URL.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  });
  await build({
    ...shared,
    root: pages,
    ssr: { noExternal: true },
    build: {
      ssr: join(pages, "view/report-document.tsx"),
      outDir: fresh,
      emptyOutDir: false,
      target: "node24",
      cssTarget: ["chrome123", "firefox120", "safari17.5"],
      rollupOptions: { output: { entryFileNames: "report.js" } },
    },
  });
  const shipped = ["index.html", ...readdirSync(join(fresh, "assets")).map((name) => join("assets", name))];
  const size = shipped.reduce((sum, name) => sum + gzipSync(readFileSync(join(fresh, name))).length, 0);
  if (size > most) throw new Error(`the console's pages are ${size} bytes gzipped; they may be ${most}`);
  writeFileSync(join(fresh, ".built"), "");
  mkdirSync(join(house, "dist/console"), { recursive: true });
  rmSync(out, { recursive: true, force: true });
  renameSync(fresh, out);
  console.error(`console: ${(size / 1024).toFixed(1)} KiB gzipped, report ${(statSync(join(out, "report.js")).size / 1024).toFixed(0)} KiB`);
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
