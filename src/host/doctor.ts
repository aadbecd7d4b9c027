/** Every control this machine can and cannot enforce, each probed, each with its fix. */
import { execFile } from "node:child_process";
import { readFile, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { asSallyportError } from "../domain/error.ts";
import { showSize } from "../domain/units.ts";
import { type GateState, openGate, stepGate } from "../gate/calibration/gate-state.ts";
import { readEntries } from "../ledger/read.ts";
import { connectEngine } from "../sandbox/connect.ts";
import { findImage } from "../sandbox/images/find.ts";
import { listHarnesses } from "../sandbox/images/harness.ts";
import { examineAnchors } from "./anchors-found.ts";
import { loadConfig, shippedImages } from "./config.ts";
import type { StateDirectory } from "./state-directory.ts";

const run = promisify(execFile);

export interface Finding {
  control: string;
  /** `fail`: the daemon would refuse to start. `warn`: it starts, and something will be refused later. */
  state: "ok" | "warn" | "fail";
  found: string;
  fix: string;
}

type Probe = () => Promise<Omit<Finding, "control">>;

const ok = (found: string): Omit<Finding, "control"> => ({ state: "ok", found, fix: "" });
const fail = (found: string, fix: string): Omit<Finding, "control"> => ({ state: "fail", found, fix });
const warn = (found: string, fix: string): Omit<Finding, "control"> => ({ state: "warn", found, fix });

function tool(name: string, args: string[], debianPackage: string): Probe {
  return async () => {
    try {
      const { stdout } = await run(name, args, { timeout: 5000 });
      return ok(stdout.split("\n")[0] ?? name);
    } catch {
      return fail(`${name} is missing`, `apt-get install ${debianPackage}, or make engine`);
    }
  };
}

function probes(state: StateDirectory): [string, Probe][] {
  return [
    [
      "root",
      async () =>
        process.getuid?.() === 0 ? ok("uid 0") : fail(`uid ${process.getuid?.()}`, "run the daemon as root"),
    ],
    [
      "engine",
      async () => {
        const docker = await connectEngine();
        const [{ Version }, info] = await Promise.all([docker.version(), docker.info()]);
        const seccomp = (info.SecurityOptions as string[] | undefined)?.some((option) => option.includes("seccomp"));
        if (!seccomp) return fail(`Docker Engine ${Version} without seccomp`, "use an engine and kernel with seccomp");
        // Images there are archives of another kind, and their names are not the digests that the host uses.
        if (JSON.stringify(info.DriverStatus ?? []).includes("io.containerd.snapshotter"))
          return fail(
            `Docker Engine ${Version} with containerd's image store`,
            'set { "features": { "containerd-snapshotter": false } } in /etc/docker/daemon.json and restart the engine',
          );
        if (!info.InitBinary) return fail(`Docker Engine ${Version} without docker-init`, "apt-get install tini");
        return ok(`Docker Engine ${Version}, seccomp, ${info.InitBinary}`);
      },
    ],
    [
      "memory limits",
      async () => {
        const info = await (await connectEngine()).info();
        const missing = [
          ["memory", info.MemoryLimit],
          ["swap", info.SwapLimit],
          ["pids", info.PidsLimit],
          ["cpu quota", info.CpuCfsQuota],
        ]
          .filter(([, there]) => !there)
          .map(([name]) => name);
        return missing.length === 0
          ? ok("memory, swap, pids and cpu are limited")
          : fail(
              `no limit for: ${missing.join(", ")}`,
              "enable these cgroup controllers (kernel command line: cgroup_enable=memory swapaccount=1)",
            );
      },
    ],
    [
      "overlay",
      async () =>
        (await readFile("/proc/filesystems", "utf8")).includes("\toverlay")
          ? ok("the kernel has overlay")
          : fail("the kernel has no overlay", "modprobe overlay"),
    ],
    ["loop devices", tool("losetup", ["--version"], "mount")],
    ["ext4 layers", tool("mkfs.ext4", ["-V"], "e2fsprogs")],
    ["dropping rights", tool("setpriv", ["--version"], "util-linux")],
    ["git", tool("git", ["--version"], "git")],
    [
      "core dumps",
      async () => {
        const pattern = (await readFile("/proc/sys/kernel/core_pattern", "utf8")).trim();
        return pattern.startsWith("|")
          ? warn(
              `core_pattern pipes to a host program: ${pattern}`,
              "sandboxes have a core limit of 0, which a pipe ignores: sysctl kernel.core_pattern=core",
            )
          : ok(pattern);
      },
    ],
    [
      "disk",
      async () => {
        const { bavail, bsize } = await statfs(await nearest(state.root));
        const free = bavail * bsize;
        return free > 5 * 1024 ** 3
          ? ok(`${showSize(free)} free`)
          : warn(`${showSize(free)} free`, "free some: layers are sparse, and a full disk stops the ledger");
      },
    ],
    [
      "configuration",
      async () => {
        const planners = Object.entries((await loadConfig(state)).planners);
        return planners.some(([, rights]) => rights.repositories.length > 0 && rights.refs.length > 0)
          ? ok(`${planners.length} planners`)
          : warn(
              "no planner may name any repository",
              `write ${state.config}: { version: 1, planners: { default: { repositories: ["/srv/git/*.git"], refs: ["refs/heads/sallyport/**"] } } }`,
            );
      },
    ],
    [
      "gate",
      async () => {
        const { closed } = await gateOnDisk(state.ledger);
        return closed
          ? warn(
              `closed since ${closed.since}: ${closed.reason}`,
              "nothing is signed or lands: sallyport gate status, then sallyport gate open --reason TEXT",
            )
          : ok("open");
      },
    ],
    [
      "anchors",
      async () => {
        const { found, wrong } = await examineAnchors(state);
        return wrong.length === 0
          ? ok(found)
          : warn(wrong.join("; "), "mend the place; what a cut ledger has lost is found by its anchors alone");
      },
    ],
    [
      "images",
      async () => {
        const docker = await connectEngine();
        const missing: string[] = [];
        for (const name of await listHarnesses(shippedImages))
          await findImage(docker, name, shippedImages).catch(() => missing.push(name));
        return missing.length === 0
          ? ok("all are built for their current inputs")
          : warn(`not built, or out of date: ${missing.join(", ")}`, "sallyport image build --all");
      },
    ],
  ];
}

/** The gate as the ledger's files tell it, with or without a daemon; a ledger that breaks off is read up to there. */
async function gateOnDisk(directory: string): Promise<GateState> {
  let gate = openGate;
  try {
    for await (const entry of readEntries(directory, { seq: Number.MAX_SAFE_INTEGER, hash: "" }))
      gate = stepGate(gate, entry);
  } catch (error) {
    // No end is given, so each reading ends here; whether the ledger is whole, `audit verify` says.
    if (asSallyportError(error).code !== "ledger-broken") throw error;
  }
  return gate;
}

async function nearest(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await statfs(at);
      return at;
    } catch {
      if (at === "/") return at;
    }
  }
}

/** Runs every probe; a probe that throws is a failed control. */
export async function examine(state: StateDirectory): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [control, probe] of probes(state)) {
    try {
      findings.push({ control, ...(await probe()) });
    } catch (thrown) {
      const { message, next } = asSallyportError(thrown);
      findings.push({ control, ...fail(message, next) });
    }
  }
  return findings;
}
