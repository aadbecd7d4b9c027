/** The base's run, remembered by everything that it depends on. */
import { SallyportError } from "../domain/error.ts";
import type { TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";
import { plantFolders } from "./plant.ts";
import { cutTail } from "./printable.ts";
import { mergeRuns } from "./repeat.ts";
import { runnerOf } from "./runners/known.ts";
import { type RunOutcome, runOnce, type TesterContext } from "./test-run.ts";

export interface Baseline {
  run: TestRun;
  /** Tests of the base that do not always end the same. */
  flaky: string[];
  /** The folders whose planted tests the policy's command runs: every later run must show them. */
  folders: string[];
  /** Whether planted files load what the tests beside them load: not where the base cannot be tested so. */
  loads: boolean;
}

/**
 * A host keeps one for all its delegations, in memory: after a restart a base is run again. Two that ask at once wait for
 * one run.
 */
export type BaselineCache = Map<string, Promise<Baseline>>;

/** How many base runs are remembered. */
const mostBaselines = 64;

/** The base's run, from the cache or made now. Errors: `policy-invalid` where the base cannot be tested so, `sandbox-failed`. */
export async function baseline(
  context: TesterContext,
  commands: TestCommands,
  cache: BaselineCache,
): Promise<Baseline> {
  const { policy, place, image } = context;
  // What the setup made is not looked at: its command is in `commands`, and it saw nothing but the base.
  const key = JSON.stringify([
    place.base.key,
    place.base.tree,
    place.disk,
    commands,
    policy.sandbox,
    policy.budget.wall,
    policy.budget.output,
    policy.network,
    image,
    context.breaks,
  ]);
  for (;;) {
    const known = cache.get(key);
    if (!known) break;
    try {
      return await known;
    } catch (error) {
      // Another's run that came to nothing: it was stopped, or its engine failed. This one's own fate may be better.
      context.signal.throwIfAborted();
      if (error instanceof SallyportError && error.code === "policy-invalid") throw error;
      if (cache.get(key) === known) cache.delete(key);
    }
  }
  for (const oldest of cache.size >= mostBaselines ? [...cache.keys()].slice(0, 1) : []) cache.delete(oldest);
  const made = make(context, commands);
  cache.set(key, made);
  // Only what was measured is remembered: a policy that is mended, or an engine that is back, is asked again.
  made.catch(() => {
    if (cache.get(key) === made) cache.delete(key);
  });
  return made;
}

async function make(context: TesterContext, commands: TestCommands): Promise<Baseline> {
  const { base, quarantine } = context.place;
  const folders = plantFolders(commands, await quarantine.listPaths(base.tree));
  // A folder that the policy names must be run; of those that the host found, some must.
  const optional = new Set(commands.plant === undefined ? folders : folders.slice(1));
  const first = (loads: boolean) => runOnce(context, commands, "base", base.tree, { folders, optional, loads });
  let loads = true;
  let outcome = await first(loads);
  if (whyUnusable(commands, outcome) !== undefined) {
    // A module that leaves a server open, or ends a process, when it is loaded by itself: its own tests know how.
    loads = false;
    outcome = await first(loads);
  }
  mustBeUsable(context, commands, outcome);
  const runs = [outcome.run];
  for (let turn = 1; turn < (commands.repeat ?? 1); turn++) {
    const again = await runOnce(context, commands, "base", base.tree, { folders: outcome.live, loads });
    mustBeUsable(context, commands, again);
    runs.push(again.run);
  }
  return { ...mergeRuns(runs, new Set(), context.breaks), folders: outcome.live, loads };
}

function whyUnusable(commands: TestCommands, { run, live }: RunOutcome): string | undefined {
  if (run.forged !== undefined) return run.forged;
  if (run.ended !== "exit") return `the host ended it (${run.ended})`;
  return runnerOf(commands) && live.length === 0 ? "its report lacks the tests that the host planted" : undefined;
}

/** No executor has written a byte of this: what is wrong here is the policy's, and no proposal is rejected for it. */
function mustBeUsable({ policy }: TesterContext, commands: TestCommands, outcome: RunOutcome): void {
  const wrong = whyUnusable(commands, outcome);
  if (wrong === undefined) return;
  throw new SallyportError(
    "policy-invalid",
    `tests.run of policy ${policy.name} cannot be used, already on the base: ${wrong}`,
    {
      next: `The command must end by itself, write its report (${commands.report}) to $SALLYPORT_REPORT, and run what is in ${commands.plant ?? "the folders of its tests"} where tests.runner is set; docs/testing.md has a block for each runner. Its last output:\n${cutTail(outcome.run.tail, 1500)}`,
    },
  );
}
