/** The daemon under a service manager: its words to it, the socket that it is handed, and what no child of it has. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { program, root, run } from "../e2e/cli.ts";
import { openHost } from "../e2e/daemon.ts";
import { leftovers, processesOf, until } from "../e2e/leftovers.ts";

const directory = mkdtempSync(join(tmpdir(), "sp-unit-"));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});
const units = ["sallyport.service", "sallyport.socket"];
const unit = readFileSync(join(root, "packaging/systemd/sallyport.service"), "utf8");

it("the units are valid, and expose no more than they did", () => {
  for (const name of units) {
    const text = readFileSync(join(root, "packaging/systemd", name), "utf8").replaceAll("@SALLYPORT@", "/bin/true");
    writeFileSync(join(directory, name), text);
  }
  const paths = units.map((name) => join(directory, name));
  const said = execFileSync("systemd-analyze", ["verify", "--man=no", ...paths], { encoding: "utf8", stdio: "pipe" });
  expect(said).toBe("");
  const judged = execFileSync("systemd-analyze", ["security", "--offline=true", "--no-pager", paths[0] ?? ""], {
    encoding: "utf8",
  });
  const exposure = Number(/exposure level for sallyport\.service: ([\d.]+)/.exec(judged)?.[1]);
  expect(exposure).toBeLessThanOrEqual(5.7);
  // The broken twin: without its system call filter it is worse, so the bound above says something.
  writeFileSync(
    paths[0] ?? "",
    readFileSync(paths[0] ?? "", "utf8").replace(/^(SystemCall|Capability|DevicePolicy).*$/gm, ""),
  );
  const worse = execFileSync("systemd-analyze", ["security", "--offline=true", "--no-pager", paths[0] ?? ""], {
    encoding: "utf8",
  });
  expect(Number(/exposure level for sallyport\.service: ([\d.]+)/.exec(worse)?.[1])).toBeGreaterThan(5.7);
});

it("no directive gives the daemon a mount namespace of its own", () => {
  const own =
    /^(?:PrivateTmp|PrivateDevices|PrivateMounts|ProtectSystem|ProtectHome|ProtectProc|ProcSubset|ProtectKernel\w+|ProtectControlGroups|Read(?:Write|Only)Paths|InaccessiblePaths|MountFlags|BindPaths|RootDirectory|TemporaryFileSystem|DynamicUser)=/m;
  expect(unit).not.toMatch(own);
  expect("PrivateTmp=yes").toMatch(own);
});

it("a delegation runs and lands with the unit's capabilities and no others", { timeout: 300_000 }, async () => {
  const names = [...unit.matchAll(/^CapabilityBoundingSet=(.*)$/gm)].flatMap(([, line]) => (line ?? "").split(" "));
  const bounding = ["-all", ...names.map((name) => `+${name.slice("CAP_".length).toLowerCase()}`)].join(",");
  const confined = join(directory, "confined");
  const options = `--no-new-privs --bounding-set=${bounding} --inh-caps=-all`;
  writeFileSync(confined, `#!/bin/sh\nexec setpriv ${options} -- ${program} "$@"\n`, { mode: 0o755 });
  const host = await openHost({ program: confined });
  try {
    const status = readFileSync(`/proc/${host.pid}/status`, "utf8");
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).not.toMatch(/^CapEff:\s+000001ffffffffff$/m);
    const record = await host.turn(host.repository());
    expect(record.state).toBe("approved");
    expect((await host.cli("land", record.id)).code).toBe(0);
  } finally {
    await host.close();
  }
});

it("takes the socket it is handed, says that it is ready, alive and ending, and gives none of it to a child", {
  timeout: 240_000,
}, async () => {
  const state = join(directory, "s");
  execFileSync("mkdir", ["-m", "700", state]);
  const [socket, notify, heard] = [join(state, "host.sock"), join(directory, "notify"), join(directory, "heard")];
  const ear = spawn("socat", ["-u", `UNIX-RECV:${notify},mode=600`, `CREATE:${heard}`], { stdio: "ignore" });
  started.push(ear);
  await until("the listener", () => statSync(notify, { throwIfNoEntry: false })?.isSocket(), 20);
  const log = join(directory, "log");
  const daemon = spawn(
    "systemd-socket-activate",
    [
      "--listen",
      socket,
      "-E",
      "NOTIFY_SOCKET",
      "-E",
      "WATCHDOG_USEC",
      "-E",
      "SALLYPORT_LOG_FILE",
      "-E",
      "PATH",
      "-E",
      "HOME",
      program,
      "daemon",
      "--state",
      state,
    ],
    {
      env: { ...process.env, NOTIFY_SOCKET: notify, WATCHDOG_USEC: "2000000", SALLYPORT_LOG_FILE: log },
      stdio: "ignore",
    },
  );
  started.push(daemon);
  await until("the socket", () => statSync(socket, { throwIfNoEntry: false })?.isSocket(), 20);
  // The first word on the socket starts it; that word is answered.
  const inode = statSync(socket).ino;
  const first = await run(["gate", "status", "--json"], { env: { SALLYPORT_STATE: state }, seconds: 120 });
  expect(first.code, first.stderr).toBe(0);
  expect(statSync(socket).ino).toBe(inode);
  const words = () => readFileSync(heard, "utf8");
  await until("READY", () => words().includes("READY=1"), 30);
  await until("a sign of life", () => words().includes("WATCHDOG=1"), 30);

  for (const { pid } of processesOf(state).filter(({ pid }) => pid !== daemon.pid)) {
    const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
    expect(environment).not.toMatch(/NOTIFY_SOCKET|LISTEN_FDS|WATCHDOG_USEC/);
    const inherited = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
    const listening = /^\S+: \S+ \S+ \S+ \S+ \S+ (\d+) (\S+)$/;
    const own = readFileSync("/proc/net/unix", "utf8")
      .split("\n")
      .map((line) => listening.exec(line.replace(/\s+/g, " ")))
      .find((found) => found?.[2] === socket)?.[1];
    expect(inherited).not.toContain(`socket:[${own}]`);
  }

  // A rotated log is opened again.
  execFileSync("mv", [log, `${log}.1`]);
  daemon.kill("SIGHUP");
  await until("a new log", () => statSync(log, { throwIfNoEntry: false })?.isFile(), 20);

  const drained = await run(["drain", "--json"], { env: { SALLYPORT_STATE: state }, seconds: 60 });
  await until("its end", () => daemon.exitCode !== null || daemon.signalCode !== null, 100);
  expect(daemon.exitCode, drained.stderr).toBe(0);
  expect(words()).toContain("STOPPING=1");
  // The socket is the manager's: it stays, for the next start.
  expect(statSync(socket).ino).toBe(inode);
  expect(statSync(log).mode & 0o777).toBe(0o600);
  await until("nothing left", () => leftovers(state).length === 0, 20);
});

it("refuses a socket of another path than its own", { timeout: 120_000 }, async () => {
  const state = join(directory, "t");
  execFileSync("mkdir", ["-m", "700", state]);
  const socket = join(directory, "other.sock");
  const said = join(directory, "said");
  const daemon = spawn(
    "sh",
    [
      "-c",
      `exec systemd-socket-activate --listen ${socket} -E PATH -E HOME ${program} daemon --state ${state} 2>${said}`,
    ],
    { stdio: "ignore" },
  );
  started.push(daemon);
  await until("the socket", () => statSync(socket, { throwIfNoEntry: false })?.isSocket(), 20);
  await run(["gate", "status"], { env: { SALLYPORT_STATE: state, SALLYPORT_SOCKET: socket }, seconds: 60 });
  await until("its end", () => daemon.exitCode !== null, 100);
  expect(daemon.exitCode).toBe(6);
  expect(readFileSync(said, "utf8")).toContain("host-busy");
  await until("nothing left", () => leftovers(state).length === 0, 20);
});
