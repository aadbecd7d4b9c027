/**
 * The proxies that bench/gateway.ts measures side by side: the gateway with its keeper and a real ledger, Debian's squid
 * with ssl-bump, and mitmproxy. Each is one process on one core; the server and the client share the other.
 */
import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { delegationIdFrom } from "../src/domain/identity.ts";
import type { SecretBinding } from "../src/domain/policy.ts";
import { startKeeper } from "../src/gateway/keeper.ts";
import { type Gateway, type LaneSpec, startGateway } from "../src/gateway/process.ts";
import { bindSecrets } from "../src/gateway/secret-lane.ts";
import { openLedger } from "../src/ledger/open.ts";

/** Cores: a proxy has the first alone, what loads it the second. */
export const proxyCore = 0;
export const loadCore = 1;

/** A way to the server that can be loaded. */
export interface Peer {
  name: string;
  /** A Unix socket's path, a port of loopback, or undefined for no proxy at all. */
  proxy: string | number | undefined;
  /** What a client inside trusts. */
  ca: string;
  pid: number;
  /** The process that records its requests, where that is another. */
  recorder?: number;
}

export interface Certificates {
  ca: string;
  pem: string;
  key: string;
  cert: string;
  /** The authority's certificate itself, as text. */
  authority: string;
}

/** Processes of this benchmark, ended when it is over, however it ends. */
export class Children {
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
export function message<T>(child: ChildProcess): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const left = (code: number | null) => reject(new Error(`ended with ${code}`));
  child.once("exit", left);
  child.once("message", (value) => resolve(value as T));
  return promise.finally(() => child.off("exit", left));
}

export function onCore(core: number, pid: number | undefined): void {
  execFileSync("taskset", ["-a", "-p", "-c", String(core), String(pid)], { stdio: "ignore" });
}

/**
 * Puts processes before all others of the machine (round robin in real time), or back among them. Where others use the
 * machine too, their caches and queues are most of what would be measured otherwise.
 */
export function putAhead(pids: readonly number[], ahead: boolean): void {
  const scheduler = ahead ? ["--rr", "--pid", "1"] : ["--other", "--pid", "0"];
  for (const pid of pids) execFileSync("chrt", ["--all-tasks", ...scheduler, String(pid)], { stdio: "ignore" });
}

/** An authority, and a server's certificate for `localhost` by it. */
export function certificates(directory: string): Certificates {
  const openssl = (line: string) => execFileSync("openssl", line.split(" "), { cwd: directory, stdio: "ignore" });
  const curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
  const extensions = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
  openssl(`req -x509 ${curve} -days 2 -subj /CN=bench ${extensions} -keyout ca.key -out ca.pem`);
  openssl(`req -new ${curve} -subj /CN=localhost -keyout leaf.key -out leaf.csr`);
  writeFileSync(join(directory, "names"), "subjectAltName=DNS:localhost\n");
  openssl("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out leaf.crt");
  const at = (name: string) => join(directory, name);
  const authority = readFileSync(at("ca.pem"), "utf8");
  return { ca: at("ca.key"), pem: at("ca.pem"), key: at("leaf.key"), cert: at("leaf.crt"), authority };
}

/** The server and the client that loads it, both on one core. */
export async function startEnds(
  { key, cert }: Certificates,
  children: Children,
): Promise<{ port: number; loader: ChildProcess; server: ChildProcess }> {
  const program = fileURLToPath(new URL("gateway-load.ts", import.meta.url));
  const server = children.add(fork(program, ["serve", key, cert], { execArgv: [] }));
  const { port } = await message<{ port: number }>(server);
  const loader = children.add(fork(program, ["load"], { execArgv: [] }));
  onCore(loadCore, server.pid);
  onCore(loadCore, loader.pid);
  return { port, loader, server };
}

/** The lane that is measured: one rule, the server's address named, and a secret where masking is to be on. */
export function laneFor(port: number, number: number, secret = false): LaneSpec {
  const addresses = ["127.0.0.1", "::1"];
  const bytes = Buffer.alloc(10);
  bytes.writeUInt32BE(number, 6);
  const network: LaneSpec["network"] = [
    {
      host: "localhost",
      port,
      methods: ["GET"],
      paths: ["/**"],
      addresses,
      ...(secret ? { secret: Object.keys(benchSecrets)[0] ?? "" } : {}),
    },
    { host: "*.bench.invalid", port, methods: ["GET"], paths: ["/**"], addresses },
  ];
  const bound = secret ? bindSecrets(holder, { network, models: {} }, benchSecrets) : undefined;
  return {
    sandbox: `s-${delegationIdFrom(bytes).slice(2)}`,
    role: "executor",
    network,
    models: {},
    requests: 1_000_000_000,
    verbs: [],
    ...(bound ? { secrets: bound.secrets } : {}),
  };
}

const holder = "d-bench";
const variable = "SALLYPORT_BENCH_SECRET";
const benchSecrets: Record<string, SecretBinding> = {
  bench: { from: `env:${variable}`, header: "authorization", form: "Bearer {}" },
};

