import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { run } from "../e2e/cli.ts";
import { delegation, makeState } from "./policy-state.ts";

let directory: string;
let state: Awaited<ReturnType<typeof makeState>>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "policy-cli-"));
  state = await makeState();
});
afterAll(async () => {
  await state.drop();
  await rm(directory, { recursive: true, force: true });
});

const put = async (name: string, text: string) => {
  const path = join(directory, `${name}.yaml`);
  await writeFile(path, `version: 1\nextends: base\n${text}`);
  return path;
};
const policy = (...args: string[]) => run(["policy", ...args, "--state", state.root], { seconds: 30 });

describe("policy check", () => {
  test("a sound policy is 0, a broken expectation 1 with its line, a broken file 2 with its line, an unknown name 2 with the known ones", async () => {
    const good = await put(
      "good",
      "network: [{ host: a.org, scheme: https }]\nexpect: [{ request: 'GET https://a.org/', is: allow }]\n",
    );
    expect((await policy("check", good)).code).toBe(0);
    const wrong = await put("wrong", "expect:\n  - { request: 'GET https://a.org/', is: allow }\n");
    const failed = await policy("check", wrong);
    expect([failed.code, failed.stdout]).toEqual([
      1,
      expect.stringMatching(/wrong\.yaml:4:5 GET https:\/\/a\.org\/ is not allow: no rule names/),
    ]);
    const broken = await policy("check", await put("broken", "network: [{ host: '*' }]\n"), "--json");
    expect([broken.code, broken.error()]).toEqual([
      2,
      expect.objectContaining({ code: "policy-invalid", at: expect.stringMatching(/broken\.yaml:3:\d+$/) }),
    ]);
    const unknown = await policy("check", "node-libary", "--json");
    expect([unknown.code, unknown.error()]).toEqual([
      2,
      expect.objectContaining({ code: "not-found", next: "Did you mean node-library?" }),
    ]);
  });

  test("idle rules are warnings with their line, and no failure", async () => {
    const path = await put(
      "money",
      "network:\n  - { host: registry.npmjs.org }\n  - { host: registry.npmjs.org, methods: [GET] }\n  - { host: never.example.org }\n",
    );
    const { code, json } = await policy("check", path, "--json");
    expect(code).toBe(0);
    // The ledger's one delegation ran under a policy of this name.
    expect(json<{ warnings: { at: string; message: string }[] }>().warnings).toEqual([
      { at: `${path}:5:5`, message: expect.stringMatching(/network\[1\] .* never decides: network\[0\]/) },
      {
        at: `${path}:6:5`,
        message: expect.stringMatching(/never\.example\.org was never asked for in 1 recorded delegation under/),
      },
    ]);
    const elsewhere = await run(["policy", "check", path, "--json", "--state", join(directory, "none")], {
      seconds: 30,
    });
    expect(elsewhere.json<{ warnings: unknown[] }>().warnings).toHaveLength(1);
  });
});

describe("policy explain", () => {
  test("0 and the rule's line where it is allowed, 5 and the smallest change where it is denied, 2 where it is no question", async () => {
    const path = await put("e", "network:\n  - { host: a.org, scheme: https, methods: [GET] }\n");
    const yes = await policy("explain", path, "GET https://a.org/", "--json");
    expect([yes.code, yes.json()]).toEqual([
      0,
      expect.objectContaining({ allow: true, rule: "network[0] a.org", at: `${path}:4:5` }),
    ]);
    const no = await policy("explain", path, "POST https://a.org/", "--json");
    expect([no.code, no.json()]).toEqual([
      5,
      expect.objectContaining({
        code: "method",
        next: "- { host: a.org, scheme: https, methods: [GET, POST] }  # in place of network[0]",
      }),
    ]);
    expect((await policy("explain", path, "CONNECT a.org:443")).code).toBe(0);
    expect((await policy("explain", path, "GET wss://a.org/")).code).toBe(5);
    expect((await policy("explain", path, "GET https://a.org/ HTTP/1.1", "--json")).error().code).toBe("usage");
    // Nothing of what is asked reaches the terminal as a control character.
    const evil = await policy("explain", path, "GET https://a.org/\u001b[2J");
    expect([evil.code, evil.stdout.includes("\u001b")]).toEqual([5, false]);
  });
});

