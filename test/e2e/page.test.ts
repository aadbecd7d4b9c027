/** What a page shows of real delegations, from the daemon and from the ledger's files alone. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import {
  chainStatus,
  type DelegationPage,
  delegationPage,
  explanation,
  type Summaries,
  summaries,
} from "../../src/domain/page.ts";
import { publicKeyFrom } from "../../src/gate/keys.ts";
import { foldDelegation, unreadChain } from "../../src/host/page/delegation-page.ts";
import { openHost, type TestHost } from "./daemon.ts";

let host: TestHost;
let approved: Delegation;
let rejected: Delegation;

beforeAll(async () => {
  host = await openHost({ lanes: 2 });
  const repository = host.repository("money");
  approved = await host.turn(repository);
  rejected = await host.turn(repository, {
    intent: "verdict reject",
    instructions: "curl -s http://10.0.0.1/x; sed -i s/Math.floor/Math.round/ src/money.js",
  });
  expect(approved.state).toBe("approved");
  const { status } = await host.api("POST", `/v1/delegations/${approved.id}/land`, {});
  expect(status).toBe(200);
}, 240_000);
afterAll(async () => host?.close(), 120_000);

const get = async <T>(path: string): Promise<T> => {
  const { status, body } = await host.api("GET", path);
  expect([path, status, status === 200 ? "" : body]).toEqual([path, 200, ""]);
  return JSON.parse(body) as T;
};

describe("the page of a delegation", () => {
  it("tells what landed: brief, timeline, attempt, approval, controls, ledger", async () => {
    const page = delegationPage.parse(await get(`/v1/delegations/${approved.id}/page?patches=true`)) as DelegationPage;
    expect(page.summary).toMatchObject({ id: approved.id, state: "landed", rests: true, attempts: 1 });
    expect(page.brief.criteria[0]).toMatchObject({ id: "A1", must: "cents() rounds to the nearest cent" });
    const titles = page.timeline.items.map(({ title }) => title);
    for (const title of ["Brief accepted", "Attempt 1 begins", "Approved and signed", "Landed"])
      expect(titles).toContain(title);
    const [attempt] = page.attempts.items;
    expect(attempt).toMatchObject({ number: 1, outcome: "approved", executor: "scripted" });
    expect(attempt?.proposal?.patch.text).toContain("+  return Math.round");
    expect(attempt?.verdicts[0]).toMatchObject({ decision: "approve" });
    const executor = attempt?.sandboxes.items.find(({ role }) => role === "executor");
    expect(executor?.controls).toMatchObject({ network: "none", capabilities: "none" });
    const mine = page.processes.sandboxes.find(({ sandbox }) => sandbox === executor?.id);
    expect(mine).toMatchObject({ role: "executor", attempt: 1, whole: true });
    expect(executor?.processes).toBe(mine?.total);
    // What the brief's instructions ran, by the kernel: and each row says in which sandbox.
    expect(mine?.names.items.map(({ name }) => name)).toContain("sed");
    expect(page.processes.items.find(({ name }) => name === "sed")).toMatchObject({ sandbox: executor?.id, exit: 0 });
    expect(page.approval).toMatchObject({ verified: true, attempt: 1 });
    expect(page.ledger.whole).toMatchObject({ state: "whole" });
    expect(page.ledger.whole.upTo).toBeGreaterThanOrEqual(page.ledger.to);
    expect(page.lines.total).toBe(host.entries(approved.id).length);
  });

  it("tells what was tried: the denied request with its rule, and the findings", async () => {
    const page = delegationPage.parse(await get(`/v1/delegations/${rejected.id}/page`)) as DelegationPage;
    expect(page.summary.state).toBe(rejected.state);
    expect(page.requests.denied).toBeGreaterThan(0);
    expect(page.requests.items.find(({ decision }) => decision === "deny")).toMatchObject({
      method: "GET",
      role: "executor",
    });
    expect(page.requests.hosts.items[0]).toMatchObject({ host: "10.0.0.1" });
    expect(page.attempts.items[0]?.findings.total).toBeGreaterThan(0);
    expect(page.attempts.items[0]?.proposal?.patch.text).toBeUndefined();
  });

  it("is the same from the ledger's lines without a daemon, and each beginning of them has a page", async () => {
    const key = publicKeyFrom(readFileSync(join(host.state, "keys", "host.pub"), "utf8"));
    const { ledger: _, ...fromDaemon } = await get<DelegationPage>(`/v1/delegations/${approved.id}/page`);
    const fold = foldDelegation(approved.id);
    for (const entry of host.entries(approved.id)) {
      fold.add(entry);
      delegationPage.parse(fold.page({ chain: unreadChain }));
    }
    const { ledger, ...fromFiles } = fold.page({ chain: unreadChain, key });
    expect(JSON.parse(JSON.stringify(fromFiles))).toEqual(fromDaemon);
    expect(ledger.whole.state).toBe("unread");
  });

  it("calls an approval not verified where the key is another's, or there is none", () => {
    const fold = foldDelegation(approved.id);
    for (const entry of host.entries(approved.id)) fold.add(entry);
    expect(fold.page({ chain: unreadChain }).approval).toMatchObject({ verified: false });
    const forged = foldDelegation(approved.id);
    const key = publicKeyFrom(readFileSync(join(host.state, "keys", "host.pub"), "utf8"));
    for (const entry of host.entries(approved.id)) {
      if (entry.type === "delegation.approved") entry.data.predicate.tree = "0".repeat(40);
      try {
        forged.add(entry);
      } catch {
        return; // The fold itself refuses it.
      }
    }
    expect(forged.page({ chain: unreadChain, key }).approval).toMatchObject({ verified: false });
  });

  it("is not there for an id that is not", async () => {
    expect((await host.api("GET", "/v1/delegations/d-aaaaaaaaaaaaaaaa/page")).status).toBe(404);
    expect((await host.api("GET", "/v1/delegations/x/page")).status).toBe(400);
  });
});

describe("the list", () => {
  it("is newest first, paged by a cursor that stays, and filtered", async () => {
    const all = summaries.parse(await get("/v1/summaries")) as Summaries;
    expect(all.summaries.map(({ id }) => id)).toEqual([rejected.id, approved.id]);
    expect(all).toMatchObject({ total: 2 });
    const first = await get<Summaries>("/v1/summaries?limit=1");
    expect(first.summaries.map(({ id }) => id)).toEqual([rejected.id]);
    const second = await get<Summaries>(`/v1/summaries?limit=1&before=${first.next}`);
    expect(second).toMatchObject({ total: 2, summaries: [{ id: approved.id }] });
    expect(second.next).toBeUndefined();
    expect((await get<Summaries>("/v1/summaries?state=landed")).summaries.map(({ id }) => id)).toEqual([approved.id]);
    expect((await get<Summaries>("/v1/summaries?q=ROUND%20money&executor=scripted")).total).toBe(2);
    expect((await get<Summaries>("/v1/summaries?q=nothing-like-it")).total).toBe(0);
    expect((await get<Summaries>("/v1/summaries?kind=plan")).total).toBe(0);
    expect((await host.api("GET", "/v1/summaries?before=x")).status).toBe(400);
  });
});

describe("the policy's explanation", () => {
  it("says why, and what would allow it", async () => {
    const ask = (request: string) => get(`/v1/policies/node-library/explain?request=${encodeURIComponent(request)}`);
    expect(explanation.parse(await ask("GET https://registry.npmjs.org/left-pad"))).toMatchObject({ allow: true });
    const denied = explanation.parse(await ask("POST https://registry.npmjs.org/left-pad"));
    expect(denied).toMatchObject({ allow: false });
    expect(denied.next).not.toBe("");
    expect((await host.api("GET", "/v1/policies/no-such/explain?request=x")).status).toBe(404);
    expect((await host.api("GET", "/v1/policies/node-library/explain?request=a%20b%20c")).status).toBe(400);
  });
});

describe("the chain", () => {
  it("is whole, and a line that is changed afterwards is found when it is verified again", async () => {
    expect(chainStatus.parse(await get("/v1/chain"))).toMatchObject({ state: "whole" });
    const file = join(host.state, "ledger", "00000001.jsonl");
    const text = readFileSync(file, "utf8");
    const at = text.indexOf("Round half up");
    try {
      writeFileSync(file, `${text.slice(0, at)}Round half UP${text.slice(at + 13)}`);
      expect(await get("/v1/chain?again=true")).toMatchObject({
        state: "broken",
        at: expect.stringContaining("00000001.jsonl:"),
      });
      // Reading the page finds it too: each line is checked against the chain.
      expect((await host.api("GET", `/v1/delegations/${approved.id}/page`)).body).toContain("ledger-broken");
    } finally {
      writeFileSync(file, text);
    }
    expect(await get("/v1/chain?again=true")).toMatchObject({ state: "whole" });
  });
});
