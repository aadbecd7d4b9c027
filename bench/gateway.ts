/**
 * The gateway that opens TLS, beside squid with ssl-bump and mitmproxy: requests on kept-alive connections, new
 * connections with a certificate not made before, bulk bytes, memory for a lane, and the time of a decision. The proxy has
 * one core, client and server the other; the sides are measured in turn.
 */
import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { delegationIdFrom } from "../src/domain/identity.ts";
import { type Gateway, type LaneSpec, startGateway } from "../src/gateway/process.ts";
import { canonicalRequest } from "../src/policy/canonical-request.ts";
import { compileRules } from "../src/policy/decide.ts";
import type { LoadRequest, LoadResult } from "./gateway-load.ts";
import { type Figure, median, sideBySide } from "./measure.ts";

const program = fileURLToPath(new URL("gateway-load.ts", import.meta.url));
const runs = 5;
const time = 2000;

interface Peer {
  name: string;
  proxy: string | number;
  ca: string;
  pid: () => number;
}

/** All processes of this benchmark, ended when it is over, however it ends. */
class Children {
  readonly all: ChildProcess[] = [];
  add<T extends ChildProcess>(child: T): T {
    this.all.push(child);
    return child;
  }
  end(): void {
    for (const child of this.all) child.kill("SIGKILL");
  }
}

/** The next message of a child; rejects when it ends instead. */
function message<T>(child: ChildProcess): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const left = (code: number | null) => reject(new Error(`ended with ${code}`));
  child.once("exit", left);
  child.once("message", (value) => resolve(value as T));
  return promise.finally(() => child.off("exit", left));
}

function onCore(core: number, pid: number | undefined): void {
  execFileSync("taskset", ["-a", "-p", "-c", String(core), String(pid)], { stdio: "ignore" });
}

function installed(name: string, packages: string): boolean {
  const there = () => {
    try {
      execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  };
  if (there()) return true;
  if (process.getuid?.() === 0) {
    try {
      const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
      execFileSync("apt-get", ["install", "-y", "--no-install-recommends", packages], {
        stdio: "ignore",
        env: environment,
        timeout: 300_000,
      });
    } catch {
      // Said below.
    }
  }
  if (!there()) console.warn(`SKIPPED: ${name} is not here (apt-get install ${packages}); its figures are missing`);
  return there();
}

function certificates(directory: string): { ca: string; pem: string; key: string; cert: string } {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
  openssl(
    "req",
    "-x509",
    ...curve,
    "-days",
    "2",
    "-subj",
    "/CN=bench",
    ...extensions,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  );
  openssl("req", "-new", ...curve, "-subj", "/CN=localhost", "-keyout", "leaf.key", "-out", "leaf.csr");
  writeFileSync(join(directory, "names"), "subjectAltName=DNS:localhost\n");
  openssl(
    "x509",
    "-req",
    "-in",
    "leaf.csr",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    "names",
    "-out",
    "leaf.crt",
  );
  const at = (name: string) => join(directory, name);
  return { ca: at("ca.key"), pem: at("ca.pem"), key: at("leaf.key"), cert: at("leaf.crt") };
}

async function reachable(port: number, child: ChildProcess): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (child.exitCode !== null) throw new Error(`the peer ended with ${child.exitCode}`);
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false));
      setTimeout(() => socket.destroy(), 50);
    });
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the peer did not start");
}

const freePort = () => 20_000 + Math.floor(Math.random() * 10_000);

async function startSquid(directory: string, pem: string, key: string, children: Children): Promise<Peer> {
  const port = freePort();
  const home = join(directory, "squid");
  mkdirSync(home);
  chmodSync(directory, 0o755);
  const certgen = "/usr/lib/squid/security_file_certgen";
  execFileSync(certgen, ["-c", "-s", join(home, "certs"), "-M", "16MB"], { stdio: "ignore" });
  writeFileSync(join(home, "signer.pem"), readFileSync(pem, "utf8") + readFileSync(key, "utf8"));
  const configuration = `
http_port 127.0.0.1:${port} ssl-bump tls-cert=${home}/signer.pem generate-host-certificates=on dynamic_cert_mem_cache_size=16MB
sslcrtd_program ${certgen} -s ${home}/certs -M 16MB
sslcrtd_children 2 startup=2 idle=1
ssl_bump bump all
tls_outgoing_options cafile=${pem}
http_access allow all
cache deny all
cache_mem 0
access_log none
cache_log ${home}/cache.log
pid_filename ${home}/squid.pid
coredump_dir ${home}
shutdown_lifetime 0 seconds
client_db off
pinger_enable off
hosts_file ${home}/hosts
`;
  const names = Array.from({ length: 2000 }, (_, index) => `127.0.0.1 h${index}.bench.invalid`);
  writeFileSync(join(home, "hosts"), ["127.0.0.1 localhost", ...names, ""].join("\n"));
  writeFileSync(join(home, "squid.conf"), configuration);
  execFileSync("chown", ["-R", "proxy:proxy", home]);
  const child = children.add(spawn("squid", ["-N", "-f", join(home, "squid.conf")], { stdio: "ignore" }));
  await reachable(port, child);
  onCore(0, child.pid);
  return { name: "squid ssl-bump", proxy: port, ca: readFileSync(pem, "utf8"), pid: () => child.pid ?? 0 };
}

