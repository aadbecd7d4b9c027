/** Mounts of the daemon's own: made and taken away with mount(8), umount(8) and losetup(8), without a shell. */
import { execFile } from "node:child_process";
import { readFile, realpath } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { SallyportError } from "../domain/error.ts";
import { showPath, showText } from "./names.ts";

const run = promisify(execFile);
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

/** Runs a system tool. Errors: `worktree-failed` with what it said, after 60 s at most. */
export async function runTool(tool: string, args: readonly string[], cwd = "/", timeout = 60_000): Promise<string> {
  try {
    return (
      await run(tool, [...args], { cwd, env: environment, timeout, killSignal: "SIGKILL", maxBuffer: 16 * 1024 * 1024 })
    ).stdout;
  } catch (error) {
    const said =
      String((error as { stderr?: unknown }).stderr ?? "").trim() ||
      (error instanceof Error ? error.message : String(error));
    throw new SallyportError("worktree-failed", `${tool} failed: ${showText(said.slice(0, 1000))}`, {
      next: "Check free space, free loop devices and that the daemon runs as root (`sallyport doctor`).",
      cause: error,
    });
  }
}

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface MountPoint {
  path: string;
  type: string;
  source: string;
  options: readonly string[];
  superOptions: readonly string[];
  /** Mounts below it are seen in other mount namespaces too. */
  shared: boolean;
}

const unescapeOctal = (field: string) =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Every mount this process sees, in the order they were made. */
export async function mounts(): Promise<MountPoint[]> {
  const text = await readFile("/proc/self/mountinfo", "latin1");
  return text.split("\n").flatMap((line) => {
    const [left, right] = line.split(" - ");
    if (left === undefined || right === undefined) return [];
    const head = left.split(" ");
    const [type = "", source = "", superOptions = ""] = right.split(" ");
    // Bytes back to text: paths of ours are UTF-8.
    const path = Buffer.from(unescapeOctal(head[4] ?? ""), "latin1").toString("utf8");
    return [
      {
        path,
        type,
        source: unescapeOctal(source),
        options: (head[5] ?? "").split(","),
        superOptions: superOptions.split(",").map(unescapeOctal),
        shared: head.slice(6).some((field) => field.startsWith("shared:")),
      },
    ];
  });
}

/**
 * Refuses a path that overlayfs would take apart: `:` separates lower directories, `,` options, `\` escapes.
 * Errors: `config-invalid`.
 */
export function assertMountable(path: string): void {
  if (path.startsWith("/") && !/[:,\\"\p{Cc}]/u.test(path)) return;
  throw new SallyportError(
    "config-invalid",
    `a colon, comma, backslash, quote or control character in ${showPath(path)}`,
    {
      next: "Put the state directory at an absolute path without these characters.",
    },
  );
}

/** What our overlays never do: follow redirects or metadata-only copies that a layer could forge; run setuid files. */
const overlayOptions = "nosuid,nodev,redirect_dir=off,metacopy=off,index=off,xino=off";

/** Mounts an overlay of directories, top first; with `upper` and `work` it can be written to, else it is read-only. */
export async function mountOverlay(
  target: string,
  lowers: readonly string[],
  upper?: { upper: string; work: string },
): Promise<void> {
  for (const path of [target, ...lowers, ...(upper ? [upper.upper, upper.work] : [])]) assertMountable(path);
  const options = [
    overlayOptions,
    ...(upper ? [] : ["ro"]),
    `lowerdir=${lowers.join(":")}`,
    ...(upper ? [`upperdir=${upper.upper}`, `workdir=${upper.work}`] : []),
  ].join(",");
  if (options.length > 4000) {
    throw new SallyportError("config-invalid", "the paths of the layers are too long for one mount", {
      next: "Put the state directory at a shorter path.",
    });
  }
  await runTool("mount", ["-t", "overlay", "-o", options, "overlay", target]);
}

/**
 * Takes away whatever is mounted at a path, also several layers of it; nothing there is fine. A busy mount is tried
 * again for `patience` milliseconds: the last process of a sandbox may still be on its way out.
 */
export async function unmount(path: string, patience = 10_000): Promise<boolean> {
  const end = Date.now() + patience;
  let done = false;
  for (let pause = 5; ; pause = Math.min(pause * 2, 250)) {
    if (!(await mounts()).some((m) => m.path === path)) return done;
    try {
      await runTool("umount", ["--no-canonicalize", path]);
      done = true;
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(pause);
    }
  }
}

/** Loop devices and the files behind them. */
async function loops(): Promise<{ device: string; file: string }[]> {
  const text = await runTool("losetup", ["--list", "--json", "--output", "NAME,BACK-FILE"]);
  if (text.trim() === "") return [];
  const parsed = JSON.parse(text) as { loopdevices: { name: string; "back-file": string | null }[] };
  return parsed.loopdevices.map((l) => ({ device: l.name, file: (l["back-file"] ?? "").replace(/ \(deleted\)$/, "") }));
}

/** Detaches every loop device behind a file. The kernel lets go of one a moment after its last mount. */
export async function detachLoops(matches: (file: string) => boolean, patience = 10_000): Promise<string[]> {
  const end = Date.now() + patience;
  const done = new Set<string>();
  for (let pause = 5; ; pause = Math.min(pause * 2, 250)) {
    const ours = (await loops()).filter((l) => matches(l.file));
    if (ours.length === 0) return [...done];
    for (const { device } of ours) {
      // Between the listing and this call it may have gone by itself, and another may have its number: -d on a busy one
      // only marks it to be let go at its last close, so ask by file again first.
      const still = (await loops()).find((l) => l.device === device);
      if (!still || !matches(still.file)) continue;
      await runTool("losetup", ["--detach", device]).catch(() => {});
      done.add(device);
    }
    if (Date.now() > end) {
      throw new SallyportError("worktree-failed", `still attached: ${ours.map((l) => l.device).join(", ")}`, {
        next: "A process holds a mount of this layer: find it with `fuser -vm` and end it.",
      });
    }
    await sleep(pause);
  }
}

/**
 * Unmounts and detaches everything below a directory, innermost first: what a killed daemon left. Returns what it did.
 * Call it before any sandbox of this state directory runs.
 */
export async function sweepMounts(directory: string): Promise<string[]> {
  const top = await realpath(directory).catch(() => directory);
  const inside = (path: string) => path.startsWith(`${top}/`);
  const done: string[] = [];
  for (let round = 0; round < 10_000; round++) {
    const last = (await mounts()).findLast((m) => inside(m.path));
    if (!last) break;
    await unmount(last.path);
    done.push(`unmounted ${last.path}`);
  }
  for (const device of await detachLoops(inside)) done.push(`detached ${device}`);
  return done;
}
