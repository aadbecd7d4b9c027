/** The process itself: what it may not do, and what happens when it or its daemon goes. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createUnixServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findPrivileges, readStatus } from "../../src/gateway/privileges.ts";
import { startGateway } from "../../src/gateway/process.ts";
import { dial, loopback, proxied, raw, recorder, sandboxId, startRig, statusOf, until } from "./rig.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const alive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

test("it runs as its own uid, without a capability, in every thread", async () => {
  await using rig = await startRig();
  const { pid } = rig.gateway;
  const tasks = readdirSync(`/proc/${pid}/task`);
  expect(tasks.length).toBeGreaterThan(1);
  for (const task of tasks) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t10002\t10002\t10002\t10002$/m);
    expect(status).toMatch(/^Gid:\t10002\t10002\t10002\t10002$/m);
    expect(status).toMatch(/^Groups:\s*$/m);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
      expect(status).toMatch(new RegExp(`^${set}:\t0000000000000000$`, "m"));
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  }
  expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max core file size\s+0\s+0/m);
  // Nothing of the daemon's environment but what it needs, and no argument that says more than ids.
  const environment = readFileSync(`/proc/${pid}/environ`, "utf8")
    .split("\0")
    .map((entry) => entry.split("=")[0])
    .filter(Boolean);
  const expected = [
    "PATH",
    "UV_THREADPOOL_SIZE",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TZ",
    ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
  ];
  expect(environment.filter((name) => !expected.includes(name ?? ""))).toEqual([]);
});

test("readback names each privilege that is left", () => {
  const clean = new Map(
    Object.entries({
      Uid: "7\t7\t7\t7",
      Gid: "8\t8\t8\t8",
      Groups: "",
      CapInh: "0000",
      CapPrm: "0000",
      CapEff: "0000",
      CapAmb: "0000",
      CapBnd: "00c4",
      NoNewPrivs: "1",
    }),
  );
  expect(findPrivileges(clean, 7, 8)).toEqual([]);
  for (const [field, value] of Object.entries({
    Uid: "7\t0\t7\t7",
    Gid: "8\t8\t0\t8",
    Groups: "0",
    CapInh: "1",
    CapPrm: "4",
    CapEff: "80",
    CapAmb: "1",
    CapBnd: "1ffffffffff",
    NoNewPrivs: "0",
  })) {
    expect(findPrivileges(new Map([...clean, [field, value]]), 7, 8)).toHaveLength(1);
  }
  expect(findPrivileges(readStatus("self"), 7, 8).length).toBeGreaterThan(3);
});

test("it serves from a checkout that its uid cannot read", async () => {
  const home = mkdtempSync(join(tmpdir(), "gateway-home-"));
  let child: ChildProcess | undefined;
  try {
    mkdirSync(join(home, "src"));
    for (const folder of ["domain", "policy", "secrets", "gateway"])
      cpSync(join(root, "src", folder), join(home, "src", folder), { recursive: true });
    writeFileSync(join(home, "package.json"), '{"type":"module"}');
    cpSync(join(root, "node_modules"), join(home, "node_modules"), {
      recursive: true,
      filter: (source) =>
        source === join(root, "node_modules") ||
        /node_modules\/(undici|zod|ipaddr\.js|picomatch|canonicalize|@peculiar|asn1js|pvtsutils|pvutils|tslib|tsyringe|reflect-metadata|bytestreamjs)(\/|$)/.test(
          source,
        ),
    });
    await using server = await recorder();
    const sockets = join(home, "sockets");
    child = startParent(sockets, join(home, "src/gateway/process.ts"), server.port);
    const { pid, socket } = await readParent(child);
    expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\t10002/m);
    expect(statusOf(await raw(socket, proxied(server.port)))).toBe(200);
    expect(
      statusOf(
        await raw(socket, `${proxied(server.port, "/", "POST", "Transfer-Encoding: chunked\r\n")}1\r\na\r\n0\r\n\r\n`),
      ),
    ).toBe(200);
    expect(statusOf(await raw(socket, proxied(1)))).toBe(403);
    expect(statusOf(await raw(socket, `CONNECT evil.example:443 HTTP/1.1\r\n\r\n`))).toBe(403);
  } finally {
    child?.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true });
  }
}, 30_000);

test("a lane's directory holds exactly its socket, which another uid can connect to and not replace", async () => {
  await using rig = await startRig();
  const socket = await rig.lane({});
  expect(readdirSync(dirname(socket)).sort()).toEqual(["ca.pem", "host.sock"]);
  expect(lstatSync(socket).mode & 0o7777).toBe(0o666);
  expect(lstatSync(dirname(socket)).mode & 0o7777).toBe(0o755);
  // A sandbox is given the directory itself; the state directory above it is nobody's business.
  const given = mkdtempSync(join(tmpdir(), "gateway-given-"));
  try {
    execFileSync("chmod", ["755", given]);
    execFileSync("mount", ["--bind", "-o", "ro", dirname(socket), given]);
    const as = (command: string) =>
      execFileSync(
        "setpriv",
        ["--reuid=10001", "--regid=10001", "--clear-groups", "--inh-caps=-all", "--no-new-privs", "sh", "-c", command],
        { cwd: "/", stdio: ["ignore", "pipe", "pipe"] },
      ).toString();
    const script = `const s=require("net").connect("${given}/host.sock");s.on("connect",()=>{console.log("in");s.destroy()})`;
    writeFileSync(join(rig.directory, "unused"), "");
    expect(statSync(process.execPath).mode & 0o001).toBe(1);
    for (const attack of [
      `rm ${given}/host.sock`,
      `mv ${given}/host.sock ${given}/x`,
      `chmod 600 ${given}/host.sock`,
      `touch ${given}/x`,
      `ln -s x ${given}/y`,
    ]) {
      expect(() => as(attack)).toThrow();
    }
    expect(
      as(
        `command -v socat >/dev/null && echo | socat -t1 - UNIX-CONNECT:${given}/host.sock >/dev/null && echo in || '${nodeForAll()}' -e '${script}'`,
      ).trim(),
    ).toBe("in");
  } finally {
    execFileSync("umount", [given]);
    rmSync(given, { recursive: true, force: true });
  }
});

/** A node that another uid can run, which one below a private home is not. */
function nodeForAll(): string {
  return existsSync("/usr/bin/node") ? "/usr/bin/node" : process.execPath;
}

