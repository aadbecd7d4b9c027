/** The console's built pages, read once: what is served is a list of names, so that no path of a request is ever opened. */
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { SallyportError } from "../domain/error.ts";

/** The same place seen from a checkout's `src/console/` and from a package's `dist/console/`. */
const built = join(import.meta.dirname, "../../dist/console/bundle");

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** One file of the pages. */
export interface PageFile {
  type: string;
  bytes: Buffer;
  /** Its name holds a hash of its content: it never changes. */
  immutable: boolean;
}

/** The pages' files by their path below the console's own, such as `assets/index-a1b2.js`; the page itself is the empty path. */
export type Bundle = ReadonlyMap<string, PageFile>;

const missing = (cause: unknown) =>
  new SallyportError("console-missing", "the console's pages are not built", {
    next: "Run `make setup` in the checkout; an installed package has them.",
    cause,
  });

/** Reads the pages. Throws `console-missing`. */
export async function readBundle(directory = built): Promise<Bundle> {
  try {
    const files = new Map<string, PageFile>();
    files.set("", {
      type: types[".html"] ?? "",
      bytes: await readFile(join(directory, "index.html")),
      immutable: false,
    });
    for (const name of await readdir(join(directory, "assets"))) {
      const type = types[extname(name)];
      if (type === undefined) continue;
      files.set(`assets/${name}`, { type, bytes: await readFile(join(directory, "assets", name)), immutable: true });
    }
    return files;
  } catch (cause) {
    throw missing(cause);
  }
}

/** Loads the module that writes reports. Throws `console-missing`. */
export async function loadReportModule(): Promise<unknown> {
  try {
    return await import(join(built, "report.js"));
  } catch (cause) {
    throw missing(cause);
  }
}
