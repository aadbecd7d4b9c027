/** The console in a real browser, before a real daemon that has lived: what it shows, to whom, and what it does not do. */

import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { renderReport } from "../../src/console/report.ts";
import { type ConsoleServer, startConsole } from "../../src/console/serve.ts";
import type { DelegationPage, Summaries } from "../../src/domain/page.ts";
import { openBrowser, openPage, violations, type Watched } from "./browser.ts";
import { type LivedHost, markup, openLivedHost } from "./lived-host.ts";
import { hostile, poisoned } from "./sample-page.ts";

let lived: LivedHost;
let browser: Browser;
let served: ConsoleServer;
let watched: Watched;
let page: Page;

beforeAll(async () => {
  [lived, browser] = await Promise.all([openLivedHost(), openBrowser()]);
}, 600_000);
afterAll(async () => {
  await browser?.close();
  await lived?.host.close();
}, 120_000);

// Each test has a console and a browser of its own: an address works once.
beforeEach(async () => {
  served = await startConsole({ socket: lived.host.socket, port: 0 });
  watched = await openPage(browser);
  page = watched.page;
}, 120_000);
afterEach(async () => {
  await watched?.close();
  await served?.close();
});

const here = () => `http://127.0.0.1:${served.port}${served.path}`;
/** Opens the console as its user does, then the page. */
async function enter(query = "", to: Page = page): Promise<void> {
  await to.goto(served.url);
  if (query) await to.goto(`${here()}${query}`);
  await to.waitForSelector("main h1");
}
const pwned = () => page.evaluate(() => (globalThis as unknown as { pwned?: number }).pwned);
const text = async (selector: string) => (await page.locator(selector).first().textContent()) ?? "";

describe("the command", { timeout: 120_000 }, () => {
  it("prints an address that works once, and ends when it is asked to", async () => {
    const running = lived.host.begin("console", "--no-open");
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let said = "";
        running.child.stdout?.on("data", (chunk: Buffer) => {
          said += chunk.toString("utf8");
          if (said.trimEnd().endsWith("}")) resolve((JSON.parse(said) as { url: string }).url);
        });
        running.done.then(({ stderr }) => reject(new Error(stderr)), reject);
      });
      await page.goto(url);
      await page.waitForSelector(".list tbody tr");
      const again = await openPage(browser);
      expect((await again.page.goto(url))?.status()).toBe(403);
      await again.close();
    } finally {
      running.child.kill("SIGTERM");
    }
    expect((await running.done).code).toBe(0);
  });

  it("says so where no daemon answers, or the port is none", async () => {
    const nobody = await lived.host.cli("console", "--no-open", "--socket", `${lived.host.directory}/nobody.sock`);
    expect([nobody.code, nobody.error().code]).toEqual([6, "host-unreachable"]);
    const port = await lived.host.cli("console", "--no-open", "--port", "99999");
    expect([port.code, port.error().code]).toEqual([2, "usage"]);
  });
});