test("a socket that is not the one that was opened is noticed when the lane is closed", async () => {
  await using rig = await startRig();
  const socket = await rig.lane({});
  const sandbox = socket.split("/").at(-2) ?? "";
  renameSync(socket, `${socket}.old`);
  const impostor = createUnixServer();
  await new Promise<void>((resolve) => impostor.listen(socket, resolve));
  try {
    await expect(rig.gateway.closeLane(sandbox)).rejects.toMatchObject({ code: "gateway-failed" });
  } finally {
    await new Promise((resolve) => impostor.close(resolve));
    rmSync(dirname(socket), { recursive: true, force: true });
  }
  // Twin: the next lane is closed without a word, and leaves nothing.
  const next = await rig.lane({});
  await rig.gateway.closeLane(next.split("/").at(-2) ?? "");
  expect(existsSync(dirname(next))).toBe(false);
});

test("killed, it is noticed; sockets refuse; nothing opens another way out", async () => {
  await using rig = await startRig();
  await using server = await recorder();
  const lane = await rig.lane({ network: [loopback(server.port)] });
  expect(statusOf(await raw(lane, proxied(server.port)))).toBe(200);
  process.kill(rig.gateway.pid, "SIGKILL");
  await until(() => rig.exits.length > 0);
  expect(rig.exits).toEqual([expect.stringContaining("SIGKILL")]);
  expect(await raw(lane, proxied(server.port))).toBe("");
  await expect(rig.lane({})).rejects.toMatchObject({ code: "gateway-failed" });
  expect(server.seen).toHaveLength(1);
  await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  expect(existsSync(dirname(lane))).toBe(false);
});

test("stopped, it is gone, and that is no surprise", async () => {
  const rig = await startRig();
  const { pid } = rig.gateway;
  const lane = await rig.lane({});
  await rig[Symbol.asyncDispose]();
  expect(alive(pid)).toBe(false);
  expect(existsSync(lane)).toBe(false);
  expect(rig.exits).toEqual([]);
});

