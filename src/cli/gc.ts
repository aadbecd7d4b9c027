/** `sallyport gc`: gives back what nobody needs any more. */
import type { Command } from "commander";
import { asSallyportError } from "../domain/error.ts";
import type { ClearAnswer } from "../domain/operations.ts";
import { showSize } from "../domain/units.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";
import { secondsOf } from "./seconds-of.ts";

interface GcOptions {
  dryRun?: true;
  older?: string;
}

async function gc({ state, json }: Globals, options: GcOptions): Promise<number> {
  const dryRun = options.dryRun === true;
  const older = options.older === undefined ? undefined : secondsOf(options.older, "--older");
  const answer = await call<ClearAnswer>(state, "POST", "/v1/gc", { dryRun, ...(older ? { older } : {}) }).catch(
    async (error: unknown) => {
      if (asSallyportError(error).code !== "host-unreachable") throw error;
      const { clearOffline } = await import("../host/clear-offline.ts");
      return clearOffline(state, dryRun, older === undefined ? undefined : older * 1000);
    },
  );
  if (json) print(answer);
  else {
    const what = `${answer.trees} base trees, ${answer.proposals} proposals, ${answer.images.length} images`;
    say(`${dryRun ? "would clear away" : "cleared away"} ${what}: ${showSize(answer.bytes)}`);
    for (const tag of answer.images) say(`  ${tag}`);
  }
  return done;
}

export function gcCommand(): Command {
  return command(
    "gc",
    "Clear away base trees, proposals and images that nobody needs. Never the ledger, never a key.",
    ["sallyport gc --dry-run", "sallyport gc --older 7d"],
  )
    .option("--dry-run", "only say what would go")
    .option("--older <time>", "what was not needed for so long, such as 30d")
    .action(action(gc));
}
