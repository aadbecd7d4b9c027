/**
 * Makes docs/images/console-*.png: the console's list, a delegation and its diff, light and dark, before a real daemon with
 * work that landed, that was rejected, and a plan. Usage: node tools/screenshots.ts [DIRECTORY]
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { startConsole } from "../src/console/serve.ts";
import { openBrowser, openPage } from "../test/console/browser.ts";
import { openLivedHost } from "../test/console/lived-host.ts";

const out = process.argv[2] ?? join(import.meta.dirname, "../docs/images");
/** Bytes of a picture: they are in the repository. */
const most = 300 * 1024;

mkdirSync(out, { recursive: true });
const lived = await openLivedHost({ hostile: false });
const browser = await openBrowser();
const served = await startConsole({ socket: lived.host.socket, port: 0 });
try {
  const { page, close } = await openPage(browser, { viewport: { width: 1280, height: 860 } });
  const here = `http://127.0.0.1:${served.port}${served.path}`;
  await page.goto(served.url);
  const shots: { name: string; query: string; at?: string }[] = [
    { name: "list", query: "" },
    { name: "delegation", query: `?delegation=${lived.landed}` },
    { name: "diff", query: `?delegation=${lived.landed}`, at: "#attempt-2 details.part:has(.diff)" },
  ];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const { name, query, at } of shots) {
      await page.goto(`${here}${query}`);
      await page.waitForSelector("main table");
      await page.evaluate(
        (place) => {
          const { document } = globalThis as unknown as {
            document: { querySelector(selector: string): { scrollIntoView(): void } | null };
          };
          if (place) document.querySelector(place)?.scrollIntoView();
        },
        at ?? "",
      );
      const path = join(out, `console-${name}-${colorScheme}.png`);
      await page.screenshot({ path });
      const { size } = statSync(path);
      if (size > most) throw new Error(`${path} has ${size} bytes; it may have ${most}`);
      console.log(`${path}: ${Math.round(size / 1024)} KiB`);
    }
  }
  await close();
} finally {
  await browser.close();
  await served.close();
  await lived.host.close();
}