describe("the list", { timeout: 120_000 }, () => {
  it("shows what there is, newest first, and leads to each", async () => {
    await enter();
    await page.waitForSelector(".list tbody tr");
    const answer = await lived.host.api("GET", "/v1/summaries?limit=50");
    const { summaries } = JSON.parse(answer.body) as Summaries;
    expect(await page.locator(".list tbody th a").allTextContents()).toEqual(summaries.map(({ title }) => title));
    expect(page.url()).toBe(here());
    await page.getByRole("link", { name: "Round half up" }).first().click();
    await page.waitForSelector("article.delegation");
    expect(page.url()).toBe(`${here()}?delegation=${lived.landed}`);
    expect(await page.title()).toBe("Round half up · Sallyport");
    expect(watched.problems).toEqual([]);
  });

  it("is filtered by its form, and the filter stands in the address", async () => {
    await enter();
    await page.getByLabel("State").selectOption("landed");
    await page.getByLabel("Kind").selectOption("delegation");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/state=landed/);
    await page.waitForSelector(".list tbody tr");
    const ids = await page.locator(".list tbody tr td:last-child").allTextContents();
    expect(ids).toContain(lived.landed);
    expect(ids).not.toContain(lived.rejected);
    await page.getByRole("searchbox").fill("no such words");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=no/);
    await page.getByText("Nothing is here").waitFor();
    await page.getByRole("link", { name: "Show all" }).click();
    await page.waitForSelector(".list tbody tr");
    expect(watched.problems).toEqual([]);
  });

  it("is walked by keyboard alone: skip link, j, k, Enter, slash, and off", async () => {
    await enter();
    await page.waitForSelector(".list tbody tr");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
    const titles = await page.locator(".list tbody th a").allTextContents();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await page.keyboard.press("j");
    expect(await focused()).toBe(titles[0]);
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    expect(await focused()).toBe(titles[1]);
    await page.keyboard.press("/");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("words");
    await page.keyboard.type("jk/");
    expect(await page.getByRole("searchbox").inputValue()).toBe("jk/");
    await page.getByRole("searchbox").fill("");
    await page.getByRole("checkbox").uncheck();
    await page.keyboard.press("j");
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("INPUT");
    await page.getByRole("checkbox").check();
    await page.getByRole("checkbox").blur();
    await page.keyboard.press("j");
    await Promise.all([page.waitForURL(/\?(delegation|plan)=/), page.keyboard.press("Enter")]);
    await page.waitForSelector("article h1");
    expect(watched.problems).toEqual([]);
  });

  it("follows what happens without being asked", async () => {
    await enter("?q=while+it+is+watched");
    await page.getByText("Nothing is here").waitFor();
    const id = await lived.host.send(lived.host.repository(), { title: "Done while it is watched" });
    await page.getByRole("link", { name: "Done while it is watched" }).waitFor({ timeout: 60_000 });
    await lived.host.rest(id);
    await page.locator(".list .badge", { hasText: "approved" }).waitFor({ timeout: 60_000 });
    // Said to whoever does not see the table.
    await expect
      .poll(() => text('[role="status"]'), { timeout: 30_000 })
      .toContain("Done while it is watched is approved");
    expect(watched.problems).toEqual([]);
  });
});

describe("one delegation", { timeout: 120_000 }, () => {
  it("answers an auditor's five questions, each in two clicks from the list", async () => {
    const expected: [string, string, RegExp][] = [
      ["What did it do?", "#did", /Round half up|Math\.round/],
      ["What did it try?", "#tried", /Requests|no request/],
      ["Who let it land?", "#landed", /The approval holds[\s\S]*Signed by key[\s\S]*Landed/],
      ["Is this log whole?", "#whole", /Every line up to \d+ follows/],
      ["What did it cost?", "#cost", /Cost by tier[\s\S]*execute/],
    ];
    await enter();
    for (const [question, anchor, answer] of expected) {
      await page.goto(here());
      await page.getByRole("link", { name: "Round half up" }).first().click();
      await page.getByRole("link", { name: question }).click();
      expect(new URL(page.url()).hash).toBe(anchor);
      expect(await text(anchor)).toMatch(answer);
      const top = () => page.locator(anchor).evaluate((one) => one.getBoundingClientRect().top);
      await expect.poll(top).toBeLessThan(400);
    }
    expect(watched.problems).toEqual([]);
  });

  it("shows the diff with line numbers and what was said at its lines, and fail-to-pass first", async () => {
    await enter(`?delegation=${lived.landed}`);
    const last = page.locator("#attempt-2");
    const file = last.locator(".file", { hasText: "src/money.js" }).first();
    const added = file.locator("tr.added", { hasText: "Math.round" });
    expect(await added.locator(".number").allTextContents()).toEqual(["", "2"]);
    expect(await file.locator("tr.removed", { hasText: "Math.floor" }).locator(".number").first().textContent()).toBe(
      "2",
    );
    expect(await last.locator(".tests summary").first().textContent()).toMatch(/Failed before, pass now 1/);
    expect(await text("#attempt-2 .tests ul")).toContain("parts of a cent");
    expect(await file.locator(".remark-box").allTextContents()).toEqual([
      expect.stringMatching(/evidence for A1 \(met\)/),
      expect.stringMatching(/evidence for A1 \(met\)/),
    ]);
    // What the first attempt was told stands at its line too, though that diff is folded away.
    expect(await page.locator("#attempt-1 .remark-box").allTextContents()).toEqual(
      expect.arrayContaining([expect.stringMatching(/feedback.*Use Math\.round/)]),
    );
  });

  it("shows what was denied, with its rule, and the controls that held", async () => {
    await enter(`?delegation=${lived.rejected}`);
    const denied = page.locator("tr.denied").first();
    expect(await denied.textContent()).toMatch(/10\.0\.0\.1/);
    expect(await text("#tried")).toMatch(/Hosts that were asked/);
    const controls = page.locator("#tried details.part", { hasText: "ontrols in force" }).first();
    await controls.locator("summary").first().click();
    expect(await controls.textContent()).toMatch(/seccomp/i);
  });

  it("says what is wrong with an id that is not there, and what to do", async () => {
    await page.goto(served.url);
    await page.goto(`${here()}?delegation=d-aaaaaaaaaaaaaaaa`);
    await page.getByRole("alert").waitFor();
    expect(await text('[role="alert"]')).toMatch(/not-found/);
  });
});

