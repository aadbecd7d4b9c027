/** Every control this machine can and cannot enforce, each probed, each with its fix. */
import { asSallyportError } from "../domain/error.ts";
import { engine, imageAges, images, memoryLimits, propagation, runc } from "./doctor/engine.ts";
import { type Finding, fail, ok, type Probe } from "./doctor/finding.ts";
import { accounting, clock, coreDumps, kvm, overlay, tool, userNamespaces } from "./doctor/kernel.ts";
import { anchors, configuration, disk, engineDisk, gate, keys, ledgerClock, nearest, socket } from "./doctor/state.ts";
import type { StateDirectory } from "./state-directory.ts";

export type { Finding } from "./doctor/finding.ts";

function probes(state: StateDirectory): [string, Probe][] {
  const uid = process.getuid?.();
  return [
    ["root", async () => (uid === 0 ? ok("uid 0") : fail(`uid ${uid}`, "run the daemon as root"))],
    ["engine", engine],
    ["runc", runc],
    ["memory limits", memoryLimits],
    ["mount propagation", propagation],
    ["overlay", async () => overlay(await nearest(state.root))],
    ["loop devices", tool("losetup", ["--version"], "mount")],
    ["ext4 layers", tool("mkfs.ext4", ["-V"], "e2fsprogs")],
    ["dropping rights", tool("setpriv", ["--version"], "util-linux")],
    ["git", tool("git", ["--version"], "git")],
    ["user namespaces", userNamespaces],
    ["core dumps", coreDumps],
    ["accounting", accounting],
    ["kvm", () => kvm()],
    ["clock", clock],
    ["ledger's time", () => ledgerClock(state)],
    ["disk", () => disk(state.root)],
    ["engine's disk", engineDisk],
    ["keys", () => keys(state)],
    ["socket", () => socket(state)],
    ["configuration", () => configuration(state)],
    ["gate", () => gate(state)],
    ["anchors", () => anchors(state)],
    ["images", images],
    ["image ages", imageAges],
  ];
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