describe("policy diff", () => {
  test("1 where more is allowed, 0 where provably nothing is, with --json", async () => {
    const wide = await put("wide", "network: [{ host: a.org }]\n");
    const less = await put("less", "network: [{ host: a.org, methods: [GET] }]\n");
    const more = await policy("diff", less, wide, "--json");
    expect([more.code, more.json()]).toEqual([
      1,
      expect.objectContaining({ before: "less", after: "wide", widens: true }),
    ]);
    const narrower = await policy("diff", wide, less);
    expect([narrower.code, narrower.stdout]).toEqual([
      0,
      expect.stringMatching(/less provably allows nothing that wide does not/),
    ]);
    expect((await policy("diff", wide, wide)).stdout).toBe("wide and wide allow the same\n");
  });
});

describe("policy simulate and learn", () => {
  test("what is learned, pasted, lets the delegation pass as it was recorded", async () => {
    const learned = await policy("learn", delegation);
    expect(learned.code).toBe(0);
    const { network } = parse(learned.stdout) as { network: { host: string; paths?: string[] }[] };
    expect(network.map(({ host }) => host).sort()).toEqual([
      "prices.example.org",
      "rates.example.org",
      "registry.npmjs.org",
      "registry.npmjs.org",
    ]);
    expect(learned.stdout).toMatch(/# not proposed: GET http:\/\/169\.254\.169\.254/);
    const path = await put(
      "learned",
      `filesystem: { writable: ["src/**", "docs/**"] }\nbudget: { wall: 20m }\n${learned.stdout}`,
    );
    expect((await policy("check", path)).code).toBe(0);
    const same = await policy("simulate", path, delegation, "--json");
    const { requests, writes, spend } = same.json<{
      requests: { changed: { request: string; would: string }[]; unknown: unknown[] };
      writes: { changed: unknown[] };
      spend: unknown[];
    }>();
    // What was denied would pass now; nothing that passed would be denied, and the metadata address stays denied.
    expect(requests.changed.map(({ request, would }) => `${would} ${request}`)).toEqual([
      "allow CONNECT rates.example.org:443",
      "allow GET http://prices.example.org/daily.csv",
    ]);
    expect([requests.unknown, writes.changed, spend]).toEqual([[], [], []]);
    const nothing = await policy("learn", delegation, "--from", path, "--json");
    expect(nothing.json<{ rules: unknown[]; left: unknown[] }>()).toMatchObject({ rules: [], left: [{ times: 1 }] });
  });

  test("an id that is none is 2, one that the ledger has not is 2, a ledger that was changed is 1", async () => {
    expect((await policy("learn", "d-x", "--json")).error().code).toBe("usage");
    expect((await policy("simulate", "base", "d-aaaaaaaaaaaaaaaa", "--json")).error().code).toBe("not-found");
    const other = await makeState();
    try {
      const { readdir, readFile } = await import("node:fs/promises");
      const [segment = ""] = (await readdir(join(other.root, "ledger"))).filter((name) => name.endsWith(".jsonl"));
      const file = join(other.root, "ledger", segment);
      await writeFile(file, (await readFile(file, "utf8")).replace("daily.csv", "weekly.csv"));
      const broken = await run(["policy", "learn", delegation, "--json", "--state", other.root], { seconds: 30 });
      expect([broken.code, broken.error().code]).toEqual([1, "ledger-broken"]);
    } finally {
      await other.drop();
    }
  });
});

test("every command has examples in its help", async () => {
  for (const name of ["check", "explain", "test", "diff", "simulate", "learn", "schema"]) {
    const { code, stdout } = await policy(name, "--help");
    expect([name, code, /Examples:\n {2}\S/.test(stdout)]).toEqual([name, 0, true]);
  }
});
