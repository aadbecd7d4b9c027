/** `token create|list|revoke`: who may ask over the network. */
import type { Command } from "commander";
import { callerRole } from "../domain/caller.ts";
import { SallyportError } from "../domain/error.ts";
import { loadConfig } from "../host/config.ts";
import { createToken, readTokens, revokeToken } from "../host/tokens.ts";
import { action, command, done, type Globals, print, say, table } from "./context.ts";

interface CreateOptions {
  role: string;
  planner?: string;
  days?: string;
  file?: string;
}

/** The file that the daemon reads, unless another is named. */
async function fileOf({ state }: Globals, named: string | undefined): Promise<string> {
  const file = named ?? (await loadConfig(state)).listen?.tokens;
  if (file !== undefined) return file;
  throw new SallyportError("usage", "config.yaml has no `listen`, so there is no file of tokens", {
    next: "Write `listen` (docs/api.md), or name the file with --file.",
  });
}

async function create(
  globals: Globals,
  name: string,
  { role, planner, days = "90", file }: CreateOptions,
): Promise<number> {
  const parsed = callerRole.safeParse(role);
  if (!parsed.success)
    throw new SallyportError("usage", `there is no role ${JSON.stringify(role)}`, {
      next: `One of: ${callerRole.options.join(", ")}.`,
    });
  if (!/^\d{1,4}$/.test(days))
    throw new SallyportError("usage", `--days: ${JSON.stringify(days)} is no number of days`, {
      next: "0 means without an end.",
    });
  const now = new Date();
  const expires = Number(days) === 0 ? undefined : new Date(now.getTime() + Number(days) * 86_400_000);
  const path = await fileOf(globals, file);
  const token = await createToken(path, { name, role: parsed.data, planner, expires }, now);
  if (globals.json) print({ name, role, ...(planner ? { planner } : {}), ...(expires ? { expires } : {}), token });
  else {
    say(token);
    process.stderr.write(
      `It is shown this once; ${path} has its hash${expires ? `, until ${expires.toISOString()}` : ""}.\n`,
    );
  }
  return done;
}

async function list(globals: Globals, { file }: { file?: string }): Promise<number> {
  const tokens = await readTokens(await fileOf(globals, file));
  if (globals.json) print(tokens.map(({ hash: _, ...told }) => told));
  else if (tokens.length === 0) say("no tokens; next: sallyport token create NAME --role auditor");
  else
    say(
      table([
        ["NAME", "ROLE", "PLANNER", "CREATED", "EXPIRES"],
        ...tokens.map((one) => [
          one.name,
          one.role,
          one.planner ?? "-",
          one.created.slice(0, 10),
          one.expires?.slice(0, 10) ?? "never",
        ]),
      ]),
    );
  return done;
}

async function revoke(globals: Globals, name: string, { file }: { file?: string }): Promise<number> {
  await revokeToken(await fileOf(globals, file), name);
  if (globals.json) print({ name, revoked: true });
  else say(`${name} is revoked; what it has open is ended`);
  return done;
}

export function tokenCommand(): Command {
  const group = command("token", "Tokens for the network: who may ask, and as what.", [
    "sallyport token create audit --role auditor",
    "sallyport token list",
  ]);
  const where = ["--file <path>", "the file of tokens (else the one of `listen.tokens` in config.yaml)"] as const;
  group.addCommand(
    command("create", "Make a token. It is printed once; only its hash is kept.", [
      "sallyport token create ci --role planner --planner alice --days 30",
      "sallyport token create audit --role auditor",
    ])
      .argument("<name>", "what you call it")
      .requiredOption("--role <role>", "operator, planner or auditor")
      .option("--planner <name>", "whose rights apply, for a planner's")
      .option("--days <n>", "how long it holds (90; 0: without an end)")
      .option(...where)
      .action(action(create)),
  );
  group.addCommand(
    command("list", "The tokens that there are, without what they are.", ["sallyport token list"])
      .option(...where)
      .action(action(list)),
  );
  group.addCommand(
    command("revoke", "Take a token away, at once.", ["sallyport token revoke ci"])
      .argument("<name>", "the token's")
      .option(...where)
      .action(action(revoke)),
  );
  return group;
}
