/** Reads the corpus: repositories, their briefs, and the cases of each, strictly. A mistake is named with file and line. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { z } from "zod";
import { type Brief, brief as briefSchema } from "../../src/domain/brief.ts";
import { SallyportError } from "../../src/domain/error.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { checkSource, parseSource, readText, type Source } from "../../src/policy/document.ts";
import { loadPolicyFile } from "../../src/policy/load.ts";
import { type CaseClass, caseClasses, kindOf } from "./classes.ts";
import { applyEdits, EditError, readTree, type Tree } from "./tree.ts";

const path = z
  .string()
  .min(1)
  .max(1000)
  .refine((p) => !p.startsWith("/") && !p.split("/").some((s) => s === "" || s === "." || s === ".."), {
    message: "expected a path below the top of the tree",
  });

const edit = z.union([
  z.strictObject({ path, find: z.string().min(1), replace: z.string() }),
  z.strictObject({ path, write: z.string() }),
  z.strictObject({ path, write64: z.base64() }),
  z.strictObject({ path, fill: z.number().int().positive().max(1024 * 1024) }),
  z.strictObject({ path, append: z.string().min(1) }),
  z.strictObject({ path, delete: z.literal(true) }),
  z.strictObject({ path, link: z.string().min(1) }),
  z.strictObject({ path, mode: z.string().regex(/^[0-7]{3,4}$/) }),
]);
export type Edit = z.infer<typeof edit>;

const corpusCase = z.strictObject({
  id: z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/),
  class: z.enum(caseClasses),
  note: z.string().min(1).max(300).optional().describe("What is wrong with it, or different from gold; one line."),
  from: z.enum(["base", "gold"]).default("base"),
  reach: z
    .enum(["tests", "reading"])
    .optional()
    .describe("Of a semantic one: whether a check of the brief is about what is wrong, or only reading can tell."),
  edits: z.array(edit).default([]),
});

const casesFile = z.strictObject({ gold: z.array(edit).min(1), cases: z.array(corpusCase).min(1) });

export interface CorpusCase {
  /** `<repository>/<brief>/<case>`. */
  name: string;
  id: string;
  class: CaseClass;
  note: string | undefined;
  /** Of a semantic one; left out it is `reading`. */
  reach: "tests" | "reading";
  /** The result tree. */
  tree: Tree;
}

export interface CorpusBrief {
  id: string;
  brief: Brief;
  /** The files that its checks name, as base64. */
  checkFiles: Record<string, string>;
  /** The folder with `prove.*`. */
  hidden: string;
  cases: CorpusCase[];
}

export interface CorpusRepository {
  id: string;
  directory: string;
  base: Tree;
  policy: Policy;
  briefs: CorpusBrief[];
}

export const corpusDirectory = import.meta.dirname;
const shippedPolicies = join(import.meta.dirname, "../../policies");
const code = "brief-invalid";

/** All repositories of the corpus, or the one named. Throws `brief-invalid` with `file:line:column` of what is wrong. */
export async function loadCorpus(directory = corpusDirectory, only?: string): Promise<CorpusRepository[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((e) => e.isDirectory() && (!only || e.name === only)).map((e) => e.name);
  return Promise.all(names.sort().map((name) => loadRepository(join(directory, name), name)));
}

async function loadRepository(directory: string, id: string): Promise<CorpusRepository> {
  const base = readTree(join(directory, "base"));
  const { policy } = await loadPolicyFile(join(directory, "policy.yaml"), [shippedPolicies]);
  const names = (await readdir(join(directory, "briefs"))).sort();
  const briefs = await Promise.all(names.map((name) => loadBrief(join(directory, "briefs", name), id, name, base)));
  return { id, directory, base, policy: { ...policy, name: id }, briefs };
}

async function loadBrief(directory: string, repository: string, id: string, base: Tree): Promise<CorpusBrief> {
  const sourceOf = async (name: string) => {
    const file = join(directory, name);
    return parseSource(await readText(file, code), relative(process.cwd(), file), code);
  };
  const brief = checkSource(await sourceOf("brief.yaml"), briefSchema, code);
  const checkFiles: Record<string, string> = {};
  for (const check of brief.accept.flatMap((criterion) => criterion.checks)) {
    for (const name of "files" in check ? check.files : [])
      checkFiles[name] = (await readFile(join(directory, "checks", name))).toString("base64");
  }
  const source = await sourceOf("cases.yaml");
  const written = checkSource(source, casesFile, code);
  const gold = edited(base, written.gold, source, ["gold"]);
  const seen = new Set<string>();
  const cases = written.cases.map((one, index): CorpusCase => {
    const at = ["cases", index];
    if (seen.has(one.id)) throw invalid(source, [...at, "id"], `there are two cases ${one.id}`);
    seen.add(one.id);
    const kind = kindOf(one.class);
    if (kind !== "semantic" && one.reach) throw invalid(source, [...at, "reach"], "only a semantic case has a reach");
    if (one.class !== "gold" && !one.note) throw invalid(source, at, `${one.id} needs a note`);
    return {
      name: `${repository}/${id}/${one.id}`,
      id: one.id,
      class: one.class,
      note: one.note,
      reach: one.reach ?? "reading",
      tree: edited(one.from === "gold" ? gold : base, one.edits, source, [...at, "edits"]),
    };
  });
  const hidden = join(directory, "hidden");
  if (!existsSync(hidden)) throw invalid(source, [], `${hidden} is missing`);
  return { id, brief, checkFiles, hidden, cases };
}

function edited(from: Tree, edits: readonly Edit[], source: Source, at: (string | number)[]): Tree {
  try {
    return applyEdits(from, edits);
  } catch (error) {
    if (!(error instanceof EditError)) throw error;
    throw invalid(source, [...at, error.index], error.message);
  }
}

function invalid(source: Source, at: (string | number)[], message: string): SallyportError {
  const place = source.where(at);
  return new SallyportError(code, `${place} ${message}`, { next: "Correct the line named above.", at: place });
}
