/**
 * The guard: a small process beside the daemon that outlives it by a moment. When the daemon goes without a word
 * (SIGKILL, a crash), it ends that daemon's sandboxes and takes its mounts away: nothing runs on unwatched.
 * Run as `node guard.ts INSTANCE LANES-DIRECTORY`. On standard input it is told `gateway PID`, and `done` at a clean end.
 */
import { readFile, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { connectEngine } from "../sandbox/connect.ts";
import { dockerEngine } from "../sandbox/docker-engine.ts";
import { sweepMounts } from "../worktree/layer.ts";

const [instance, directory] = process.argv.slice(2);
if (!instance || !directory) throw new Error("guard: INSTANCE and LANES-DIRECTORY are needed");

// Ctrl-C reaches the whole process group: the daemon's end is what counts.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.stdout.write("ready\n");

let gateway = 0;
let done = false;
for await (const line of createInterface({ input: process.stdin })) {
  const [word, value] = line.split(" ");
  if (word === "gateway") gateway = Number(value);
  if (word === "done") done = true;
}
if (!done) {
  // It ends by itself when its channel closes; one that hangs does not, and would go on forwarding.
  if (gateway > 0 && (await readFile(`/proc/${gateway}/cmdline`, "utf8").catch(() => "")).includes("gateway/main")) {
    process.kill(gateway, "SIGKILL");
  }
  const engine = dockerEngine(await connectEngine());
  // A sandbox that was being started when the daemon died can appear after the first look.
  for (let round = 0; round < 5; round++) {
    await engine.sweep(instance);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await sweepMounts(directory);
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
