/**
 * The gateway that opens TLS, beside squid with ssl-bump and mitmproxy: requests on kept-alive connections, new
 * connections, bulk bytes, memory for a lane, and the time of a decision. The proxy has one core, client and server the
 * other; every round measures all of them in turn, so that they meet the same machine. CPU time stands beside the wall's
 * figures: it still says something where others use the machine too. With `--ahead` everything that is measured runs in
 * short turns before all other processes, with pauses as long for them.
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canonicalRequest } from "../src/policy/canonical-request.ts";
import { compileRules } from "../src/policy/decide.ts";
import { collectGarbage } from "./gateway-inspect.ts";
import type { LoadRequest, LoadResult } from "./gateway-load.ts";
import {
  Children,
  certificates,
  cpuTime,
  installed,
  message,
  type Ours,
  type Peer,
  privateBytes,
  putAhead,
  startEnds,
  startMitmproxy,
  startOurs,
  startSquid,
} from "./gateway-peers.ts";
import { type Figure, median, printFigures, sideBySide } from "./measure.ts";

/** Rounds, and milliseconds of one measurement in one round. */
const rounds = 5;
const time = 1000;
/** Requests after which a proxy is warm (compilers of code have done their work), or milliseconds. */
const warmRequests = 25_000;
const warmTime = 8_000;
/** New connections in one measurement. */
const connects = 30;
/** How often a broken measurement is made again before the whole is given up. */
const retries = 3;
/** Lanes for the memory of one, and requests made in each. */
const lanes = 50;
const laneRequests = 20;

const ahead = process.argv.includes("--ahead");

/** What is measured, by the name of its figure. */
const metrics = {
  rate: { name: "intercepted requests of 1 KB, 16 connections", unit: "/s", more: true },
  cpu: { name: "CPU time of such a request", unit: "µs", more: false },
  all: { name: "the same, with the daemon that records it", unit: "µs", more: false },
  p50: { name: "latency of such a request, median", unit: "µs", more: false },
  p99: { name: "latency of such a request, 99th percentile", unit: "µs", more: false },
  bulk: { name: "bulk, one connection", unit: "MB/s", more: true },
  bulkCpu: { name: "CPU time of a bulk megabyte", unit: "µs", more: false },
  connect: { name: "new connection and first answer", unit: "ms", more: false },
  fresh: { name: "TLS handshake for a name not seen before", unit: "ms", more: false },
} as const;
type Metric = keyof typeof metrics;

interface Bench {
  loader: ChildProcess;
  server: ChildProcess;
  authority: string;
  samples: Map<string, Map<Metric, number[]>>;
  /** Shares of their core that client and server used while requests were measured, by peer. */
  busy: Map<string, number[]>;
  tls: Map<string, string>;
  retried: string[];
  nextName: number;
}

async function load(bench: Bench, peer: Peer, spec: Partial<LoadRequest>): Promise<LoadResult> {
  const { loader, authority, retried } = bench;
  for (let turn = 1; ; turn++) {
    const pids = [loader.pid, bench.server.pid, peer.pid, peer.recorder].flatMap((pid) => (pid ? [pid] : []));
    const begun = performance.now();
    if (ahead) putAhead(pids, true);
    loader.send({ proxy: peer.proxy, ca: peer.ca, authority, connections: 16, time, mode: "requests", ...spec });
    const { result, error } = await message<{ result?: LoadResult; error?: string }>(loader).finally(() => {
      if (ahead) putAhead(pids, false);
    });
    if (ahead) await new Promise((resolve) => setTimeout(resolve, performance.now() - begun));
    if (result) return result;
    const what = `${spec.mode ?? "requests"} through ${peer.name}: ${error}`;
    if (turn >= retries) throw new Error(`${what}, ${turn} times`);
    retried.push(what);
    console.warn(`  RETRIED: ${what}`);
  }
}

async function measure(bench: Bench, peer: Peer): Promise<void> {
  const of = bench.samples.get(peer.name) ?? new Map<Metric, number[]>();
  bench.samples.set(peer.name, of);
  const note = (metric: Metric, value: number) => of.set(metric, [...(of.get(metric) ?? []), value]);
  const { loader, server } = bench;
  const ends = () => cpuTime(loader.pid ?? 0) + cpuTime(server.pid ?? 0);
  const used = () => (peer.proxy === undefined ? 0 : cpuTime(peer.pid));
  const daemon = () => (peer.recorder === undefined ? 0 : cpuTime(peer.recorder));

  let [cpu, other, recorded, begun] = [used(), ends(), daemon(), performance.now()];
  const requests = await load(bench, peer, {});
  const wall = (performance.now() - begun) / (ahead ? 2 : 1);
  bench.tls.set(peer.name, requests.tls);
  bench.busy.set(peer.name, [...(bench.busy.get(peer.name) ?? []), (ends() - other) / wall]);
  const own = ((used() - cpu) * 1000) / requests.asked;
  note("rate", requests.requests / requests.seconds);
  note("cpu", own);
  note("all", own + ((daemon() - recorded) * 1000) / requests.asked);
  note("p50", requests.p50);
  note("p99", requests.p99);

  cpu = used();
  const bulk = await load(bench, peer, { mode: "bulk", connections: 1 });
  note("bulk", bulk.bytes / bulk.seconds / 1e6);
  note("bulkCpu", ((used() - cpu) * 1000) / (bulk.carried / 1e6));
  if (peer.proxy === undefined) return;
  note("connect", (await load(bench, peer, { mode: "connects", count: connects })).p50 / 1000);
  const fresh = await load(bench, peer, { mode: "connects", count: connects, fresh: bench.nextName });
  bench.nextName += connects;
  note("fresh", fresh.p50 / 1000);
}

