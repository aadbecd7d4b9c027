/** What ran in a sandbox, by the host's kernel: every process, whatever it calls itself, out of the sandbox's reach. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProcessRow } from "../../src/domain/processes.ts";
import { openAccounting } from "../../src/sandbox/accounting.ts";
import { dockerEngine } from "../../src/sandbox/docker-engine.ts";
import type { SandboxSpec } from "../../src/sandbox/engine.ts";
import { type Bench, folder, openBench } from "./engine.ts";

let bench: Bench;
let accounts: string;

beforeAll(async () => {
  bench = await openBench();
  accounts = join(bench.directory, "accounts");
}, 600_000);
afterAll(async () => bench?.close(), 60_000);

async function run(script: string, changes?: Partial<SandboxSpec>) {
  const engine = dockerEngine(bench.docker, undefined, accounts);
  const result = await (await engine.start(bench.spec(["/bin/sh", "-c", script], changes))).done;
  const { processes } = result;
  if (!processes) throw new Error("nobody looked");
  return { ...result, text: result.output.head.toString("utf8"), processes, rows: processes.rows ?? [] };
}
const named = (rows: readonly ProcessRow[], name: string) => rows.filter((row) => row.name === name);

describe("the kernel's accounting", () => {
  it("tells every process with its exit, signal, parent and user, from the first on", async () => {
    const { processes, rows, text, end } = await run(
      "cat </dev/null; sh -c 'exit 3'; sleep 60 & kill -9 $!; wait; sleep 0.2; cat /proc/self/stat | cut -d' ' -f1; echo $$",
    );
    expect(end).toBe("exit");
    expect(processes).toMatchObject({ whole: true, dropped: 0, unread: 0, total: rows.length });
    expect(processes.gap).toBeUndefined();
    const shell = Number(text.trim().split("\n").at(-1));
    expect(named(rows, "cat")[0]).toMatchObject({ exit: 0, ppid: shell, uid: 10001, forked: false });
    expect(rows.filter((row) => row.exit === 3)).toMatchObject([{ name: "sh", ppid: shell }]);
    expect(rows.filter((row) => row.signal === 9 && row.ppid === shell)).toHaveLength(1);
    const slept = named(rows, "sleep").find((row) => row.exit === 0);
    expect(slept?.elapsed).toBeGreaterThanOrEqual(190);
    expect(Math.abs(Date.parse(slept?.started ?? "") - Date.now())).toBeLessThan(120_000);
    // The command itself, and the init that ends last; the host's own doing is not among them.
    expect(rows.find((row) => row.pid === shell)).toMatchObject({ exit: 0 });
    expect(rows.at(-1)).toMatchObject({ pid: 1, ppid: 0 });
    expect(rows.every((row) => row.uid === 10001)).toBe(true);
    expect(processes.names?.find(({ name }) => name === "cat")).toMatchObject({ failed: 0 });
  });

  it("tells a process by the name that it gives itself, escaped, and all else by the kernel", async () => {
    const { rows } = await run(
      `node -e 'process.title = "\\x1b[31m\\\\\\u202e\\n"; setTimeout(() => process.exit(7), 50)'`,
    );
    const row = rows.find(({ exit }) => exit === 7);
    expect(row?.name).toMatch(/^\\x1b\[31m\\x5c\\xe2\\x80\\xae\\x0a$/);
  });

  it("counts 5,000 short-lived processes, with the first and last of them as rows", async () => {
    const { processes, rows } = await run(
      "cat </dev/null; i=0; while [ $i -lt 5000 ]; do (:); i=$((i+1)); done; grep -q x /dev/null; true",
      { wall: 120_000 },
    );
    expect(processes.total).toBeGreaterThanOrEqual(5003);
    expect(processes).toMatchObject({ whole: true, unread: 0 });
    expect(rows).toHaveLength(500);
    expect(processes.dropped).toBe((processes.total ?? 0) - 500);
    expect(named(rows, "cat")).toHaveLength(1);
    expect(named(rows, "grep")).toMatchObject([{ exit: 1 }]);
    expect(processes.names?.reduce((sum, { count }) => sum + count, 0)).toBe(processes.total);
  }, 180_000);

  it("outlives a fork bomb under the limit of processes", async () => {
    const { processes, end } = await run("cat </dev/null; bomb() { bomb | bomb & }; bomb; sleep 5", {
      wall: 4000,
      pids: 40,
    });
    expect(end).toBe("timeout");
    expect(processes).toMatchObject({ whole: true, unread: 0 });
    expect(processes.names?.find(({ name }) => name === "cat")).toMatchObject({ count: 1 });
    expect(processes.total).toBeGreaterThan(20);
  }, 60_000);

  it("cannot be turned off, replaced, seen or signalled from inside", async () => {
    const probe = folder(bench, "probe");
    execFileSync("cc", ["-O1", "-static", "-o", join(probe, "syscalls"), join(import.meta.dirname, "syscalls.c")], {
      timeout: 60_000,
    });
    const { processes, rows, text } = await run(
      `cat </dev/null; /probe/syscalls | grep '^acct '
ls /proc | grep -c '^[0-9]'; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[a]ccton ' ; cat /proc/mounts /proc/self/mountinfo | grep -c accounts; ls -l /proc/1/fd | grep -c accounts
grep -q x /dev/null; true`,
      { mounts: [{ source: probe, target: "/probe", writable: false }] },
    );
    // EPERM: the filter, before the capability would be asked for.
    expect(text).toMatch(/^acct 1\n/);
    expect(text.trim().split("\n").slice(-3)).toEqual(["0", "0", "0"]);
    expect(processes.whole).toBe(true);
    expect(named(rows, "grep").some(({ exit }) => exit === 1)).toBe(true);
  });

  it("goes over to a new file when one is full, and loses none between the two", async () => {
    const script = "read -r go </go/fifo; i=0; while [ $i -lt 3000 ]; do (:); i=$((i+1)); done; sleep 1; exit 5";
    const directory = folder(bench, "go");
    execFileSync("mkfifo", ["-m", "644", join(directory, "fifo")]);
    const mounts = [{ source: directory, target: "/go", writable: false }];
    const sandbox = await bench.start(["/bin/sh", "-c", script], { mounts, wall: 120_000 });
    const { Id: owner } = await bench.docker.getContainer(`sallyport-${sandbox.id}`).inspect();
    const of = { id: sandbox.id, pid: sandbox.pid, owner };
    const accounting = await openAccounting(of, accounts, "runc", { fileBytes: 64 * 200, lookEvery: 20 });
    // Opened for both, so that it does not wait for the shell's end of it.
    const gate = await open(join(directory, "fifo"), "r+");
    await gate.write("go\n");
    const seen = new Set<string>();
    const looking = setInterval(() => {
      for (const name of readdirSync(accounts)) seen.add(name);
    }, 10);
    const { exit } = await sandbox.done;
    clearInterval(looking);
    await gate.close();
    const account = await accounting.end();
    expect(exit).toBe(5);
    expect(seen.size).toBeGreaterThan(2);
    expect(account).toMatchObject({ whole: true, unread: 0 });
    // The loop's, the shell, sleep and init; the entry program is the shell.
    expect(account.total).toBe(3003);
    expect(account.rows?.at(-1)).toMatchObject({ pid: 1 });
  }, 180_000);

  it("leaves no file behind", () => {
    expect(existsSync(accounts) ? readdirSync(accounts) : []).toEqual([]);
  });
});

describe("where it cannot be had", () => {
  it("the sandbox runs, and the account says why there is none", async () => {
    writeFileSync(join(bench.directory, "file"), "");
    const engine = dockerEngine(bench.docker, undefined, join(bench.directory, "file", "below"));
    const result = await (await engine.start(bench.spec(["/bin/echo", "fine"]))).done;
    expect([result.end, result.exit, result.output.head.toString()]).toEqual(["exit", 0, "fine\n"]);
    expect(result.processes).toMatchObject({ whole: false });
    expect(result.processes?.gap).toMatch(/ENOTDIR/);
    expect(result.processes?.rows).toBeUndefined();
  });

  it("nobody looks where no directory is named", async () => {
    expect((await bench.run(["/bin/true"])).processes).toBeUndefined();
  });
});

describe("the gate before the command", () => {
  it("gives the command no standard input, and its own exit code", async () => {
    const { text, exit } = await run("readlink /proc/self/fd/0; read -r line; echo $?; exit 9");
    expect(text).toBe("/dev/null\n1\n");
    expect(exit).toBe(9);
  });

  it("has read back every control before the command begins", async () => {
    const sandbox = await dockerEngine(bench.docker).start(bench.spec(["/bin/true"]));
    expect(sandbox.controls).toMatchObject({ kernelSeccomp: "2", kernelNoNewPrivs: "1" });
    expect((await sandbox.done).exit).toBe(0);
  });
});
