/** How much processor time a sandbox has used: the kernel's own count for its control group, of every process in it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const mount = "/sys/fs/cgroup";

/**
 * Milliseconds of processor time of the control group that holds `pid`, where its path names `owner` (a recycled pid, or
 * one in the daemon's own group, proves nothing). Undefined where it cannot be told. Reads cgroups(7) of version 1 and 2.
 */
export async function cpuTime(pid: number, owner: string): Promise<number | undefined> {
  try {
    const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8")).split("\n");
    for (const line of lines) {
      const [, controllers = "", path = ""] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
      if (!path.includes(owner) || path.split("/").includes("..")) continue;
      if (controllers.split(",").includes("cpuacct")) {
        const nanoseconds = Number(await readFile(join(mount, "cpuacct", path, "cpuacct.usage"), "utf8"));
        return Number.isFinite(nanoseconds) ? Math.round(nanoseconds / 1e6) : undefined;
      }
      if (controllers === "") {
        const usage = /^usage_usec (\d+)$/m.exec(await readFile(join(mount, path, "cpu.stat"), "utf8").catch(() => ""));
        if (usage) return Math.round(Number(usage[1]) / 1000);
      }
    }
  } catch {
    // It ended, or the kernel does not tell: both are no answer.
  }
  return undefined;
}
