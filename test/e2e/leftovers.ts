/** What a daemon may have left on this machine: everything that names its directory. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

interface Inspected {
  Id: string;
  Name: string;
  Config: { Labels: Record<string, string> };
  HostConfig: { Mounts?: { Source: string }[] };
}

/** The sandboxes of ours, running or not, that show something of `directory`. */
export function containersOf(directory: string): Inspected[] {
  const ids = execFileSync("docker", ["ps", "-aq", "--no-trunc", "--filter", "label=org.sallyport.host"])
    .toString()
    .split("\n")
    .filter(Boolean);
  return ids.flatMap((id) => {
    try {
      const [found] = JSON.parse(
        execFileSync("docker", ["inspect", id], { stdio: ["ignore", "pipe", "ignore"] }).toString(),
      );
      return (found.HostConfig.Mounts ?? []).some((m: { Source: string }) => m.Source.startsWith(directory))
        ? [found]
        : [];
    } catch {
      return []; // gone between the two calls
    }
  });
}

/** The processes that belong to `directory` by argument, working directory or environment, without this one. */
export function processesOf(directory: string): { pid: number; command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      const said = read(`/proc/${name}/cmdline`) + read(`/proc/${name}/environ`);
      return said.includes(directory) || workingDirectory(name).startsWith(directory);
    })
    .map((name) => ({ pid: Number(name), command: read(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim() }));
}

function workingDirectory(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

/** Every mount, loop device, process and container of `directory` that is there now, as a line each. */
export function leftovers(directory: string): string[] {
  const mounts = read("/proc/self/mountinfo")
    .split("\n")
    .filter((line) => line.includes(directory))
    .map((line) => `mount ${line.split(" ")[4]}`);
  const loops = readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop"))
    .map((name) => `${name} ${read(`/sys/block/${name}/loop/backing_file`).trim()}`)
    .filter((line) => line.includes(directory));
  return [
    ...mounts,
    ...loops,
    ...processesOf(directory).map(({ pid, command }) => `process ${pid} ${command.slice(0, 200)}`),
    ...containersOf(directory).map(({ Name }) => `container ${Name}`),
  ];
}

/** Waits until `check` gives something true; throws with `what` after `seconds`. */
export async function until<T>(what: string, check: () => T | Promise<T>, seconds = 20): Promise<NonNullable<T>> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const found = await check();
    if (found) return found as NonNullable<T>;
    if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
