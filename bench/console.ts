/**
 * The console with 10,000 delegations, in Chromium: until the first rows are painted, and what the page weighs, beside a
 * static HTML table of the same rows that a plain server sends. The ledger is written by the ledger's own append.
 */
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ConsoleServer, startConsole } from "../src/console/serve.ts";
import type { Entry, Event } from "../src/domain/event.ts";
import { delegationIdFrom } from "../src/domain/identity.ts";
import type { Summaries, Summary } from "../src/domain/page.ts";
import { loadHostKey } from "../src/gate/keys.ts";
import { openLedger } from "../src/ledger/open.ts";
import { openBrowser, openPage } from "../test/console/browser.ts";
import { openHost, type TestHost } from "../test/e2e/daemon.ts";
import { type Figure, sideBySide } from "./measure.ts";

const many = 10_000;
/** The events that say what a row shows. A sandbox's controls and requests are on a delegation's own page. */
const told: ReadonlySet<Entry["type"]> = new Set([
  "delegation.accepted",
  "delegation.started",
  "attempt.started",
  "attempt.executed",
  "proposal.collected",
  "tests.reported",
  "verdict.received",
  "delegation.approved",
  "landing.asked",
  "landing.intended",
  "delegation.landed",
]);

/** Appends copies of one delegation's lines under ids of their own, while the daemon is down. */
async function multiply(host: TestHost, id: string): Promise<void> {
  const lines = host.entries(id).filter(({ type }) => told.has(type));
  await host.stop();
  const key = await loadHostKey(join(host.state, "keys"));
  const ledger = await openLedger({
    directory: join(host.state, "ledger"),
    now: () => new Date(),
    sign: (bytes) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") }),
  });
  try {
    for (let start = 0; start < many; start += 200) {
      const batch = Array.from({ length: Math.min(200, many - start) }, (_, index) => start + index);
      // One after the other within a delegation; many delegations at once, as lanes are.
      await Promise.all(
        batch.map(async (number) => {
          const own = delegationIdFrom(createHash("sha256").update(`${number}`).digest());
          for (const line of lines) {
            // An approval names its delegation, and the fold compares.
            const { type, data } = JSON.parse(JSON.stringify(line).replaceAll(id, own)) as Entry;
            const said =
              type === "delegation.accepted" ? { ...data, brief: { ...data.brief, title: `Change ${number}` } } : data;
            await ledger.append({ type, delegation: own, data: said } as Event);
          }
        }),
      );
    }
  } finally {
    await ledger.close();
  }
  await host.up();
}

const cell = (text: string) => `<td>${text.replace(/[&<>]/g, (one) => `&#${one.codePointAt(0)};`)}</td>`;
const row = ({ id, title, state, executor, repository, ref, attempts, denied, spend, updated }: Summary) =>
  `<tr>${[title, state, executor ?? "", `${repository} ${ref}`, String(attempts), String(denied), String(spend.microusd), updated, id].map(cell).join("")}</tr>`;

/** All rows as one static page: what a report without a console would be. */
async function staticPage(host: TestHost): Promise<string> {
  const rows: string[] = [];
  let before = "";
  for (;;) {
    const { status, body } = await host.api("GET", `/v1/summaries?limit=200${before}`);
    if (status !== 200) throw new Error(body);
    const { summaries, next } = JSON.parse(body) as Summaries;
    rows.push(...summaries.map(row));
    if (next === undefined) break;
    before = `&before=${next}`;
  }
  return `<!doctype html><meta charset="utf-8"><title>rows</title><table><tbody>${rows.join("\n")}</tbody></table>`;
}

export async function consoleFigures(): Promise<Figure[]> {
  const host = await openHost();
  let served: ConsoleServer | undefined;
  const browser = await openBrowser();
  const plain = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(html);
  });
  let html = "";
  try {
    const record = await host.turn(host.repository());
    const landed = await host.api("POST", `/v1/delegations/${record.id}/land`, {});
    if (landed.status !== 200) throw new Error(landed.body);
    await multiply(host, record.id);
    html = await staticPage(host);
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", () => resolve()));
    const beside = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
    served = await startConsole({ socket: host.socket, port: 0 });
    const { page } = await openPage(browser);
    await page.goto(served.url);
    const here = `http://127.0.0.1:${served.port}${served.path}`;
    /** Milliseconds from the navigation's start until a row is there and painted. */
    const painted = async (address: string, selector: string): Promise<number> => {
      await page.goto("about:blank");
      const begun = performance.now();
      await page.goto(address, { waitUntil: "commit" });
      await page.waitForSelector(selector);
      await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
      return performance.now() - begun;
    };
    const peer = `a static table of the same ${many.toLocaleString("en")} rows`;
    const list = await sideBySide(
      {
        name: `console, list of ${many.toLocaleString("en")} delegations until rows are painted`,
        unit: "ms",
        peer,
        runs: 7,
      },
      () => painted(here, ".list tbody tr"),
      () => painted(beside, "tbody tr"),
    );
    const found = await sideBySide(
      { name: "console, searched for one of them", unit: "ms", peer, runs: 7 },
      () => painted(`${here}?q=Change+4711`, ".list tbody tr"),
      () => painted(beside, "tbody tr"),
    );
    const nodes = async (address: string, selector: string): Promise<number> => {
      await painted(address, selector);
      return Number(await page.evaluate("document.querySelectorAll('*').length"));
    };
    const size = await sideBySide(
      { name: "console, elements of the page", unit: "elements", peer, runs: 1 },
      () => nodes(here, ".list tbody tr"),
      () => nodes(beside, "tbody tr"),
    );
    const largest = await sideBySide(
      { name: "console, page of one delegation until its diff is there", unit: "ms", peer, runs: 7 },
      () => painted(`${here}?delegation=${record.id}`, ".diff"),
      () => painted(beside, "tbody tr"),
    );
    return [list, found, size, largest];
  } finally {
    await browser.close();
    await served?.close();
    plain.close();
    await host.stop();
    rmSync(host.directory, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { printFigures } = await import("./measure.ts");
  const begun = readFileSync("/proc/loadavg", "utf8").trim();
  printFigures(await consoleFigures());
  console.log(`load before: ${begun}`);
}