describe("the other pages", { timeout: 120_000 }, () => {
  it("show a plan's briefs and states, executors, and the gate", async () => {
    await enter(`?plan=${lived.plan}`);
    expect(await text("#briefs")).toMatch(/B1[\s\S]*B2/);
    await page.goto(`${here()}?view=executors`);
    await page.getByRole("rowheader", { name: "scripted" }).first().waitFor();
    await page.goto(`${here()}?view=gate`);
    await page.getByText("What is approved may be signed and land.").waitFor();
    expect(watched.problems).toEqual([]);
  });

  it("explain what a policy decides, by a form", async () => {
    await enter("?view=policies");
    await page.getByLabel("Policy").selectOption("library");
    await page.getByRole("textbox", { name: "Request" }).fill("GET https://evil.example/");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.waitForURL(/request=GET/);
    await page.locator("#explain .note").waitFor();
    expect(await text("#explain .note")).toMatch(/denied \(no-rule\): GET https:\/\/evil\.example/);
    expect(await text("#policy-library")).toMatch(/src\/\*\*/);
    expect(watched.problems).toEqual([]);
  });
});

describe("for everybody", { timeout: 240_000 }, () => {
  const queries = () => [
    "",
    `?delegation=${lived.landed}`,
    `?delegation=${lived.rejected}`,
    `?delegation=${lived.odd}`,
    `?plan=${lived.plan}`,
    "?view=executors",
    "?view=policies&policy=library&request=GET+https%3A%2F%2Fevil.example%2F",
    "?view=gate",
  ];

  it.each(["light", "dark"] as const)("axe finds nothing on any page, %s", async (colorScheme) => {
    await enter();
    await page.emulateMedia({ colorScheme });
    for (const query of queries()) {
      await page.goto(`${here()}${query}`);
      await page.waitForSelector("main h1");
      await page.waitForFunction(() => !document.body.textContent.includes("Asking the daemon"));
      // What is folded away is read as well, once it is open.
      await page.evaluate(() => {
        for (const one of document.querySelectorAll("details")) one.open = true;
      });
      expect([query, await violations(page)]).toEqual([query, []]);
    }
  });

  it.each([
    ["360 px", { width: 360, height: 740 }],
    ["1280 px at 200 %", { width: 640, height: 450 }],
  ])("nothing is lost or scrolls sideways at %s", async (_what, viewport) => {
    await enter();
    await page.setViewportSize(viewport);
    for (const query of queries()) {
      await page.goto(`${here()}${query}`);
      await page.waitForSelector("main h1");
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect([query, wide]).toEqual([query, 0]);
    }
  });
});

