/**
 * Images that were made to mislead the runtime (ATTACKS F10): links in place of the kernel's file systems
 * (CVE-2025-31133 and its kind), and a working directory behind a descriptor of the runtime (CVE-2024-21626). The
 * images are built here by the real engine, and run by the house's own.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, openBench } from "../sandbox/engine.ts";

let bench: Bench;
const built: string[] = [];
const directory = mkdtempSync(join(tmpdir(), "hostile-images-"));

beforeAll(async () => {
  bench = await openBench();
}, 600_000);
afterAll(async () => {
  await bench?.close();
  for (const image of built) execFileSync("docker", ["image", "rm", "-f", image], { stdio: "ignore" });
  rmSync(directory, { recursive: true, force: true });
});

/** Builds an image on the base with these lines, and gives its digest. */
function build(name: string, lines: readonly string[], link?: { at: string; to: string }): string {
  const context = join(directory, name);
  mkdirSync(context);
  const added: string[] = [];
  if (link) {
    const root = join(context, "root");
    mkdirSync(root);
    symlinkSync(link.to, join(root, link.at));
    execFileSync("tar", ["-C", root, "-cf", join(context, "root.tar"), link.at]);
    added.push("ADD root.tar /");
  }
  // An image named by its digest: the builder takes it as it is, without asking a registry.
  writeFileSync(join(context, "Dockerfile"), [`FROM ${bench.image}`, ...added, ...lines, ""].join("\n"));
  const out = execFileSync("docker", ["build", "-q", "--network", "none", context], {
    timeout: 120_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const digest = out.toString().trim();
  built.push(digest);
  return digest;
}

/** File system types by mount point, as the sandbox sees them. */
const mounts = 'while read -r _ _ _ _ at options rest; do echo "$at $options ${rest#*- }"; done < /proc/self/mountinfo';
const view = [
  mounts,
  "for path in /proc /sys /dev; do [ -L $path ] && echo link $path; done",
  // Masked and read-only paths hold, and what they were laid on is not in a place that the sandbox may write to.
  "[ -s /proc/kcore ] && echo open kcore",
  "(echo 1 > /proc/sys/kernel/core_pattern) 2>/dev/null && echo open core_pattern",
  "(echo h > /proc/sysrq-trigger) 2>/dev/null && echo open sysrq",
  "(echo x > /sys/kernel/uevent_helper) 2>/dev/null && echo open uevent_helper",
  "[ -c /dev/null ] && echo x > /dev/null && echo null is null",
  "ls -A /tmp/trap 2>/dev/null",
  "true",
].join("; ");

function expectWhole(text: string): void {
  const lines = text.split("\n");
  expect(lines.find((line) => line.startsWith("/proc "))).toMatch(/ proc proc /);
  expect(lines.find((line) => line.startsWith("/sys "))).toMatch(/^\/sys ro,.* sysfs /);
  expect(lines.find((line) => line.startsWith("/dev "))).toMatch(/ tmpfs /);
  for (const path of ["/proc/sys", "/proc/bus"]) {
    expect(lines.find((line) => line.startsWith(`${path} `))).toMatch(/^\S+ ro,/);
  }
  expect(lines).toContain("null is null");
  expect(lines.filter((line) => /^(open|link) /.test(line))).toEqual([]);
}

describe("an image whose kernel file systems are links", () => {
  it("the honest image, looked at in the same way", async () => {
    const seen = await bench.sh(view);
    expect(seen.exit).toBe(0);
    expectWhole(seen.text);
  });

  for (const at of ["proc", "sys", "dev"]) {
    it(`/${at}: refused, or everything is where it belongs`, async () => {
      const image = build(at, [], { at, to: "/tmp/trap" });
      const seen = await bench.sh(view, { image }).catch((error: unknown) => error as { code: string });
      // Which of the two depends on the engine's version; what may not be is a sandbox with a control led astray.
      if ("code" in seen) expect(["engine-failed", "control-missing"]).toContain(seen.code);
      else {
        expect(seen.exit).toBe(0);
        expectWhole(seen.text);
      }
    }, 60_000);
  }
});

describe("an image that names a working directory of its own", () => {
  const where = "pwd -P; ls -di . ..; cat ../etc/hostname ../../../etc/hostname 2>/dev/null";

  it.each([7, 8, 9])(
    "behind descriptor %i: the sandbox starts where the host says",
    async (descriptor) => {
      const image = build(`workdir-${descriptor}`, [`WORKDIR /proc/self/fd/${descriptor}`]);
      const seen = await bench.sh(where, { image });
      const honest = await bench.sh(where);
      expect(seen.exit).toBe(honest.exit);
      expect(seen.text.split("\n")[0]).toBe("/tmp");
    },
    60_000,
  );

  it("and asked for by a specification it is refused: that directory is no place of the sandbox", async () => {
    const seen = await bench.sh(where, { directory: "/proc/self/fd/8" }).catch((e: unknown) => e as { code: string });
    if ("code" in seen) expect(seen.code).toBe("engine-failed");
    // Where the runtime starts at all, the directory is one of the sandbox's own, never one of the host's.
    else expect(seen.text).not.toContain(execFileSync("cat", ["/etc/hostname"]).toString().trim());
  });
});
