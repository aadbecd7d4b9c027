/** What is cleared away, and above all what is not: with work going on, and cut in between. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";

let host: TestHost;
beforeAll(async () => {
  // Images are the machine's: other work may stand on them.
  host = await openHost({ lanes: 2, config: { retention: { images: 0 } } });
}, 600_000);
afterAll(() => host?.close());

const trees = () => readdirSync(join(host.state, "trees")).filter((name) => /^[0-9a-f]{40}$/.test(name));
const refs = () =>
  readdirSync(join(host.state, "quarantine"))
    .flatMap((name) =>
      execFileSync("git", ["--git-dir", join(host.state, "quarantine", name), "for-each-ref", "--format=%(refname)"], {
        encoding: "utf8",
      }).split("\n"),
    )
    .filter(Boolean)
    .map((ref) => ref.split("/")[2]);
const has = (quarantine: string, oid: string) => {
  try {
    execFileSync("git", ["--git-dir", quarantine, "cat-file", "-e", oid], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};
/** Makes everything in a folder look two days old. */
const age = (folder: string) => execFileSync("find", [folder, "-exec", "touch", "-h", "-d", "2 days ago", "{}", "+"]);
const keys = () =>
  createHash("sha256")
    .update(readFileSync(join(host.state, "keys/host.key")))
    .digest("hex");

interface Cleared {
  dryRun: boolean;
  trees: number;
  proposals: number;
  images: string[];
  bytes: number;
}
const gc = async (...args: string[]) => {
  const said = await host.cli("gc", ...args);
  expect(said.code, said.stderr + said.stdout).toBe(0);
  return said.json<Cleared & object>();
};

it("clears ended proposals and idle trees; what can land and what landed stays", { timeout: 300_000 }, async () => {
  const repository = host.repository();
  const approved = await host.turn(repository);
  const landed = await host.turn(host.repository());
  expect((await host.cli("land", landed.id)).code).toBe(0);
  const stuck = await host.turn(host.repository(), { intent: "verdict reject" });
  expect([approved.state, stuck.state]).toEqual(["approved", "stuck"]);
  const before = keys();
  const kept = trees();
  age(join(host.state, "trees"));
  age(join(host.state, "quarantine"));
  const commit = stuck.attempts[0]?.proposal?.commit ?? "";
  const [quarantine = ""] = readdirSync(join(host.state, "quarantine"))
    .map((name) => join(host.state, "quarantine", name))
    .filter((path) => has(path, commit));
  await until("a second gone by", () => Date.now() - Date.parse(stuck.updated) > 1500, 10);

  const told = await gc("--dry-run", "--older", "1s");
  expect(told).toMatchObject({ dryRun: true, trees: kept.length, images: [] });
  expect(told.proposals).toBe(stuck.attempts.length);
  expect(refs()).toContain(stuck.id);
  expect(trees()).toEqual(kept);
  expect(has(quarantine, commit)).toBe(true);
  // Not old enough by the configuration: nothing goes.
  expect(await gc()).toMatchObject({ trees: 0, proposals: 0 });

  const done = await gc("--older", "1s");
  expect(done).toMatchObject({ dryRun: false, trees: kept.length, proposals: stuck.attempts.length });
  expect(done.bytes).toBeGreaterThan(1000);
  expect(trees()).toEqual([]);
  expect(refs()).not.toContain(stuck.id);
  expect(refs()).toEqual(expect.arrayContaining([approved.id]));
  expect(has(quarantine, commit)).toBe(false);
  expect(host.entries().find(({ type }) => type === "host.cleared")?.data).toMatchObject({ trees: kept.length });
  expect(keys()).toBe(before);
  // What was looked back at says so, and what was approved is whole.
  const diff = await host.cli("diff", stuck.id);
  expect([diff.code, diff.error().code]).toEqual([2, "not-found"]);
  expect((await host.cli("diff", approved.id)).code).toBe(0);
  expect((await host.cli("land", approved.id)).code).toBe(0);
});

it("a tree that a sandbox stands on stays, however old; work goes on while it is cleared", {
  timeout: 300_000,
}, async () => {
  const work = (seconds: number) => ({
    instructions: `sleep ${seconds}; sed -i s/Math.floor/Math.round/ src/money.js`,
  });
  const known = trees();
  const long = await host.send(host.repository(), work(20));
  await host.seen(long, "sandbox.started");
  const standing = trees().filter((key) => !known.includes(key));
  expect(standing.length).toBe(1);
  // As if it had been asked for long ago: the mount alone keeps it.
  for (const key of standing) utimesSync(join(host.state, "trees", key, "base.json"), 0, 0);
  await gc("--older", "1s");
  expect(host.entries(long).map(({ type }) => type)).not.toContain("sandbox.ended");
  expect(trees()).toEqual(expect.arrayContaining(standing));
  const short = [host.repository(), host.repository(), host.repository()];
  const ids = [long, ...(await Promise.all(short.map((repository) => host.send(repository, work(2)))))];
  for (const key of standing) utimesSync(join(host.state, "trees", key, "base.json"), new Date(), new Date());
  let rounds = 0;
  let busy = true;
  const all = Promise.all(ids.map((id) => host.rest(id, 120))).finally(() => {
    busy = false;
  });
  while (busy) {
    await gc("--older", "1s");
    rounds += 1;
  }
  for (const record of await all) expect(record.state).toBe("approved");
  expect(rounds).toBeGreaterThan(1);
});

it("cut in between by kill -9, it is finished by the next one; without a daemon it runs under the lock", {
  timeout: 300_000,
}, async () => {
  const [some = ""] = trees();
  for (let copy = 0; copy < 40; copy++) {
    const key = createHash("sha1").update(String(copy)).digest("hex");
    cpSync(join(host.state, "trees", some), join(host.state, "trees", key), { recursive: true });
    utimesSync(join(host.state, "trees", key, "base.json"), 0, 0);
  }
  const going = () => readdirSync(join(host.state, "trees")).filter((name) => name.startsWith(".gone-"));
  const clearing = host.begin("gc", "--older", "1s");
  await until("its beginning", () => going().length > 0 || trees().length < 30, 60);
  await host.kill();
  await clearing.done;
  await until("the guard's end", () => existsSync(join(host.state, "host.sock")), 5).catch(() => {});
  // One at a time: while a clearing has the lock, no other begins.
  await host.up();
  expect(going()).toEqual([]);
  const record = await host.turn(host.repository());
  expect(record.state).toBe("approved");
  await host.stop();
  mkdirSync(join(host.state, "trees", ".gone-left"));
  for (const key of trees()) utimesSync(join(host.state, "trees", key, "base.json"), 0, 0);
  expect((await gc("--older", "1s")).trees).toBeGreaterThan(0);
  expect(trees()).toEqual([]);
  expect(going()).toEqual([]);
  expect(statSync(join(host.state, "ledger")).isDirectory()).toBe(true);
  await host.up();
  expect((await host.cli("land", record.id)).code).toBe(0);
  expect((await host.cli("gc", "--older", "soon")).error().code).toBe("usage");
});
