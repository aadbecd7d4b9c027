/** `list`: delegations, newest first; asks for no more of them than it shows. */
import type { Command } from "commander";
import { type Delegation, states } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Summary } from "../domain/page.ts";
import { nearest } from "../policy/issues.ts";
import { listAll } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";
import { stateStyle } from "./state-style.ts";
import { summariesOf } from "./summaries.ts";
import { type Cell, type Column, fitTable } from "./table.ts";
import { showTime } from "./when.ts";

interface Options {
  state?: string;
  only?: string;
  executor?: string;
  limit?: string;
  all?: boolean;
}

/** How many a terminal is shown where nobody says. */
const usual = 20;

const columns: readonly Column[] = [
  { title: "ID" },
  { title: "STATE" },
  { title: "TRIES", gives: 3 },
  { title: "EXECUTOR", gives: 2, least: 6 },
  { title: "ACCEPTED", gives: 1 },
  { title: "TITLE", gives: 4, least: 12 },
];

function checkStates(text: string): string[] {
  const wanted = text.split(",").map((one) => one.trim());
  for (const one of wanted) {
    if ((states as readonly string[]).includes(one)) continue;
    const meant = nearest(one, [...states]);
    throw new SallyportError("usage", `there is no state ${JSON.stringify(one)}`, {
      next: meant ? `Did you mean ${meant}?` : `Name some of: ${states.join(", ")}.`,
    });
  }
  return wanted;
}

function parseLimit(options: Options): number {
  if (options.all) return Number.MAX_SAFE_INTEGER;
  // A file or pipe gets all: whoever counts its lines is not to be misled.
  if (options.limit === undefined) return process.stdout.isTTY ? usual : Number.MAX_SAFE_INTEGER;
  const limit = Number(options.limit);
  if (Number.isInteger(limit) && limit > 0) return limit;
  throw new SallyportError("usage", `--limit: ${JSON.stringify(options.limit)} is no number of delegations`, {
    next: "Write a whole number, such as 50, or --all.",
  });
}

async function list({ state, json }: Globals, options: Options): Promise<number> {
  const wanted = options.only === undefined ? undefined : checkStates(options.only);
  const most = parseLimit(options);
  if (json) {
    const delegations = await listAll<Delegation>(state, "delegations");
    const kept = delegations.filter(
      (one) => (!wanted || wanted.includes(one.state)) && (!options.executor || one.executor === options.executor),
    );
    print(options.limit === undefined ? kept : kept.slice(-most));
    return done;
  }
  const filter = {
    kind: "delegation" as const,
    ...(wanted ? { state: wanted.join(",") } : {}),
    ...(options.executor ? { executor: options.executor } : {}),
  };
  const { total, summaries } = await summariesOf(state, filter, most);
  if (summaries.length === 0) {
    const some = wanted || options.executor;
    say(
      some
        ? "no delegation is like that; next: sallyport list"
        : "no delegations yet; next: sallyport delegate BRIEF --repo DIR",
    );
    return done;
  }
  const now = Date.now();
  for (const line of fitTable(
    columns,
    summaries.map((one) => row(one, now)),
  ))
    say(line);
  if (summaries.length < total) say([[`${total - summaries.length} more: sallyport list --all, or --limit N`, "dim"]]);
  return done;
}

const row = (one: Summary, now: number): Cell[] => [
  one.id,
  one.held ? ["held", "warn"] : [one.state, stateStyle(one.state)],
  `${one.attempts}${one.attemptsMax === undefined ? "" : `/${one.attemptsMax}`}`,
  one.executor ?? "-",
  showTime(one.created, now),
  one.title,
];

export function listCommand(): Command {
  return command("list", "List the delegations, newest first.", [
    "sallyport list",
    "sallyport list --only executing,testing,verifying",
    "sallyport list --executor pi --limit 50",
    "sallyport list --json | jq '.[].state'",
  ])
    .option("--only <states>", "only of these states, with commas between them")
    .option("--executor <name>", "only those that this harness works on")
    .option("--limit <n>", `how many (default: ${usual} on a terminal, else all)`)
    .option("--all", "all of them")
    .action(action(list));
}
