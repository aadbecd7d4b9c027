/** `sallyport delegate`: one brief in, an id out; with --wait the whole turn. */
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { costReport } from "../delegation/cost.ts";
import { dossierOf, showDossier } from "../delegation/dossier.ts";
import { brief as briefSchema, type Criterion } from "../domain/brief.ts";
import { type Delegation, restingStates, stateExitCode } from "../domain/delegation.ts";
import { type ErrorCode, SallyportError } from "../domain/error.ts";
import { checkSource, parseSource, readText } from "../policy/document.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say, sayNext } from "./context.ts";
import { watch } from "./watch.ts";

interface Options {
  repo?: string;
  base?: string;
  onto?: string;
  wait?: boolean;
}

/** A brief's file, and the files of its checks that lie beside it. */
export async function readBrief(path: string): Promise<{ brief: unknown; checkFiles: Record<string, string> }> {
  const source = parseSource(await readText(path, "brief-invalid"), path, "brief-invalid");
  const brief = checkSource(source, briefSchema, "brief-invalid");
  // As it was written: the host reads it again by itself.
  return { brief: source.raw, checkFiles: await readCheckFiles(brief.accept, path, "brief-invalid") };
}

/** The files that the checks of criteria name, from beside the file at `path`. */
export async function readCheckFiles(
  accept: readonly Criterion[],
  path: string,
  code: ErrorCode,
): Promise<Record<string, string>> {
  const names = new Set(accept.flatMap((c) => c.checks.flatMap((check) => ("files" in check ? check.files : []))));
  const checkFiles: Record<string, string> = {};
  for (const name of names) {
    try {
      checkFiles[name] = (await readFile(join(dirname(path), name))).toString("base64");
    } catch (cause) {
      throw new SallyportError(code, `the check's file ${name} is not beside ${path}`, {
        next: "Put it there, or correct its name.",
        cause,
      });
    }
  }
  return checkFiles;
}

async function delegate(shared: Globals, file: string, options: Options): Promise<number> {
  const { state, json } = shared;
  const { brief, checkFiles } = await readBrief(resolve(file));
  const { id } = await call<{ id: string }>(state, "POST", "/v1/delegations", {
    repository: resolve(options.repo ?? "."),
    ...(options.base ? { base: options.base } : {}),
    ...(options.onto ? { onto: options.onto } : {}),
    brief,
    checkFiles,
  });
  if (!options.wait) {
    if (json) print({ id });
    else {
      say(id);
      sayNext(`sallyport log ${id} -f, then sallyport land ${id}`);
    }
    return done;
  }
  const record = await watch<Delegation>(shared, { id, rests: ({ state: now }) => restingStates.has(now) });
  if (json) print({ ...record, cost: costReport([record]), dossier: dossierOf(record) });
  else {
    say(`${id} is ${record.state}${record.reason ? `: ${record.reason}` : ""}`);
    if (record.state === "approved")
      sayNext(`sallyport diff ${id}, then sallyport land ${id} or sallyport discard ${id}`);
    else sayNext(`sallyport show ${id}`);
    const dossier = dossierOf(record);
    if (dossier) for (const line of showDossier(dossier).split("\n")) say(line);
  }
  return stateExitCode[record.state];
}

export function delegateCommand(): Command {
  return command("delegate", "Hand one brief to an executor; prints the delegation's id.", [
    "sallyport delegate brief.yaml --repo /srv/git/money.git --base main",
    "sallyport delegate brief.yaml --repo . --onto sallyport/round-half --wait",
  ])
    .argument("<brief>", "the brief's YAML file; the files its checks name lie beside it")
    .option("--repo <dir>", "the host repository (default: this folder)")
    .option("--base <ref>", "what to start from (default: HEAD)")
    .option("--onto <branch>", "the branch it is meant to land on (default: the branch that --base names)")
    .option("--wait", "show the whole turn; the exit code is the outcome")
    .action(action(delegate));
}
