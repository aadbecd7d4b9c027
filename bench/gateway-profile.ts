/**
 * Where the gateway's time goes: `node bench/gateway-profile.ts [requests|bulk] [seconds] [--secret] [--save FILE]` loads one
 * lane as bench/gateway.ts does, profiles the gateway meanwhile, and prints its self time by module and by function.
 * FILE is for the browser's developer tools.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "./gateway-inspect.ts";
import type { LoadRequest, LoadResult } from "./gateway-load.ts";
import { Children, certificates, cpuTime, message, type Ours, startEnds, startOurs } from "./gateway-peers.ts";

/** Lines of each table. */
const shown = 25;
/** Microseconds between samples. */
const interval = 200;

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

function print(profile: Profile): void {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const byModule = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    const spent = profile.timeDeltas[index] ?? 0;
    if (!frame || frame.functionName === "(idle)") continue;
    busy += spent;
    const file = frame.url.replace(/^.*\/node_modules\//, "").replace(/^.*\/(src\/)/, "$1");
    // What has no file is native: the engine's own work, and calls into TLS and the kernel.
    const module = file === "" ? `native ${frame.functionName}` : file;
    const name = file === "" ? module : `${frame.functionName || "(anonymous)"} ${file}:${frame.lineNumber + 1}`;
    byModule.set(module, (byModule.get(module) ?? 0) + spent);
    byFunction.set(name, (byFunction.get(name) ?? 0) + spent);
  }
  for (const [title, table] of [
    ["module", byModule],
    ["function", byFunction],
  ] as const) {
    console.log(`\nself time by ${title}, of ${(busy / 1e6).toFixed(2)} s busy`);
    const lines = [...table].sort((a, b) => b[1] - a[1]).slice(0, shown);
    for (const [name, spent] of lines) console.log(`${((spent / busy) * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
}

const { argv } = process;
const mode = argv.includes("bulk") ? "bulk" : "requests";
const time = Number(argv.find((one) => /^\d+$/.test(one)) ?? 5) * 1000;
const save = argv.includes("--save") ? argv[argv.indexOf("--save") + 1] : undefined;
const directory = mkdtempSync(join(tmpdir(), "sallyport-profile-"));
const children = new Children();
let ours: Ours | undefined;
try {
  const made = certificates(directory);
  const { port, loader } = await startEnds(made, children);
  ours = await startOurs(directory, made, port);
  const lane = await ours.lane(0, argv.includes("--secret"));
  const connections = mode === "bulk" ? 1 : 16;
  const load = async (milliseconds: number): Promise<LoadResult> => {
    const { proxy, ca } = lane;
    const spec: LoadRequest = { proxy, ca, authority: `localhost:${port}`, connections, time: milliseconds, mode };
    loader.send(spec);
    const { result, error } = await message<{ result?: LoadResult; error?: string }>(loader);
    if (!result) throw new Error(`the load failed: ${error}`);
    return result;
  };
  await load(time);
  const inspector = await inspect(ours);
  await inspector.ask("Profiler.enable");
  await inspector.ask("Profiler.setSamplingInterval", { interval });
  await inspector.ask("Profiler.start");
  const before = cpuTime(lane.pid);
  const result = await load(time);
  const used = cpuTime(lane.pid) - before;
  const { profile } = await inspector.ask<{ profile: Profile }>("Profiler.stop");
  inspector.close();
  const each =
    mode === "bulk"
      ? `${(result.carried / 1e6 / (used / 1000)).toFixed(0)} MB`
      : `${Math.round(result.asked / (used / 1000))} requests`;
  console.log(`${lane.name}, ${mode}: ${each} for each second of CPU, the profiler's cost included`);
  print(profile);
  if (save) writeFileSync(save, JSON.stringify(profile));
} finally {
  await ours?.stop();
  children.end();
  rmSync(directory, { recursive: true, force: true });
}