/** What a gate that a canary closed says. */
const closedGate = {
  open: false,
  closed: { since: "2026-03-01T10:00:00.000Z", by: "calibration", reason: "a bad change was approved", canary: "c-1" },
  warnings: ["it rejects too much"],
  verifiers: [
    {
      harness: "skeptic",
      image: "sha256:1",
      policy: "quick",
      canaries: 2,
      since: "2026-03-01T10:00:00.000Z",
      until: "2026-03-01T10:00:00.000Z",
      falseApproval: { count: 1, of: 1, rate: 1, low: 0.05, high: 1 },
      falseRejection: { count: 0, of: 1, rate: 0, low: 0, high: 0.95 },
      wrong: { "a-case": 1 },
    },
  ],
};

describe("a report", { timeout: 120_000 }, () => {
  it("is the same page as a file: no script, and axe finds nothing, alone or with others", async () => {
    const answers = await Promise.all(
      [lived.landed, lived.rejected].map((id) => lived.host.api("GET", `/v1/delegations/${id}/page?patches=true`)),
    );
    const pages = answers.map(({ body }) => JSON.parse(body) as DelegationPage);
    for (const some of [pages.slice(0, 1), pages]) {
      const html = await renderReport(some, { made: "2026-03-02T08:00:00.000Z", version: "0.1.0" });
      const file = join(lived.host.directory, "report.html");
      writeFileSync(file, html);
      const asked: string[] = [];
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(`file://${file}`);
      expect(await text("h1")).toContain(some.length === 1 ? "Round half up" : "2 delegations");
      // Its style is applied under its own policy.
      expect(
        await page
          .locator(".badge.good")
          .first()
          .evaluate((one) => getComputedStyle(one).borderRadius),
      ).not.toBe("0px");
      await page.evaluate(() => {
        for (const one of document.querySelectorAll("details")) one.open = true;
      });
      expect(await violations(page)).toEqual([]);
      expect(asked.filter((url) => !url.startsWith("file://"))).toEqual([]);
    }
    expect(watched.problems).toEqual([]);
  });
});

describe("hostile text", { timeout: 120_000 }, () => {
  it("of a real delegation stays text: a title, a path, code, a request", async () => {
    await enter(`?delegation=${lived.odd}`);
    expect(await text("h1")).toContain(markup);
    expect(await text(".files")).toContain("<b onclick=globalThis.pwned=1>");
    const shown = await text(".diff");
    expect(shown).toContain("<script>globalThis.pwned=1</script>");
    expect(shown).toMatch(/U\+202E|u\{202e\}/);
    expect(shown).not.toContain("\u202e");
    expect(shown).not.toContain("\u001b");
    expect(await page.locator("main img, main script, main b").count()).toBe(0);
    expect(await pwned()).toBeUndefined();
    expect(watched.problems).toEqual([]);
  });

  it("in every field of every answer runs nothing and adds nothing", async () => {
    const allowed = new Set<string>();
    const tags = () => page.evaluate(() => [...document.querySelectorAll("#app *")].map((one) => one.tagName));
    await enter();
    const queries = [
      "",
      `?delegation=${lived.landed}`,
      `?plan=${lived.plan}`,
      "?view=executors",
      "?view=policies",
      "?view=gate",
    ];
    for (const query of queries) {
      await page.goto(`${here()}${query}`);
      await page.waitForSelector("main h1");
      for (const tag of await tags()) allowed.add(tag);
    }
    for (const tag of ["DETAILS", "SUMMARY", "PRE"]) allowed.add(tag);
    await page.route("**/v1/**", async (route) => {
      if (route.request().url().includes("/events")) return route.continue();
      const answer = await route.fetch();
      const found = (await answer.json()) as DelegationPage;
      const isGate = route.request().url().endsWith("/gate");
      return route.fulfill({ response: answer, json: poisoned(isGate ? { ...found, ...closedGate } : found) });
    });
    for (const query of queries) {
      await page.goto(`${here()}${query}`);
      await page.waitForSelector("main h1");
      await page.getByText("globalThis.pwned=1").first().waitFor({ state: "attached" });
      expect((await tags()).filter((tag) => !allowed.has(tag))).toEqual([]);
      expect(await page.evaluate(() => document.body.textContent.match(/[\u001b\u202e\u2066\u200b]/g))).toBeNull();
      const links = await page.evaluate(() => [...document.querySelectorAll("a")].map((one) => one.href));
      expect(links.filter((link) => !link.startsWith(here()))).toEqual([]);
      expect(await pwned()).toBeUndefined();
    }
    expect(hostile).toContain("globalThis.pwned=1");
    expect(watched.problems).toEqual([]);
  });

  it("would find the page's policy in its way, were it ever markup", async () => {
    await enter();
    const refused = await page.evaluate(() => {
      try {
        document.body.innerHTML = "<p>x</p>";
        return "";
      } catch (error) {
        return String(error);
      }
    });
    expect(refused).toMatch(/TrustedHTML/);
    const handler = await page.evaluate(() => {
      try {
        document.createElement("img").setAttribute("onerror", "globalThis.pwned=1");
        return "";
      } catch (error) {
        return String(error);
      }
    });
    expect(handler).toMatch(/TrustedScript/);
    // What needs no assignment of ours: a script that is there, a style, a picture of somebody else's.
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.append("globalThis.pwned=1");
      document.body.append(script);
      const picture = document.createElement("img");
      picture.setAttribute("src", "https://evil.example/x.png");
      document.body.append(picture);
    });
    await expect.poll(() => watched.problems.join(" ")).toMatch(/evil\.example[\s\S]*Content Security Policy/);
    expect(await pwned()).toBeUndefined();
  });
});