async function warm(bench: Bench, peer: Peer): Promise<void> {
  const until = performance.now() + warmTime;
  for (let asked = 0; asked < warmRequests && performance.now() < until; ) {
    asked += (await load(bench, peer, { time: 1000 })).asked;
  }
}

/** All figures of the gateway. */
export async function gatewayFigures(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-bench-gateway-"));
  const children = new Children();
  let ours: Ours | undefined;
  try {
    const made = certificates(directory);
    const { port, loader, server } = await startEnds(made, children);
    const bench: Bench = {
      loader,
      server,
      authority: `localhost:${port}`,
      samples: new Map(),
      busy: new Map(),
      tls: new Map(),
      retried: [],
      nextName: 0,
    };
    console.warn("  gateway: memory of lanes");
    const memory = await memoryFigure(bench, directory, made, port);

    ours = await startOurs(directory, made, port);
    const plain = await ours.lane(0);
    const masking = await ours.lane(1, true);
    const others: Peer[] = [];
    if (installed("squid", "squid-openssl")) others.push(await startSquid(directory, made, children));
    if (installed("mitmdump", "mitmproxy")) others.push(await startMitmproxy(directory, made, children));
    const direct: Peer = { name: "no proxy", proxy: undefined, ca: others[0]?.ca ?? made.authority, pid: 0 };

    const all = [plain, masking, ...others, direct];
    console.warn("  gateway: warming");
    for (const peer of all) await warm(bench, peer);
    for (let round = 1; round <= rounds; round++) {
      console.warn(`  gateway: round ${round} of ${rounds}`);
      for (const peer of all) await measure(bench, peer);
    }
    await notes(bench, all);

    const figures = others.flatMap((other) => compare(bench, plain, other));
    const [squid] = others;
    if (squid) figures.push(...compare(bench, masking, squid, ["rate", "cpu", "p99", "bulk"]));
    return [...figures, memory, await decisionFigure()];
  } finally {
    await ours?.stop();
    children.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

function compare(
  { samples }: Bench,
  ours: Peer,
  theirs: Peer,
  which: readonly Metric[] = Object.keys(metrics) as Metric[],
): Figure[] {
  return which.map((metric) => {
    const { name, unit, more } = metrics[metric];
    const own = samples.get(ours.name)?.get(metric) ?? [];
    const other = samples.get(theirs.name)?.get(metric) ?? [];
    return {
      name: ours.recorder !== undefined && ours.name !== "ours" ? `${name} (${ours.name})` : name,
      unit,
      ours: median(own),
      p95: Math.max(...own),
      peer: theirs.name,
      theirs: median(other),
      ratio: median(own) / median(other),
      runs: own.length,
      more,
    };
  });
}

/** What a reader must know to believe the figures. */
async function notes(bench: Bench, peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) {
    const busy = Math.round(median(bench.busy.get(peer.name) ?? []) * 100);
    const of = bench.samples.get(peer.name);
    const rate = Math.round(median(of?.get("rate") ?? []));
    console.warn(
      `  (${peer.name}: ${rate} requests/s, ${bench.tls.get(peer.name)}; client and server used ${busy} % of a core)`,
    );
    if (busy > 90 && peer.proxy !== undefined)
      console.warn("  THE LOAD WAS THE LIMIT: the rate above is a lower bound");
  }
  bench.server.send("tls");
  const { tls } = await message<{ tls: string[] }>(bench.server);
  console.warn(`  (towards the server: ${tls.join(", ")}; ${bench.retried.length} measurements were retried)`);
}

/** What a lane adds that was used and is idle: the slope over fifty of them, after the garbage is collected. */
async function memoryFigure(
  bench: Bench,
  directory: string,
  made: ReturnType<typeof certificates>,
  port: number,
): Promise<Figure> {
  const home = join(directory, "memory");
  mkdirSync(home);
  const ours = await startOurs(home, made, port);
  try {
    const { pid } = ours.gateway;
    const points: { lanes: number; bytes: number }[] = [];
    for (let number = 0; number <= lanes; number++) {
      if (number % 10 === 0) {
        await collectGarbage(ours);
        points.push({ lanes: number, bytes: privateBytes(pid) });
      }
      if (number === lanes) break;
      const lane = await ours.lane(number);
      await load(bench, lane, { mode: "connects", count: laneRequests });
    }
    const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    const [x, y] = [mean(points.map((one) => one.lanes)), mean(points.map((one) => one.bytes))];
    const covariance = mean(points.map((one) => (one.lanes - x) * (one.bytes - y)));
    const slope = covariance / mean(points.map((one) => (one.lanes - x) ** 2)) / 2 ** 20;
    const first = (points[0]?.bytes ?? Number.NaN) / 2 ** 20;
    return {
      name: `memory of a lane, used and idle (slope over ${lanes})`,
      unit: "MiB",
      ours: slope,
      p95: slope,
      peer: "the gateway without a lane",
      theirs: first,
      ratio: slope / first,
      runs: points.length,
      more: false,
    };
  } finally {
    await ours.stop();
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
    { name: "a decision with 1,000 rules", unit: "µs", peer: "the same with one rule", runs: rounds },
    each(many, 1000),
    each(few, 1),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printFigures(await gatewayFigures());
