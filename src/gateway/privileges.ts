/**
 * The gateway's own confinement. It is started as root with three capabilities so that it can read its program below
 * any directory; before it opens a socket it gives all of that up, and refuses to serve unless the kernel agrees.
 */
import { readFileSync } from "node:fs";

/** The capabilities it is started with: to read its program, and to become another user. */
export const startingCapabilities = "+dac_read_search,+setgid,+setuid";
/** The same as the kernel's mask (capabilities 2, 6 and 7). With no-new-privileges the bounding set gives nothing. */
const startingMask = 0b1100_0100n;

/** Becomes `uid` and `gid` for good. */
export function dropPrivileges(uid: number, gid: number): void {
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/** Fields of `/proc/<pid>/status`. */
export function readStatus(pid: number | "self"): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
}

/** What still is more than an unprivileged process of `uid` and `gid` has; empty where nothing is. */
export function findPrivileges(status: ReadonlyMap<string, string>, uid: number, gid: number): string[] {
  const faults: string[] = [];
  const expectIds = (field: string, id: number) => {
    const found = status.get(field) ?? "missing";
    if (!found.split(/\s+/).every((one) => one === String(id))) faults.push(`${field} is ${found}, not ${id}`);
  };
  expectIds("Uid", uid);
  expectIds("Gid", gid);
  if (status.get("Groups") !== "") faults.push(`supplementary groups ${status.get("Groups") ?? "missing"}`);
  for (const field of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
    if (!/^0+$/.test(status.get(field) ?? "")) faults.push(`${field} is ${status.get(field) ?? "missing"}`);
  }
  const bounding = status.get("CapBnd") ?? "";
  if (!/^[0-9a-f]+$/.test(bounding) || (BigInt(`0x${bounding}`) & ~startingMask) !== 0n)
    faults.push(`CapBnd is ${bounding}`);
  if (status.get("NoNewPrivs") !== "1") faults.push("no-new-privileges is not set");
  return faults;
}

/** The soft limits of this process that a lane depends on. */
export function readLimits(): { core: string; descriptors: number } {
  const text = readFileSync("/proc/self/limits", "utf8");
  const soft = (name: string) => new RegExp(`^${name}\\s+(\\S+)`, "m").exec(text)?.[1] ?? "";
  const descriptors = soft("Max open files");
  return {
    core: soft("Max core file size"),
    descriptors: descriptors === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(descriptors),
  };
}
