/** From a harness file to what a sandbox is started with: slots filled, its own files written. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HarnessFile } from "../domain/harness.ts";
import type { SandboxMount } from "./engine.ts";

export interface HarnessStart {
  command: string[];
  environment: Record<string, string>;
  mounts: SandboxMount[];
}

/** Where the entry program finds the files that go into the home. */
const homeSource = "/run/sallyport-home";

/**
 * Fills the slots {model}, {base} and {protocol} everywhere, and {prompt} in the command; writes the harness's files below
 * `directory`, from where they are shown to the sandbox read-only. The prompt is put in last and whole: a slot's name
 * in it stays text.
 */
export async function prepareHarness(harness: HarnessFile, prompt: string, directory: string): Promise<HarnessStart> {
  const base = harness.model ? `http://127.0.0.1:3128/model/${harness.model.route}` : "";
  const slots: Readonly<Record<string, string>> = {
    "{model}": harness.model?.name ?? "",
    "{base}": base,
    "{protocol}": harness.model?.protocol ?? "",
  };
  const fill = (text: string) => text.replace(/\{(?:model|base|protocol)\}/g, (slot) => slots[slot] ?? "");
  const home = join(directory, "home");
  for (const { path, content } of harness.files) {
    const file = join(home, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, fill(content), { mode: 0o644 });
  }
  return {
    command: harness.command.map((word) => fill(word).split("{prompt}").join(prompt)),
    environment: Object.fromEntries(Object.entries(harness.environment).map(([name, value]) => [name, fill(value)])),
    mounts: harness.files.length > 0 ? [{ source: home, target: homeSource, writable: false }] : [],
  };
}