async function startMitmproxy(directory: string, pem: string, key: string, children: Children): Promise<Peer> {
  const port = freePort();
  const home = join(directory, "mitmproxy");
  mkdirSync(home);
  writeFileSync(join(home, "mitmproxy-ca.pem"), readFileSync(key, "utf8") + readFileSync(pem, "utf8"));
  const set = (option: string) => ["--set", option];
  const child = children.add(
    spawn(
      "mitmdump",
      [
        "-q",
        "--listen-host",
        "127.0.0.1",
        "-p",
        String(port),
        ...set(`confdir=${home}`),
        ...set(`ssl_verify_upstream_trusted_ca=${pem}`),
        ...set("stream_large_bodies=1"),
        ...set("flow_detail=0"),
        ...set("connection_strategy=lazy"),
      ],
      { stdio: "ignore" },
    ),
  );
  await reachable(port, child);
  onCore(0, child.pid);
  return { name: "mitmproxy, streaming", proxy: port, ca: readFileSync(pem, "utf8"), pid: () => child.pid ?? 0 };
}

/** Resident MiB of a process. */
const memory = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Milliseconds of CPU that a process has used, in all its threads. */
function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function laneFor(port: number, number: number): LaneSpec {
  const addresses = ["127.0.0.1", "::1"];
  const bytes = Buffer.alloc(10);
  bytes.writeUInt32BE(number, 6);
  return {
    sandbox: `s-${delegationIdFrom(bytes).slice(2)}`,
    role: "executor",
    network: [
      { host: "localhost", port, methods: ["GET"], paths: ["/**"], addresses },
      { host: "*.bench.invalid", port, methods: ["GET"], paths: ["/**"], addresses },
    ],
    models: {},
    requests: 1_000_000_000,
    verbs: [],
  };
}

async function measured(loader: ChildProcess, spec: LoadRequest): Promise<LoadResult> {
  loader.send(spec);
  const { result, error } = await message<{ result?: LoadResult; error?: string }>(loader);
  if (!result) throw new Error(`the load failed: ${error}`);
  return result;
}

