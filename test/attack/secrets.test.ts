/** What the host knows is nowhere in a sandbox (ATTACKS S1, S5). */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { containersOf } from "../e2e/leftovers.ts";
import { inside } from "./inside.ts";

const canary = "cnry-5c1f0e9b7a";
// What the sandbox looks for: a script that holds the value itself would find itself.
const split = `a=cnry-5c1f; b=0e9b7a; printf %s "$a$b" > /tmp/needle`;

let host: TestHost;
beforeAll(async () => {
  host = await openHost({
    env: { CANARY_TOKEN: canary, ANTHROPIC_API_KEY: `sk-${canary}`, HTTP_PROXY_PASSWORD: canary },
  });
  writeFileSync(join(host.directory, "secret.txt"), canary, { mode: 0o600 });
  writeFileSync(join(host.state, "policies", "notes.txt"), canary, { mode: 0o600 });
}, 600_000);
afterAll(() => host?.close());

it("S1: the daemon's environment and files are found nowhere from inside", async () => {
  const script = `${split}
    env | grep -c -f /tmp/needle
    cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/mountinfo 2>/dev/null | grep -a -c -f /tmp/needle
    grep -r -l -a -s -f /tmp/needle /etc /run /home /var /opt /brief /worktree /workspace /root /mnt /srv /dev/shm | wc -l
    cat ${host.directory}/secret.txt; ls ${host.state}; ls -A /var/run/docker.sock /run/docker.sock; ls /proc/1/root/tmp/sp-*; true`;
  const { text, record } = await inside(host, host.repository(), script);
  const counts = text.split("\n").slice(0, 3);
  expect(counts).toEqual(["0", "0", "0"]);
  expect(text).not.toContain(canary);
  expect(JSON.stringify(host.entries(record.id))).not.toContain(canary);
});

it("S1: the engine's record of a sandbox, the ledger, the log and every answer hold none of it", async () => {
  const id = await host.send(host.repository(), { instructions: "sleep 4; sed -i s/floor/round/ src/money.js" });
  await host.seen(id, "sandbox.started");
  const containers = containersOf(host.directory);
  expect(containers).toHaveLength(1);
  expect(execFileSync("docker", ["inspect", containers[0]?.Id ?? ""]).toString()).not.toContain(canary);
  const d = await host.rest(id);
  expect(d.state).toBe("approved");
  expect(JSON.stringify(d)).not.toContain(canary);
  expect(JSON.stringify(host.entries())).not.toContain(canary);
  expect(host.log()).not.toContain(canary);
  for (const image of Object.values(d.images).filter((digest) => digest !== undefined)) {
    expect(execFileSync("docker", ["history", "--no-trunc", image]).toString()).not.toContain(canary);
  }
});

it("S1: the gateway's process has none of it either", () => {
  const pid = host.gateway();
  expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(canary);
  expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/CapEff:\s+0+\n/);
});

it("S5: a brief that carries a credential is refused without repeating it", async () => {
  const secrets = [
    `ghp_${"a1B2".repeat(9)}`,
    "AKIAIOSFODNN7EXAMPLE",
    `sk-ant-api03-${"x".repeat(40)}`,
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "https://ada:hunter2hunter2@example.org/x",
  ];
  const repository = host.repository();
  for (const secret of secrets) {
    const said = await host.cli("delegate", host.brief({ instructions: `use ${secret}` }), "--repo", repository.path);
    expect([said.code, said.error().code]).toEqual([5, "credential-in-brief"]);
    expect(said.stdout + said.stderr + host.log() + JSON.stringify(host.entries())).not.toContain(secret);
  }
  expect(
    (await host.turn(repository, { instructions: "sed -i s/floor/round/ src/money.js # AKIA is a prefix" })).state,
  ).toBe("approved");
});
