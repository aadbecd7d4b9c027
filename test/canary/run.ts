/** Around a whole run of the tests: canaries are planted before it, and at its end all that it left is searched. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { plant } from "./canaries.ts";
import { searchTree } from "./search-tree.ts";
import { type EngineWatch, watchEngine } from "./watch-engine.ts";

/** Called by vitest in its main process. What it gives is called at the end. */
export default async function setup(): Promise<() => Promise<void>> {
  const canaries = plant(tmpdir());
  // Sandboxes and the gateway, under uids of their own, reach what tests show them below it.
  chmodSync(canaries.run, 0o1777);
  process.env.TMPDIR = canaries.run;
  const engine: EngineWatch | string = await watchEngine(canaries.search).catch(String);
  return async () => {
    const left = readdirSync(canaries.run).filter((name) => !["canaries.json", "allowed", "leaks"].includes(name));
    const leaks = searchTree(canaries.run, canaries.search, canaries.allowed()).map(
      ({ path, name }) => `${name} in ${path}`,
    );
    if (existsSync(`${canaries.run}/leaks`)) leaks.push(...readFileSync(`${canaries.run}/leaks`, "utf8").split("\n"));
    let watched = "no engine answers, so containers and images were not searched";
    if (typeof engine !== "string") {
      const { containers, gone, images, leaks: more } = await engine.end();
      leaks.push(...more);
      watched = `${containers} containers (${gone} were gone at once) and ${images} images searched`;
    }
    rmSync(canaries.run, { recursive: true, force: true });
    console.log(`canaries: left behind: ${left.join(", ") || "nothing"}; ${watched}`);
    const found = [...new Set(leaks.filter(Boolean))];
    if (found.length === 0) return;
    process.exitCode = 1;
    throw new Error(`canaries of the host were found:\n${found.join("\n")}`);
  };
}