test("what an earlier process left behind does not stop the next one", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gateway-stale-"));
  const options = {
    directory,
    uid: 10002,
    gid: 10002,
    onRequest: () => undefined,
    onVerb: async () => ({ status: 200, body: null }),
    onExit: () => undefined,
  };
  const spec = { sandbox: sandboxId(), role: "executor" as const, network: [], models: {}, requests: 1, verbs: [] };
  try {
    const first = await startGateway(options);
    await first.openLane(spec);
    process.kill(first.pid, "SIGKILL");
    await until(() => !alive(first.pid));
    const second = await startGateway(options);
    try {
      const { directory: opened } = await second.openLane(spec);
      expect(statusOf(await raw(join(opened, "host.sock"), "GET / HTTP/1.1\r\nHost: sallyport\r\n\r\n"))).toBe(404);
    } finally {
      await second.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a directory that is a link, and the root user, are refused", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gateway-link-"));
  const options = {
    uid: 10002,
    gid: 10002,
    onRequest: () => undefined,
    onVerb: async () => ({ status: 200, body: null }),
    onExit: () => undefined,
  };
  try {
    mkdirSync(join(directory, "real"));
    symlinkSync("real", join(directory, "link"));
    await expect(startGateway({ ...options, directory: join(directory, "link") })).rejects.toMatchObject({
      code: "gateway-failed",
    });
    await expect(startGateway({ ...options, uid: 0, directory: join(directory, "real") })).rejects.toMatchObject({
      code: "gateway-failed",
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a lane with an id, rule or verb that is not one is not opened", async () => {
  await using rig = await startRig();
  const bad: object[] = [
    { sandbox: "../../etc" },
    { sandbox: "s-short" },
    { requests: -1 },
    { requests: 1.5 },
    { verbs: ["land"] },
    { role: "root" },
    { network: [{ host: "" }] },
    { network: [{ host: "example.org", unknown: 1 }] },
    { models: { x: { base: "nonsense" } } },
  ];
  for (const spec of bad)
    await expect(rig.lane(spec), JSON.stringify(spec)).rejects.toMatchObject({ code: "gateway-failed" });
  const path = await rig.lane({});
  await expect(rig.lane({ sandbox: path.split("/").at(-2) ?? "" })).rejects.toThrow("already");
});

test("when its daemon is killed it ends within two seconds, and connections with it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gateway-orphan-"));
  await using server = await recorder((_, response) => void response.write("begun"));
  const parent = startParent(directory, join(root, "src/gateway/process.ts"), server.port);
  try {
    const { pid, socket } = await readParent(parent);
    const open = dial(socket);
    open.socket.write(proxied(server.port));
    await until(() => open.text().includes("begun"));
    parent.kill("SIGKILL");
    await until(() => !alive(pid), 2000);
    await open.closed;
    expect(await raw(socket, proxied(server.port))).toBe("");
  } finally {
    parent.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}, 20_000);

/** A process of its own that starts a gateway with one lane, and says its pid and socket. */
function startParent(directory: string, module: string, port: number, requests = 100): ChildProcess {
  const program = `
    const { startGateway } = await import(${JSON.stringify(module)});
    const gateway = await startGateway({ directory: ${JSON.stringify(directory)}, uid: 10002, gid: 10002,
      onRequest() {}, onVerb: async () => ({ status: 200, body: null }), onExit() {} });
    const lane = await gateway.openLane({ sandbox: "s-${"p".repeat(16)}", role: "executor", models: {}, requests: ${requests}, verbs: [],
      network: [{ host: "127.0.0.1", port: ${port}, addresses: ["127.0.0.1"] }] });
    console.log(JSON.stringify({ pid: gateway.pid, socket: lane.directory + "/host.sock" }));
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
}

function readParent(parent: ChildProcess): Promise<{ pid: number; socket: string }> {
  return new Promise((resolve, reject) => {
    let text = "";
    parent.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) resolve(JSON.parse(text));
    });
    parent.once("exit", (code) => reject(new Error(`the parent ended with ${code}`)));
  });
}

test("a hundred lanes come and go without leaving a descriptor", async () => {
  await using rig = await startRig();
  await using server = await recorder();
  const descriptors = () =>
    readdirSync(`/proc/${rig.gateway.pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${rig.gateway.pid}/fd/${fd}`).split(":")[0];
      } catch {
        return "gone";
      }
    }).length;
  const round = async () => {
    const lane = await rig.lane({ network: [loopback(server.port)] });
    expect(statusOf(await raw(lane, proxied(server.port), 5))).toBe(200);
    await rig.gateway.closeLane(lane.split("/").at(-2) ?? "");
  };
  await round();
  const before = descriptors();
  for (let turn = 0; turn < 100; turn++) await round();
  await until(() => descriptors() <= before + 1);
}, 30_000);

test("while its daemon does not read, nothing is decided that could not be recorded", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gateway-slow-"));
  await using server = await recorder();
  const parent = startParent(directory, join(root, "src/gateway/process.ts"), server.port, 10_000);
  try {
    const { pid, socket } = await readParent(parent);
    parent.kill("SIGSTOP");
    const total = 4000;
    let answered = 0;
    const clients = Array.from({ length: 20 }, async () => {
      const { socket: wire, text } = dial(socket);
      for (let call = 1; call <= total / 20; call++) {
        wire.write(proxied(1));
        await until(() => text().split('"code":').length === call + 1, 25_000);
        answered += 1;
      }
      wire.destroy();
    });
    let last = -1;
    while (answered !== last || answered === 0) {
      last = answered;
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    expect(answered).toBeGreaterThan(999);
    expect(answered).toBeLessThan(total);
    expect(alive(pid)).toBe(true);
    parent.kill("SIGCONT");
    await Promise.all(clients);
    expect(answered).toBe(total);
  } finally {
    parent.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);
