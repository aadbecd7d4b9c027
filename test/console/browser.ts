/** Debian's Chromium for a test file, and what every page is held to. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What `tools/browser.sh` leaves. */
const executablePath = process.env["SALLYPORT_CHROMIUM"] ?? "/usr/bin/chromium";

/** Starts it. As root it has no sandbox of its own; it opens nothing but the console. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server"],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LANG: "C.UTF-8" },
    timeout: 60_000,
  });
}

/** A page that remembers what went wrong in it, in a context of its own. */
export interface Watched {
  page: Page;
  /** Errors of scripts, refusals of the pages' policy, answers of 400 and more. */
  problems: string[];
  close(): Promise<void>;
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A daemon without a stream of events is asked instead: the browser writes that down as an error.
    if (message.type() === "error" && !message.location().url.includes("/v1/events"))
      problems.push(`${message.text()} ${message.location().url}`);
  });
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, problems, close: () => context.close() };
}

interface AxeResult {
  violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe-core finds against WCAG 2.2 A and AA and its best practices: rule, help, and the places. */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated by the debugger: the pages' own policy lets no script in.
  await page.evaluate(axe);
  const result = await page.evaluate(async () => {
    const { axe: run } = globalThis as unknown as { axe: { run(): Promise<unknown> } };
    return run.run();
  });
  return (result as AxeResult).violations.flatMap(({ id, help, nodes }) =>
    nodes
      .slice(0, 5)
      .map(({ html, failureSummary }) => `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary ?? ""}`),
  );
}
