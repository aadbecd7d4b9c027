/** A run of its own, in a process of its own, that leaks in the way its first argument names; says what became of it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allowCanary, secretCanary } from "./canaries.ts";
import setup from "./run.ts";

const [, , how = "", image = ""] = process.argv;
const end = await setup();
await import("./before-removal.ts");
const directory = mkdtempSync(join(tmpdir(), "leaky-"));
const value = secretCanary("leaked");
const leak = (text: string) => {
  mkdirSync(join(directory, "a"));
  writeFileSync(join(directory, "a", "log.txt"), text);
};
const ways: Record<string, () => unknown> = {
  clean: () => leak("nothing"),
  left: () => leak(`token=${value}`),
  variable: () => leak(process.env.SALLYPORT_RUN_CANARY ?? ""),
  removed() {
    leak(value);
    rmSync(directory, { recursive: true });
  },
  "removed later": async () => {
    leak(Buffer.from(`x${value}`).toString("base64"));
    await rm(directory, { recursive: true });
  },
  allowed() {
    leak(value);
    allowCanary(join(directory, "a", "log.txt"));
  },
  container() {
    const id = execFileSync("docker", ["create", "--network", "none", "-e", `TOKEN=${value}`, image, "true"])
      .toString()
      .trim();
    execFileSync("docker", ["inspect", id], { stdio: "ignore" });
    setTimeout(() => execFileSync("docker", ["rm", id], { stdio: "ignore" }), 1000);
    return new Promise((done) => setTimeout(done, 1200));
  },
  "clean container"() {
    const id = execFileSync("docker", ["create", "--network", "none", "-e", "TOKEN=none", image, "true"])
      .toString()
      .trim();
    execFileSync("docker", ["rm", id], { stdio: "ignore" });
  },
};
try {
  await ways[how]?.();
} catch (error) {
  // As a hook of a test that does not look at its own clean-up.
  console.log(`thrown: ${String(error)}`);
  await rm(directory, { recursive: true, force: true }).catch(() => undefined);
}
await end().then(
  () => console.log("the run is clean"),
  (error: unknown) => console.log(`the run is red: ${String(error)}, exit ${process.exitCode}`),
);
process.exitCode = 0;
