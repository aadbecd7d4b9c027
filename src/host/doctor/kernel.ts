/** Probes of the kernel and the machine: each tries the thing itself where that can be done without harm. */
import { execFile } from "node:child_process";
import { access, constants, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { fail, ok, type Probe, type Verdict, warn } from "./finding.ts";

const run = promisify(execFile);

/** That a host tool answers. */
export function tool(name: string, args: string[], debianPackage: string): Probe {
  return async () => {
    try {
      const { stdout, stderr } = await run(name, args, { timeout: 5000 });
      return ok((stdout || stderr).split("\n")[0]?.trim() || name);
    } catch {
      return fail(`${name} is missing`, `apt-get install ${debianPackage}, or make engine`);
    }
  };
}

/** Mounts an overlay below `directory` and takes it away again: a file system that cannot hold one is found here. */
export async function overlay(directory: string): Promise<Verdict> {
  if (!(await readFile("/proc/filesystems", "utf8")).includes("\toverlay"))
    return fail("the kernel has no overlay", "modprobe overlay");
  if (process.getuid?.() !== 0) return ok("the kernel has overlay (not tried: that takes root)");
  const at = await mkdtemp(join(directory, ".doctor-"));
  try {
    for (const name of ["lower", "upper", "work", "merged"]) await mkdir(join(at, name));
    await writeFile(join(at, "lower/file"), "seen");
    const options = `lowerdir=${at}/lower,upperdir=${at}/upper,workdir=${at}/work`;
    await run("mount", ["-t", "overlay", "overlay", "-o", options, join(at, "merged")], { timeout: 5000 });
    try {
      const seen = await readFile(join(at, "merged/file"), "utf8");
      return seen === "seen" ? ok("an overlay was mounted") : fail("an overlay shows other content", "look at dmesg");
    } finally {
      await run("umount", [join(at, "merged")], { timeout: 5000 });
    }
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.split("\n")[0] ?? String(error);
    return fail(`no overlay can be mounted in ${directory}: ${said}`, "put the state on ext4 or xfs, on this machine");
  } finally {
    await rm(at, { recursive: true, force: true });
  }
}

/** User namespaces, which nothing of this version needs: what they open to a program that is not contained is told. */
export async function userNamespaces(): Promise<Verdict> {
  const max = Number(await readFile("/proc/sys/user/max_user_namespaces", "utf8").catch(() => "0"));
  return ok(max > 0 ? "there; sandboxes may make none (seccomp)" : "switched off; none is needed");
}

export async function coreDumps(): Promise<Verdict> {
  const pattern = (await readFile("/proc/sys/kernel/core_pattern", "utf8")).trim();
  return pattern.startsWith("|")
    ? warn(
        `core_pattern pipes to a host program: ${pattern}`,
        "sandboxes have a core limit of 0, which a pipe ignores: sysctl kernel.core_pattern=core",
      )
    : ok(pattern);
}

/** What writes down every process that ran in a sandbox. */
export async function accounting(): Promise<Verdict> {
  for (const folder of ["/usr/sbin", "/sbin", "/usr/local/sbin"]) {
    const there = await access(join(folder, "accton"), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return ok(join(folder, "accton"));
  }
  return warn("accton is missing: what ran in a sandbox is not listed", "apt-get install acct");
}

/** Whether anybody keeps the clock: times in approvals and in the ledger are as good as it. */
export async function clock(): Promise<Verdict> {
  const ask = async (name: string, args: string[]) => {
    const { stdout } = await run(name, args, { timeout: 3000 });
    return stdout;
  };
  const answers = await Promise.all([
    ask("chronyc", ["-n", "tracking"]).then(
      (said) => (/Leap status\s*:\s*Normal/.test(said) ? "chrony keeps it" : undefined),
      () => undefined,
    ),
    ask("timedatectl", ["show", "--property=NTPSynchronized", "--value"]).then(
      (said) => (said.trim() === "yes" ? "kept by NTP" : undefined),
      () => undefined,
    ),
  ]);
  const kept = answers.find((answer) => answer !== undefined);
  return kept
    ? ok(kept)
    : warn(
        "nothing here tells that the clock is kept",
        "run chrony or systemd-timesyncd, where the hypervisor does not",
      );
}

/** How long a machine has to boot a kernel under KVM. Where KVM is only nested badly, it hangs. */
const bootMilliseconds = 4000;

/**
 * Whether KVM runs a kernel. Opening the device says nothing: a nested one may take a machine and hang. So a kernel of this
 * host is booted without a root file system: it panics, and that ends it. Nothing of this version needs KVM.
 */
export async function kvm(device = "/dev/kvm", boot = "/boot"): Promise<Verdict> {
  const handle = await open(device, constants.O_RDWR).catch(() => undefined);
  await handle?.close();
  const needless = "nothing of this version needs it";
  if (!handle) return ok(`not there; ${needless}`);
  const kernel = (await readdir(boot).catch(() => []))
    .filter((name) => name.startsWith("vmlinuz-"))
    .sort()
    .at(-1);
  if (!kernel) return ok(`there, not tried: no kernel in ${boot}; ${needless}`);
  const machine = [
    "-M",
    "microvm,acpi=on",
    "-accel",
    "kvm",
    "-cpu",
    "max",
    "-m",
    "256",
    "-nodefaults",
    "-no-user-config",
  ];
  const ends = ["-display", "none", "-no-reboot", "-serial", "none", "-append", "quiet panic=-1 reboot=t"];
  try {
    await run("qemu-system-x86_64", [...machine, "-kernel", join(boot, kernel), ...ends], {
      timeout: bootMilliseconds,
      killSignal: "SIGKILL",
    });
    return ok(`runs ${kernel}; ${needless}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return ok(`there, not tried: no QEMU; ${needless}`);
    const hung = (error as { killed?: boolean }).killed === true;
    return ok(`there, and ${hung ? `no kernel came up in ${bootMilliseconds / 1000} s` : "it fails"}; ${needless}`);
  }
}