describe("a page of another origin", { timeout: 120_000 }, () => {
  let other: Server;
  let origin: string;
  beforeAll(async () => {
    other = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<!doctype html><title>other</title><h1>other</h1>");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", () => resolve()));
    origin = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  });
  afterAll(() => new Promise((resolve) => other.close(resolve)));

  it("reads nothing, frames nothing, and cannot even arrive, though the browser has the cookie", async () => {
    await enter();
    const own = await page.evaluate(async (address) => (await fetch(address)).status, `${here()}v1/status`);
    expect(own).toBe(200);
    const cookies = await page.context().cookies(here());
    expect(cookies).toMatchObject([
      { name: "sallyport_console", httpOnly: true, sameSite: "Strict", path: served.path },
    ]);
    expect(await page.evaluate(() => document.cookie)).toBe("");
    // The same name on another port gets no cookie: it belongs to the console's own path.
    expect(await page.context().cookies(origin)).toEqual([]);

    await page.goto(origin);
    const read = (mode: RequestMode) =>
      page.evaluate(
        async ({ address, how }) => {
          try {
            const answer = await fetch(address, { credentials: "include", mode: how });
            return `${answer.type} ${answer.status} ${(await answer.text()).length}`;
          } catch {
            return "refused";
          }
        },
        { address: `${here()}v1/summaries`, how: mode },
      );
    expect(await read("cors")).toBe("refused");
    // Opaque, and empty of what was asked for: the console answered 403 and said that it is nobody's resource.
    expect(await read("no-cors")).toMatch(/^refused|^opaque 0 0/);
    const asScript = await page.evaluate(
      (address) =>
        new Promise<string>((resolve) => {
          const script = document.createElement("script");
          script.src = address;
          script.onload = () => resolve("ran");
          script.onerror = () => resolve("refused");
          document.head.append(script);
        }),
      `${here()}v1/summaries`,
    );
    expect(asScript).toBe("refused");
    await page.evaluate((address) => {
      const frame = document.createElement("iframe");
      frame.src = address;
      document.body.append(frame);
    }, here());
    await page.waitForTimeout(500);
    for (const frame of page.frames().slice(1)) {
      const content = await frame.content().catch(() => "");
      expect(content).not.toContain("sallyport-api");
    }
    // A link of that page does not lead in either; the person's own address does.
    await page.evaluate((address) => {
      document.location.href = address;
    }, here());
    await page.waitForURL(here());
    expect(await text("body")).toContain("another page sends here");
    await page.goto(here());
    await page.waitForSelector("main h1");
  });
});
