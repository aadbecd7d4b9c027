/**
 * The auditor's commands on a ledger of a million lines, made by the real append: time, lines a second, and the most memory, beside
 * what a machine does with the same files at the least (`sha256sum`, `grep`). Each command is the real one, as a process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../src/domain/event.ts";
import { loadHostKey } from "../src/gate/keys.ts";
import { openLedger } from "../src/ledger/open.ts";
import { lived } from "../test/delegation/lived.ts";
import { memoryStore } from "../test/delegation/memory-store.ts";
import { type Figure, median, sideBySide } from "./measure.ts";

const sallyport = join(import.meta.dirname, "../bin/sallyport");
const sandbox = (n: number) =>
  `s-${[...n.toString(26)]
    .map((c) => "abcdefghijklmnopqrstuvwxyz"[Number.parseInt(c, 26)])
    .join("")
    .padStart(16, "a")}`;

/** Requests as the gateway records them: mostly allowed, one in fifty denied. */
function request(delegation: string, n: number): Event {
  const denied = n % 50 === 0;
  const host = denied ? "evil.example" : n % 2 === 0 ? "registry.npmjs.org" : "api.github.com";
  return {
    type: "request",
    delegation,
    data: {
      sandbox: sandbox(n % 1000),
      method: n % 10 === 0 ? "POST" : "GET",
      url: `https://${host}/path/${n}`,
      decision: denied ? "deny" : "allow",
      code: denied ? "no-rule" : "allowed",
      rule: denied ? "none" : `network[0] ${host}`,
      ...(denied ? {} : { status: 200 }),
      sent: 120,
      received: 1024,
      milliseconds: 3,
    },
  };
}

/** A state directory with so many lines: a thousand delegations, and what they asked for. Gives the id of the last. */
async function makeState(root: string, lines: number): Promise<string> {
  const key = await loadHostKey(join(root, "keys"));
  await mkdir(join(root, "ledger"), { recursive: true });
  const ledger = await openLedger({
    directory: join(root, "ledger"),
    now: () => new Date(),
    sign: (bytes) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") }),
  });
  const each = Math.max(100, Math.floor(lines / 1000));
  let id = "";
  while (ledger.head().seq < lines - each) {
    const store = memoryStore();
    ({ id } = await lived({ tries: [{ end: "rejected" }], last: "delegation.rejected" }, store));
    // Requests stand where they came: in the sandbox's life.
    const at = store.log.findIndex(({ type }) => type === "sandbox.ended");
    const requests = Array.from({ length: each - store.log.length }, (_, n) => request(id, n));
    await Promise.all(
      [...store.log.slice(0, at), ...requests, ...store.log.slice(at)].map((event) => ledger.append(event)),
    );
  }
  while (ledger.head().seq < lines - 1) await ledger.append({ type: "host.stopped", data: { reason: "bench" } });
  await ledger.close();
  return id;
}

interface Spent {
  seconds: number;
  /** KiB, the most that was resident. */
  peak: number;
}

/** Runs a program to its end, its output thrown away. The peak is the kernel's own count, read while it lives. */
async function spend(command: string, args: readonly string[], accept = [0]): Promise<Spent> {
  const begun = performance.now();
  const child: ChildProcess = spawn(command, args, { stdio: ["ignore", "ignore", "ignore"] });
  let peak = 0;
  const look = async () => {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
  };
  const timer = setInterval(() => void look(), 20);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearInterval(timer);
  if (code === null || !accept.includes(code)) throw new Error(`${command} ${args.join(" ")} ended with ${code}`);
  return { seconds: (performance.now() - begun) / 1000, peak };
}

/** The commands, and what of a machine's own each is set beside. */
function commandsOf(id: string, files: readonly string[]): [string, string[], string, string, string[]][] {
  const sum: [string, string, string[]] = ["sha256sum of the same files", "sha256sum", [...files]];
  return [
    ["audit verify", ["verify"], ...sum],
    [
      "audit show --denied",
      ["show", "--denied"],
      "grep -c of the same words",
      "grep",
      ["-c", '"decision":"deny"', ...files],
    ],
    ["audit report ID", ["report", id], ...sum],
    ["audit report --since", ["report", "--since", "2026-01-01"], ...sum],
    ["audit export --format csv", ["export", "--format", "csv"], ...sum],
  ];
}

interface Made {
  root: string;
  id: string;
  files: string[];
}

async function made(directory: string, lines: number): Promise<Made> {
  const root = join(directory, String(lines));
  const id = await makeState(root, lines);
  const ledger = join(root, "ledger");
  const files = (await readdir(ledger)).sort().map((name) => join(ledger, name));
  process.stderr.write(`  a ledger of ${lines} lines in ${files.length} segments\n`);
  return { root, id, files };
}

/** `lines`: of the ledger; the figure of the specification is a million. Memory is set beside that on a tenth of the lines. */
export async function auditFigures(lines = 1_000_000, runs = 3): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-audit-"));
  try {
    const [large, small] = [await made(directory, lines), await made(directory, lines / 10)];
    const figures: Figure[] = [];
    const memory: Figure[] = [];
    const few = commandsOf(small.id, small.files);
    for (const [index, [name, args, peer, program, theirs]] of commandsOf(large.id, large.files).entries()) {
      const peaks: number[] = [];
      const figure = await sideBySide(
        { name: `${name}, ${lines} lines`, unit: "s", peer, runs },
        async () => {
          const { seconds, peak } = await spend(sallyport, ["audit", ...args, "--state", large.root]);
          peaks.push(peak / 1024);
          return seconds;
        },
        async () => (await spend(program, theirs)).seconds,
      );
      process.stderr.write(`  ${name}: ${Math.round(lines / figure.ours)} lines/s\n`);
      figures.push(figure);
      const { peak } = await spend(sallyport, ["audit", ...(few[index]?.[1] ?? []), "--state", small.root]);
      const [ours, other] = [median(peaks), peak / 1024];
      memory.push({
        ...{ name: `${name}, most memory`, unit: "MiB", ours, p95: Math.max(...peaks), runs, more: false },
        ...{ peer: `the same on ${lines / 10} lines`, theirs: other, ratio: ours / other },
      });
    }
    return [...figures, ...memory];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { printFigures } = await import("./measure.ts");
  printFigures(await auditFigures(Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? 3)));
}