/** All figures of the gateway. */
export async function gatewayFigures(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-bench-gateway-"));
  const children = new Children();
  const before = process.env.NODE_EXTRA_CA_CERTS;
  let gateway: Gateway | undefined;
  try {
    const { ca, pem, key, cert } = certificates(directory);
    const upstream = children.add(fork(program, ["serve", key, cert], { execArgv: [] }));
    const { port } = await message<{ port: number }>(upstream);
    const loader = children.add(fork(program, ["load"], { execArgv: [] }));
    onCore(1, upstream.pid);
    onCore(1, loader.pid);

    process.env.NODE_EXTRA_CA_CERTS = pem;
    const sockets = join(directory, "sockets");
    gateway = await startGateway({
      directory: sockets,
      uid: 10002,
      gid: 10002,
      onRequest: () => undefined,
      onVerb: async () => ({ status: 200, body: null }),
      onExit: (reason) => console.warn(`the gateway ended: ${reason}`),
    });
    const { pid } = gateway;
    onCore(0, pid);
    const idle = memory(pid);
    const { directory: lane } = await gateway.openLane(laneFor(port, 0));
    const one = memory(pid);
    const ours: Peer = {
      name: "ours",
      proxy: join(lane, "host.sock"),
      ca: readFileSync(join(lane, "ca.pem"), "utf8"),
      pid: () => pid,
    };
    const peers: Peer[] = [];
    if (installed("squid", "squid-openssl")) peers.push(await startSquid(directory, pem, ca, children));
    if (installed("mitmdump", "mitmproxy")) peers.push(await startMitmproxy(directory, pem, ca, children));

    const authority = `localhost:${port}`;
    const run = (peer: Peer, spec: Partial<LoadRequest>) =>
      measured(loader, { proxy: peer.proxy, ca: peer.ca, authority, connections: 16, time, mode: "requests", ...spec });
    const figures: Figure[] = [];
    let nextName = 0;
    for (const peer of peers) {
      const p99: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
      const p50: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
      const cpu: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
      const rate = async (side: "ours" | "theirs", from: Peer) => {
        const used = cpuTime(from.pid());
        const result = await run(from, {});
        // What was asked during the warm-up took time too.
        cpu[side].push(((cpuTime(from.pid()) - used) * 1000) / result.asked);
        p50[side].push(result.p50);
        p99[side].push(result.p99);
        return result.requests / result.seconds;
      };
      const about = { peer: peer.name, runs };
      figures.push(
        await sideBySide(
          { ...about, name: "intercepted requests of 1 KB, 16 connections", unit: "/s", more: true },
          () => rate("ours", ours),
          () => rate("theirs", peer),
        ),
      );
      for (const [name, values] of [
        ["latency of such a request, median", p50],
        ["latency of such a request, 99th percentile", p99],
        ["CPU time of such a request", cpu],
      ] as const) {
        const [mine, other] = [median(values.ours), median(values.theirs)];
        figures.push({
          ...about,
          name,
          unit: "µs",
          ours: mine,
          p95: Math.max(...values.ours),
          theirs: other,
          ratio: mine / other,
          more: false,
        });
      }
      const connects = (from: Peer, fresh: boolean) => {
        const first = fresh ? { fresh: nextName } : {};
        nextName += fresh ? 30 : 0;
        return run(from, { mode: "connects", count: 30, ...first }).then((result) => result.p50 / 1000);
      };
      figures.push(
        await sideBySide(
          { ...about, name: "new connection and first answer", unit: "ms" },
          () => connects(ours, false),
          () => connects(peer, false),
        ),
        await sideBySide(
          { ...about, name: "TLS handshake for a name not seen before", unit: "ms" },
          () => connects(ours, true),
          () => connects(peer, true),
        ),
        await sideBySide(
          { ...about, name: "bulk, one connection", unit: "MB/s", more: true },
          () => run(ours, { mode: "bulk", connections: 1 }).then((result) => result.bytes / result.seconds / 1e6),
          () => run(peer, { mode: "bulk", connections: 1 }).then((result) => result.bytes / result.seconds / 1e6),
        ),
        {
          ...about,
          name: "memory after all that",
          unit: "MB",
          ours: memory(pid),
          p95: memory(pid),
          theirs: memory(peer.pid()),
          ratio: memory(pid) / memory(peer.pid()),
          runs: 1,
          more: false,
        },
      );
    }

    for (let number = 1; number < 50; number++) await gateway.openLane(laneFor(port, number));
    const fifty = memory(pid);
    figures.push({
      name: "memory of the gateway with 50 idle lanes",
      unit: "MB",
      ours: fifty,
      p95: fifty,
      peer: "the gateway with one lane",
      theirs: one,
      ratio: fifty / one,
      runs: 1,
      more: false,
    });
    console.warn(`  (the gateway holds ${idle.toFixed(0)} MB before its first lane)`);
    figures.push(await decisionFigure());
    return figures;
  } finally {
    if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
    else process.env.NODE_EXTRA_CA_CERTS = before;
    await gateway?.stop();
    children.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Making a request canonical and deciding it, with 1,000 rules and with one. */
async function decisionFigure(): Promise<Figure> {
  const rulesOf = (count: number) =>
    compileRules(
      Array.from({ length: count }, (_, index) => ({
        host: `host${index}.example.org`,
        methods: ["GET" as const],
        paths: ["/packages/**"],
      })),
    );
  const many = rulesOf(1000);
  const few = rulesOf(1);
  const each = (rules: ReturnType<typeof compileRules>, count: number) => async () => {
    const turns = 20_000;
    const begun = performance.now();
    for (let turn = 0; turn < turns; turn++) {
      const found = canonicalRequest({
        method: "GET",
        url: `https://host${turn % count}.example.org/packages/a/b?c=${turn}`,
      });
      if (!found.ok || !rules.decide(found.request).allow) throw new Error("not allowed");
    }
    return ((performance.now() - begun) * 1000) / turns;
  };
  return sideBySide(
    { name: "a decision with 1,000 rules", unit: "µs", peer: "the same with one rule", runs },
    each(many, 1000),
    each(few, 1),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { printFigures } = await import("./measure.ts");
  printFigures(await gatewayFigures());
}
