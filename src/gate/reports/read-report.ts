/**
 * Parses a report without standing still for it: 8 MiB of hostile XML keep the parser busy for many seconds, in which no
 * other lane would be served and no budget enforced (ATTACKS R1).
 */
import { Worker } from "node:worker_threads";
import type { SaidReport } from "./collect.ts";
import { parseReport, type ReportForm } from "./form.ts";

/** Up to this many UTF-16 units it is done at once: a fraction of a second at worst. */
const smallReport = 128 * 1024;
/** Milliseconds and MiB that the parser may take for a large one. */
const parseTime = 30_000;
const parseMemory = 512;

/** `parseReport`, in a thread of its own where the text is large. `undefined` also where that took too long. */
export async function readReport(form: ReportForm, text: string): Promise<SaidReport | undefined> {
  if (text.length <= smallReport) return parseReport(form, text);
  const name = import.meta.url.endsWith(".ts") ? "thread.ts" : "thread.js";
  const thread = new Worker(new URL(name, import.meta.url), {
    workerData: { form, text },
    env: {},
    execArgv: ["--disable-warning=ExperimentalWarning"],
    resourceLimits: { maxOldGenerationSizeMb: parseMemory },
  });
  const { promise, resolve } = Promise.withResolvers<SaidReport | undefined>();
  const late = setTimeout(() => resolve(undefined), parseTime);
  thread.once("message", resolve);
  // Out of memory: no runner's report needs so much.
  thread.once("error", () => resolve(undefined));
  thread.once("exit", () => resolve(undefined));
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    await thread.terminate();
  }
}
