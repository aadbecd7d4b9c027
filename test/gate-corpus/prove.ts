/**
 * Proves the labels of the corpus: `hidden/prove.*` of each brief must fail on the base and on every bad case, and pass
 * on every good one. Usage: node test/gate-corpus/prove.ts [REPOSITORY[/BRIEF[/CASE]]]
 *
 * The cases of a brief run one after the other in one tester sandbox, without any socket: some of them end processes,
 * write where they should not, or open connections.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { shippedImages } from "../../src/host/config.ts";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { dockerEngine } from "../../src/sandbox/docker-engine.ts";
import { type SandboxEngine, sandboxOwner } from "../../src/sandbox/engine.ts";
import { baseEnvironment } from "../../src/sandbox/hardening.ts";
import { findImage } from "../../src/sandbox/images/find.ts";
import { kindOf } from "./classes.ts";
import { type CorpusBrief, type CorpusRepository, corpusDirectory, loadCorpus } from "./load.ts";
import { type Tree, writeTree } from "./tree.ts";

/** A label that its hidden test does not bear out, with the test's last output. */
export interface Unproved {
  name: string;
  expected: "pass" | "fail";
  output: string;
}

const interpreters: Record<string, string> = { sh: "sh", mjs: "node", ts: "node", py: "python3" };
/** What the sandboxes of proofs are labelled with, to be swept by. */
export const proofInstance = `h-prove${process.pid}`;
/** Seconds that one proof may take. */
const proofTime = 150;

/** The labels of a brief that do not hold; `only` is one case's id. */
export async function proveBrief(
  engine: SandboxEngine,
  image: string,
  repository: CorpusRepository,
  brief: CorpusBrief,
  only?: string,
): Promise<Unproved[]> {
  const program = (await readdir(brief.hidden)).find((name) => name.startsWith("prove."));
  const interpreter = interpreters[program?.split(".").at(-1) ?? ""];
  if (!program || !interpreter)
    throw new Error(`${brief.hidden} has no prove.{${Object.keys(interpreters).join(",")}}`);
  const subjects: { id: string; name: string; tree: Tree; expected: "pass" | "fail" }[] = [
    { id: "base", name: `${repository.id}/${brief.id} (base)`, tree: repository.base, expected: "fail" as const },
    ...brief.cases.map(({ id, name, tree, class: of }) => {
      const expected = kindOf(of) === "good" ? ("pass" as const) : ("fail" as const);
      return { id: `case-${id}`, name, tree, expected };
    }),
  ].filter((subject) => !only || subject.id === `case-${only}`);
  const directory = await mkdtemp(join(tmpdir(), "sallyport-prove-"));
  try {
    for (const { id, tree } of [...subjects, { id: "BASE", tree: repository.base }]) {
      await mkdir(join(directory, id));
      writeTree(join(directory, id), tree);
    }
    await giveAway(directory);
    const proof = `${interpreter} /hidden/${program}`;
    await run(
      engine,
      image,
      directory,
      brief.hidden,
      proof,
      subjects.map((s) => s.id),
    );
    return subjects.flatMap(({ id, name, expected }) => {
      const exit = read(directory, `${id}.exit`);
      // Above 123 are `timeout`, a signal, and a program that could not be started: no word of the hidden test's.
      const holds = /^\d+$/.test(exit) && Number(exit) < 124 && (exit === "0") === (expected === "pass");
      return holds ? [] : [{ name, expected, output: `exit ${exit}: ${read(directory, `${id}.out`).slice(-1500)}` }];
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function run(
  engine: SandboxEngine,
  image: string,
  directory: string,
  hidden: string,
  proof: string,
  ids: readonly string[],
): Promise<void> {
  const script = [
    "export HIDDEN=/hidden BASE=/cases/BASE CORPUS=/corpus",
    ...ids.map(
      (id) => `cd /cases/${id}; timeout -k 1 ${proofTime} ${proof} >/cases/${id}.out 2>&1; echo $? >/cases/${id}.exit`,
    ),
  ].join("\n");
  const sandbox = await engine.start({
    id: `s-prove${randomBytes(8).toString("hex")}`,
    host: proofInstance,
    role: "tester",
    image,
    command: ["/bin/sh", "-c", script],
    environment: baseEnvironment(false),
    directory: "/cases",
    mounts: [
      { source: directory, target: "/cases", writable: true },
      { source: hidden, target: "/hidden", writable: false },
      { source: corpusDirectory, target: "/corpus", writable: false },
    ],
    runtime: "runc",
    cpus: 2,
    memory: 1024 * 1024 * 1024,
    pids: 256,
    fileSize: 64 * 1024 * 1024,
    wall: 1_800_000,
    output: 8 * 1024 * 1024,
    onOutput: () => {},
  });
  const ended = await sandbox.done;
  if (ended.end !== "exit") throw new Error(`the proof ended as ${ended.end}`);
}

function read(directory: string, name: string): string {
  return readFileSync(join(directory, name), "utf8").trim();
}

/** Everything below a directory becomes the sandbox's; links themselves, never what they point to. */
async function giveAway(directory: string): Promise<void> {
  await promisify(execFile)("chown", ["-hR", `${sandboxOwner.uid}:${sandboxOwner.gid}`, directory]);
}

if (import.meta.main) {
  const [repositoryName, briefName, caseName] = (process.argv[2] ?? "").split("/");
  const docker = await connectEngine();
  const engine = dockerEngine(docker);
  let count = 0;
  try {
    for (const repository of await loadCorpus(corpusDirectory, repositoryName || undefined)) {
      const image = await findImage(docker, repository.policy.tests?.image ?? "base", shippedImages);
      for (const brief of repository.briefs.filter((b) => !briefName || b.id === briefName)) {
        const unproved = await proveBrief(engine, image.digest, repository, brief, caseName);
        for (const { name, expected, output } of unproved) {
          console.log(`${name}: its hidden test should ${expected}\n    ${output.replaceAll("\n", "\n    ")}`);
          process.exitCode = 1;
        }
        const cases = caseName ? 1 : brief.cases.length;
        count += cases;
        console.log(`${repository.id}/${brief.id}: ${cases} cases, ${unproved.length} labels that do not hold`);
      }
    }
  } finally {
    await engine.sweep(proofInstance);
  }
  if (count === 0) {
    console.error(`no case is called ${process.argv[2]}`);
    process.exitCode = 2;
  }
}