/** The gateway as the daemon runs it: with a keeper, and every event in a ledger. */
export interface Ours {
  gateway: Gateway;
  /** A lane that can be loaded; with a secret, every answer is searched for it. */
  lane(number: number, secret?: boolean): Promise<Peer>;
  /** Events that have come so far. */
  events(): number;
  /** What the gateway has said on its standard error. */
  words(): string;
  stop(): Promise<void>;
}

export async function startOurs(directory: string, { pem }: Certificates, port: number): Promise<Ours> {
  const before = { ca: process.env.NODE_EXTRA_CA_CERTS, secret: process.env[variable] };
  const restore = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  process.env.NODE_EXTRA_CA_CERTS = pem;
  process.env[variable] = "k3y-of-the-benchmark-0123456789abcdef";
  const keeper = await startKeeper((reason) => console.warn(`the keeper ended: ${reason}`));
  const { privateKey } = generateKeyPairSync("ed25519");
  const ledger = await openLedger({
    directory: join(directory, "ledger"),
    now: () => new Date(),
    sign: (bytes) => ({ keyid: "0".repeat(64), signature: sign(null, bytes, privateKey).toString("base64") }),
  });
  let events = 0;
  let words = "";
  try {
    const gateway = await startGateway({
      directory: join(directory, "sockets"),
      uid: 10002,
      gid: 10002,
      keeper,
      onRequest: (data) => {
        events += 1;
        ledger.record({ type: "request", data });
      },
      log: (line) => {
        words += "text" in line ? String(line.text) : "";
      },
      onVerb: async () => ({ status: 200, body: null }),
      onExit: (reason) => console.warn(`the gateway ended: ${reason}`),
    });
    onCore(proxyCore, gateway.pid);
    onCore(loadCore, process.pid);
    await gateway.holdSecrets(holder, benchSecrets);
    return {
      gateway,
      events: () => events,
      words: () => words,
      async lane(number, secret = false) {
        const { directory: lane } = await gateway.openLane(laneFor(port, number, secret));
        const ca = readFileSync(join(lane, "ca.pem"), "utf8");
        return {
          name: secret ? "ours, masking" : "ours",
          proxy: join(lane, "host.sock"),
          ca,
          pid: gateway.pid,
          recorder: process.pid,
        };
      },
      async stop() {
        await gateway.stop();
        await keeper.stop();
        await ledger.close();
      },
    };
  } catch (error) {
    await keeper.stop();
    await ledger.close();
    throw error;
  } finally {
    restore("NODE_EXTRA_CA_CERTS", before.ca);
    restore(variable, before.secret);
  }
}

/** Whether a peer's program is here; installs it where that can be done, and says what is missing where it cannot. */
export function installed(name: string, packages: string): boolean {
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
      const options = { stdio: "ignore", env: environment, timeout: 300_000 } as const;
      execFileSync("apt-get", ["install", "-y", "--no-install-recommends", packages], options);
    } catch {
      // Said below.
    }
  }
  if (!there()) console.warn(`SKIPPED: ${name} is not here (apt-get install ${packages}); its figures are missing`);
  return there();
}

export async function startSquid(directory: string, { pem, ca: key }: Certificates, children: Children): Promise<Peer> {
  const port = await freePort();
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
  onCore(proxyCore, child.pid);
  return { name: "squid ssl-bump", proxy: port, ca: readFileSync(pem, "utf8"), pid: child.pid ?? 0 };
}

export async function startMitmproxy(
  directory: string,
  { pem, ca: key }: Certificates,
  children: Children,
): Promise<Peer> {
  const port = await freePort();
  const home = join(directory, "mitmproxy");
  mkdirSync(home);
  writeFileSync(join(home, "mitmproxy-ca.pem"), readFileSync(key, "utf8") + readFileSync(pem, "utf8"));
  const set = [
    `confdir=${home}`,
    `ssl_verify_upstream_trusted_ca=${pem}`,
    "stream_large_bodies=1",
    "flow_detail=0",
    "connection_strategy=lazy",
  ].flatMap((option) => ["--set", option]);
  const options = ["-q", "--listen-host", "127.0.0.1", "-p", String(port), ...set];
  const child = children.add(spawn("mitmdump", options, { stdio: "ignore" }));
  await reachable(port, child);
  onCore(proxyCore, child.pid);
  return { name: "mitmproxy, streaming", proxy: port, ca: readFileSync(pem, "utf8"), pid: child.pid ?? 0 };
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

/** A port that nobody had a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof bound === "object" && bound !== null ? bound.port : 0;
}

/** Milliseconds of CPU that a process's threads have used, as the scheduler counts them; its ticks are 10 ms, these are not. */
export function cpuTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((id) =>
    Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** Bytes of a process that are its own: resident, and shared with nobody. */
export function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) * 1024;
  return field("Private_Clean") + field("Private_Dirty");
}
