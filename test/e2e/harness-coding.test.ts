/**
 * Every coding CLI that has an image, as it is, on real containers: it works through its model route, its key is nowhere
 * inside, and what it does wrong ends as it must.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foundBy, keyHeader, type ModelHost, openModelHost, type Route, searchFor } from "./harness-model.ts";

interface Row {
  name: string;
  route: Route;
  /** The paths of its model's provider that it may ask for. */
  paths: RegExp;
  policy?: string;
}
const rows: Row[] = [
  { name: "pi", route: "openai", paths: /^\/v1\/chat\/completions$/ },
  { name: "codex", route: "openai-responses", paths: /^\/v1\/(?:responses|models)$/ },
  { name: "claude-code", route: "anthropic", paths: /^\/v1\/messages(?:\/count_tokens)?$|^\/$/ },
  { name: "opencode", route: "openai", paths: /^\/v1\/chat\/completions$/ },
  { name: "gemini", route: "gemini", paths: /^\/v1beta\/models\/[a-z0-9.-]+:(?:streamG|g)enerateContent$/ },
  // Its bundle makes a property of every byte of a parser when it first runs a command: more than 2 GiB for a moment.
  { name: "qwen", route: "qwen", paths: /^\/v1\/chat\/completions$/, policy: "coding-large" },
];

/** Those whose output says which commands they ran. */
const tellsCommands: ReadonlySet<string> = new Set(["pi", "codex", "claude-code", "opencode"]);

let rig: ModelHost;
beforeAll(async () => {
  rig = await openModelHost({ images: rows.map((row) => row.name) });
}, 900_000);
afterAll(() => rig?.close());

describe.each(rows)("$name", ({ name, route, paths, policy = "coding" }) => {
  it("edits as its model says, with the key at its model and nowhere else, and is approved", async () => {
    const { d, conversation } = await rig.turn(
      [
        { do: [{ read: "src/money.js" }] },
        { do: [{ edit: "src/money.js", from: "Math.floor", to: "Math.round" }] },
        { do: [searchFor(rig.key)] },
        { text: "It rounds now." },
      ],
      { executor: name, policy },
    );
    expect(d.state, JSON.stringify([d.reason, d.attempts], null, 1)).toBe("approved");
    expect(d.attempts[0]?.proposal?.changes).toEqual([{ path: "src/money.js", kind: "modified" }]);

    const asked = rig.model.requestsOf(conversation);
    expect(asked.map((r) => r.turn)).toEqual([0, 1, 2, 3]);
    const [header, value] = keyHeader(route, rig.key);
    for (const request of asked) expect(request.headers[header]).toBe(value);
    expect(foundBy(asked.at(-1)?.asked?.text ?? "")).toEqual(["files-with-key=0", "variables-with-key=0"]);
    expect(rig.model.requests.filter((request) => request.raw.includes(rig.key))).toEqual([]);
    expect(asked[0]?.asked?.text.includes("verdict approve")).toBe(false);

    // What its shell ran is told by the kernel; and by itself, where it prints its events.
    const ran = rig.host.entries(d.id).flatMap((e) => (e.type === "sandbox.processes" ? [e.data] : []));
    expect(ran.length).toBeGreaterThan(0);
    for (const one of ran) expect([one.whole, one.gap]).toEqual([true, undefined]);
    const claims = rig.host.entries(d.id).flatMap((e) => (e.type === "sandbox.claimed" ? e.data.commands : []));
    expect(claims.some(({ command }) => command.includes("files-with-key"))).toBe(tellsCommands.has(name));

    // All of it went through its route, and nothing else was even tried.
    const seen = rig.requests(d.id);
    expect(seen.length).toBeGreaterThanOrEqual(4);
    const others = seen.filter(({ decision, method, url }) => {
      // Who takes no notice of NO_PROXY opens a tunnel to the gateway itself; what goes through it is seen like the rest.
      const toGateway = method === "CONNECT" && url === "127.0.0.1:3128";
      return decision !== "allow" || !(toGateway || paths.test(URL.parse(url)?.pathname ?? ""));
    });
    expect(others.map((r) => `${r.decision} ${r.method} ${r.url}`)).toEqual([]);
  }, 180_000);

  it("is rejected as empty where it ends well and did nothing", async () => {
    const { d } = await rig.turn([{ text: "All done, everything is perfect." }], { executor: name });
    expect([d.state, d.attempts[0]?.rejection?.findings[0]?.reason]).toEqual(["rejected", "no-change"]);
  }, 180_000);

  it("is ended by the wall where it hangs", async () => {
    const began = Date.now();
    const { d } = await rig.turn([{ delay: 3_600_000 }], { executor: name, policy: "coding-short" });
    expect([d.state, d.reason]).toEqual(["over-budget", expect.stringContaining("wall")]);
    expect(Date.now() - began).toBeLessThan(60_000);
  }, 180_000);

  it("is denied at the gateway where it takes no notice of its base URL", async () => {
    const { id, conversation } = await rig.altered(
      name,
      (text) => text.replaceAll("{base}", "https://api.example.com"),
      async () => {
        const begun = await rig.begin([{ do: [{ write: "src/money.js", content: "" }] }], { executor: name, policy });
        await rig.host.seen(begun.id, "request", 100);
        return begun;
      },
    );
    // Some would try again until the wall.
    await rig.host.cli("stop", id);
    const d = await rig.host.rest(id);
    expect(d.attempts.map((attempt) => attempt.proposal)).toEqual([undefined]);
    expect(rig.model.requestsOf(conversation)).toEqual([]);
    for (const request of rig.requests(id)) {
      expect([request.decision, request.url]).toEqual(["deny", expect.stringContaining("api.example.com")]);
    }
  }, 180_000);
});

it("opencode gets nothing by asking for a permission that nobody can give", async () => {
  const { d, conversation } = await rig.altered(
    "opencode",
    (text) => text.replace('"permission": { "*": "allow" }', '"permission": { "*": "ask" }'),
    () => rig.turn([{ do: [{ write: "src/money.js", content: "" }] }], { executor: "opencode" }),
  );
  expect(rig.model.requestsOf(conversation).length).toBeGreaterThan(0);
  // This version refuses itself and ends; older ones wait for an answer until the wall.
  expect(["rejected", "over-budget"]).toContain(d.state);
  expect(d.attempts[0]?.proposal).toBeUndefined();
}, 180_000);
