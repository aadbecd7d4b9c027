/** Probes of the container engine. */
import { readFile, readlink } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { connectEngine } from "../../sandbox/connect.ts";
import { findImage, listImages } from "../../sandbox/images/find.ts";
import { listHarnesses } from "../../sandbox/images/harness.ts";
import { mounts } from "../../worktree/mount.ts";
import { shippedImages } from "../config.ts";
import { fail, ok, type Verdict, warn } from "./finding.ts";
import { judgeRunc } from "./runc.ts";

/** That it answers, enforces seccomp, and keeps images in the form that the host knows. */
export async function engine(): Promise<Verdict> {
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
}

/** What the engine's runc is known to let out. */
export async function runc(): Promise<Verdict> {
  const { Components = [] } = (await (await connectEngine()).version()) as {
    Components?: { Name: string; Version: string }[];
  };
  const version = Components.find(({ Name }) => Name === "runc")?.Version;
  if (version === undefined)
    return warn("the engine does not say which runc it has", "look at `docker version`, and at runc's advisories");
  // Debian policy, 12.7: each package has its changelog there.
  const packed = await readFile("/usr/share/doc/runc/changelog.Debian.gz").catch(() => undefined);
  // A runc that is not the distribution's has nothing of its changelog.
  const own = packed ? gunzipSync(packed).toString("utf8") : "";
  const distribution = /^runc \(([^)]+)\)/.exec(own)?.[1];
  return judgeRunc(version, distribution?.startsWith(version) ? own : "");
}

export async function memoryLimits(): Promise<Verdict> {
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
    ? ok(`memory, swap, pids and cpu are limited, by cgroup v${info.CgroupVersion ?? "1"}`)
    : fail(
        `no limit for: ${missing.join(", ")}`,
        "enable these cgroup controllers (kernel command line: cgroup_enable=memory swapaccount=1)",
      );
}

/** How the mount namespaces of this process and of the engine stand to each other. */
export function judgePropagation(own: string, engines: string | undefined, shared: boolean): Verdict {
  if (engines === undefined)
    return warn("the engine's process is not known", "run the doctor beside the engine, as root");
  if (own === engines) return ok("this process and the engine see the same mounts");
  if (shared) return ok("the engine has mounts of its own, and the host's propagate to it");
  return fail(
    "the engine does not see what is mounted here: sandboxes would find an empty workspace",
    "start the daemon in the engine's mount namespace: no PrivateMounts, PrivateTmp or Protect… of files in its unit",
  );
}

export async function propagation(): Promise<Verdict> {
  const pid = (await readFile("/run/docker.pid", "utf8").catch(() => "")).trim();
  const [own, engines] = await Promise.all([
    readlink("/proc/self/ns/mnt"),
    pid ? readlink(`/proc/${pid}/ns/mnt`).catch(() => undefined) : undefined,
  ]);
  return judgePropagation(
    own,
    engines,
    (await mounts()).some(({ path, shared }) => path === "/" && shared),
  );
}

export async function images(): Promise<Verdict> {
  const docker = await connectEngine();
  const missing: string[] = [];
  for (const name of await listHarnesses(shippedImages))
    await findImage(docker, name, shippedImages).catch(() => missing.push(name));
  return missing.length === 0
    ? ok("all are built for their current inputs")
    : warn(`not built, or out of date: ${missing.join(", ")}`, "sallyport image build --all");
}

const day = 24 * 3600_000;
/** After so long, the distribution has mended things that an image still has. */
const oldAfter = 60 * day;

/** Which images are so old that what is in them has been mended elsewhere. */
export function judgeAges(built: readonly { name: string; created: string }[], now: Date): Verdict {
  const age = (created: string) => now.getTime() - Date.parse(created);
  const old = built.filter(({ created }) => age(created) > oldAfter);
  const days = Math.round(Math.max(0, ...built.map(({ created }) => age(created))) / day);
  return old.length === 0
    ? ok(built.length === 0 ? "there are none" : `the oldest is ${days} days old`)
    : warn(
        `built more than ${oldAfter / day} days ago: ${old.map(({ name }) => name).join(", ")}`,
        "renew the pinned versions, then sallyport image build --all --force: what Debian and the harnesses mended since is not in them",
      );
}

/** The ages of the images that would be used now; what is out of date by its inputs is told by `images`. */
export async function imageAges(): Promise<Verdict> {
  const docker = await connectEngine();
  const names = await listHarnesses(shippedImages);
  const newest = new Map<string, { name: string; created: string }>();
  for (const image of await listImages(docker)) {
    if (names.includes(image.name) && !newest.has(image.name)) newest.set(image.name, image);
  }
  return judgeAges([...newest.values()], new Date());
}
