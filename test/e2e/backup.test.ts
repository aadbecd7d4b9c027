/** A backup beside a daemon at work, restored elsewhere: the same ledger, the same approvals; and everything that is no backup. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "./cli.ts";
import { openHost, type TestHost } from "./daemon.ts";

let host: TestHost;
const directory = mkdtempSync(join(tmpdir(), "sp-backup-"));
beforeAll(async () => {
  host = await openHost();
}, 600_000);
afterAll(async () => {
  await host?.close();
  rmSync(directory, { recursive: true, force: true });
});
const file = join(directory, "state.tar.gz");
const full = join(directory, "full.tar.gz");
const restored = (name: string, from: string) =>
  run(["restore", from, "--state", join(directory, name), "--json"], { seconds: 60 });
/** The backup with one thing changed, packed again. */
function changed(name: string, change: (folder: string) => void): string {
  const folder = mkdtempSync(join(directory, "x-"));
  execFileSync("tar", ["-xzf", full, "-C", folder]);
  change(folder);
  const out = join(directory, `${name}.tar.gz`);
  execFileSync("tar", ["-czf", out, "-C", folder, "."]);
  return out;
}
let approved: string;

it("is taken while work goes on, and is of the owner alone", { timeout: 200_000 }, async () => {
  approved = (await host.turn(host.repository())).id;
  const busy = [host.repository(), host.repository()].map((repository) =>
    host.turn(repository, { instructions: "sleep 3; sed -i s/Math.floor/Math.round/ src/money.js" }),
  );
  const made = await host.cli("backup", file);
  expect(made.code, made.stderr).toBe(0);
  expect(made.json()).toMatchObject({ withKey: false });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await host.cli("backup", file)).error().code).toBe("usage");
  for (const record of await Promise.all(busy)) expect(record.state).toBe("approved");
  expect((await host.cli("backup", full, "--with-keys")).json()).toMatchObject({ withKey: true });
  expect(readdirSync(host.state).filter((name) => name.startsWith(".backup-"))).toEqual([]);
  const names = execFileSync("tar", ["-tzf", file], { encoding: "utf8" });
  expect(names).not.toMatch(/host\.key|host\.sock|\.\/lock|\.\/trees|\.\/lanes/);
});

it("restored, it verifies, and goes on where it was; without its key it is only read", {
  timeout: 200_000,
}, async () => {
  const said = await restored("read", file);
  expect(said.code, said.stdout).toBe(0);
  const read = join(directory, "read");
  expect((await run(["audit", "verify", "--state", read])).code).toBe(0);
  const started = await run(["daemon", "--state", read, "--json"], { seconds: 60 });
  expect([started.code, started.error().code]).toEqual([5, "control-missing"]);
  // Into what is there already: never.
  expect((await restored("read", file)).error().code).toBe("usage");

  await host.stop();
  rmSync(host.state, { recursive: true });
  expect((await run(["restore", full, "--state", host.state, "--json"])).code).toBe(0);
  expect(statSync(host.state).mode & 0o777).toBe(0o700);
  expect(statSync(join(host.state, "keys/host.key")).mode & 0o777).toBe(0o600);
  await host.up();
  expect((await host.show(approved)).state).toBe("approved");
  expect((await host.cli("diff", approved)).code).toBe(0);
  const landed = await host.cli("land", approved);
  expect(landed.code, landed.stdout).toBe(0);
});

it("refuses what was changed, what leads out, and what is no backup; and leaves nothing", {
  timeout: 200_000,
}, async () => {
  const segment = (folder: string) => join(folder, "ledger", readdirSync(join(folder, "ledger"))[0] ?? "");
  const cases: [string, string, string][] = [
    [
      "ledger-broken",
      "a line changed",
      changed("line", (folder) => {
        const path = segment(folder);
        writeFileSync(path, readFileSync(path, "utf8").replace("Round half up", "Round half UP"));
      }),
    ],
    [
      "ledger-broken",
      "the end cut off",
      changed("cut", (folder) => {
        const path = segment(folder);
        const lines = readFileSync(path, "utf8").split("\n");
        writeFileSync(path, `${lines.slice(0, 5).join("\n")}\n`);
      }),
    ],
    [
      "backup-invalid",
      "another key",
      changed("key", (folder) => {
        execFileSync("sh", [
          "-c",
          `openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out ${folder}/keys/host.pub`,
        ]);
      }),
    ],
    ["backup-invalid", "a link", changed("link", (folder) => symlinkSync("/etc", join(folder, "policies/etc")))],
    ["backup-invalid", "no manifest", changed("none", (folder) => rmSync(join(folder, "manifest.json")))],
    [
      "state-newer",
      "a newer form",
      changed("newer", (folder) => {
        const path = join(folder, "manifest.json");
        writeFileSync(path, readFileSync(path, "utf8").replace('"format": 1', '"format": 2'));
      }),
    ],
  ];
  const out = join(directory, "out.tar.gz");
  execFileSync("tar", ["-czPf", out, "--transform=s#^.*$#./../evil#", file]);
  cases.push(["backup-invalid", "a name that leads out", out]);
  const text = join(directory, "text.tar.gz");
  copyFileSync(import.meta.filename, text);
  cases.push(["backup-invalid", "no archive", text], ["backup-invalid", "nothing", join(directory, "nothing")]);
  for (const [code, what, from] of cases) {
    const said = await restored("never", from);
    expect([what, said.code === 0 ? "restored" : said.error().code]).toEqual([what, code]);
    expect(
      readdirSync(directory).filter((name) => name === "never" || name === "evil" || name.includes(".restore-")),
    ).toEqual([]);
  }
  // The twin: the same archive packed again, with nothing changed.
  expect(
    (
      await restored(
        "good",
        changed("good", () => {}),
      )
    ).code,
  ).toBe(0);
  // A broken ledger is not backed up.
  mkdirSync(join(directory, "broken"));
  execFileSync("cp", ["-r", `${join(directory, "good")}/.`, join(directory, "broken")]);
  const path = segment(join(directory, "broken"));
  writeFileSync(path, readFileSync(path, "utf8").replace("Round half up", "Round half UP"));
  const refused = await run(["backup", join(directory, "b.tar.gz"), "--state", join(directory, "broken"), "--json"]);
  expect(refused.error().code).toBe("ledger-broken");
  expect(readdirSync(directory)).not.toContain("b.tar.gz");
});
