/** A delegation on a real repository, brought by its events to `approved`: ready to land. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { LandTools } from "../../src/delegation/prepare-landing.ts";
import { settledBrief } from "../../src/domain/brief.ts";
import { harnessFile } from "../../src/domain/harness.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { digestBytes, digestValue } from "../../src/gate/digest.ts";
import type { HostKey } from "../../src/gate/keys.ts";
import { approvalFacts, approve } from "../../src/gate/land.ts";
import { openHostRepository, resolveCommit } from "../../src/worktree/host-repository.ts";
import { openQuarantine } from "../../src/worktree/quarantine.ts";
import { approval, criteria, digest, policyOf, reportOf, runOf } from "../gate/samples.ts";
import { memoryStore } from "./memory-store.ts";

const image = (digit: string) => `sha256:${digest(digit)}`;
export const images = { executor: image("1"), tester: image("2"), verifier: image("3") };

export const briefOf = (change: object = {}) =>
  settledBrief.parse({
    title: "Add, do not subtract",
    intent: "Sums are wrong.\nThey must be right.",
    instructions: "Change src/sum.mjs.",
    accept: criteria,
    executor: "scripted",
    policy: "sample",
    ...change,
  });

let made = 0;
/** A fresh delegation id. */
export function freshId(): string {
  made += 1;
  return `d-${[...made.toString(26)]
    .map((c) => String.fromCharCode(97 + Number.parseInt(c, 26)))
    .join("")
    .padStart(16, "a")}`;
}

export const start = new Date("2026-03-01T12:00:00.500Z");

export interface Approved {
  id: string;
  base: string;
  tree: string;
  store: ReturnType<typeof memoryStore>;
  tools: LandTools;
  repository: Awaited<ReturnType<typeof openHostRepository>>;
  quarantine: Awaited<ReturnType<typeof openQuarantine>>;
}

/** `path` is the host repository; below `root` a quarantine is made. */
export async function approved(
  root: string,
  path: string,
  key: HostKey,
  options: {
    ref?: string;
    policy?: Policy;
    brief?: object;
    until?: "verifying" | "approved";
    /** Left out: a landing that asks for a sandbox fails. */
    runRole?: LandTools["runRole"];
    images?: typeof images;
  } = {},
): Promise<Approved> {
  const repository = await openHostRepository(path);
  const directory = await mkdtemp(join(root, "quarantine-"));
  const openOwn = (of: typeof repository) => openQuarantine({ directory, repository: of });
  const quarantine = await openOwn(repository);
  const { commit: base, ref } = await resolveCommit(repository, undefined);
  const baseTree = await quarantine.treeOf(base);
  const before = (await quarantine.readBlob(`${base}:src/sum.mjs`)).toString("utf8");
  const oid = await quarantine.writeBlob(Buffer.from(before.replace("  a - b;\n", "  a +\n  b;\n")));
  const tree = await quarantine.compose(baseTree, [{ path: "src/sum.mjs", mode: "100644", oid }]);
  const author = { name: "Quarantine", email: "q@localhost" };
  const commit = await quarantine.commitTree({ tree, parent: base, message: "proposal", author, date: start });
  const patch = await quarantine.patch(baseTree, tree, 1024 * 1024);
  if (!patch.ok) throw new Error("no patch");

  const store = memoryStore();
  const id = freshId();
  const policy = options.policy ?? policyOf();
  const brief = briefOf(options.brief);
  const run = runOf({ works: "passed" }, { tree });
  const report = reportOf({ base: runOf({ works: "passed" }, { tree: baseTree }), proposal: run, proven: run });
  const verdict = approval();
  const say = (event: Parameters<typeof store.append>[0]) => store.append({ ...event, delegation: id });
  await say({
    type: "delegation.accepted",
    data: {
      repository: repository.path,
      base,
      ref: options.ref ?? ref ?? "refs/heads/main",
      planner: "default",
      brief,
      checkFiles: {},
      policy,
      policyDigest: digestValue(policy),
      briefDigest: digestValue(brief),
      images: options.images ?? images,
    },
  });
  await say({ type: "delegation.started", data: { lane: 0 } });
  await say({ type: "attempt.started", data: { attempt: 1, from: baseTree } });
  await say({ type: "attempt.executed", data: { attempt: 1, end: "exit" } });
  const proposal = {
    attempt: 1,
    commit,
    tree,
    patch: digestBytes(patch.patch),
    patchBytes: patch.patch.length,
    changes: [{ path: "src/sum.mjs", kind: "modified" as const }],
    ignored: 0,
  };
  await say({ type: "proposal.collected", data: { proposal } });
  await say({ type: "tests.reported", data: { attempt: 1, report, digest: digestValue(report) } });
  await say({ type: "verdict.received", data: { attempt: 1, verdict, digest: digestValue(verdict) } });
  const record = store.record(id);
  if (options.until !== "verifying") {
    const facts = await approvalFacts(record, 1, quarantine, record.ref);
    await say({ type: "delegation.approved", data: approve(facts, key, start, { lifetime: policy.landing?.expires }) });
  }
  const tools: LandTools = {
    runRole:
      options.runRole ??
      (async () => {
        throw new Error("no sandbox here");
      }),
    loadHarness: async (name) =>
      harnessFile.parse({ name, roles: ["verifier"], description: name, command: [name], smoke: [name] }),
    directories: { trees: join(directory, "trees"), lanes: join(directory, "lanes") },
    baselines: new Map(),
    secrets: { known: () => false, mask: async (text) => text, contains: async () => [] },
    record: store.record,
    append: store.append,
    openRepository: openHostRepository,
    openQuarantine: openOwn,
    key,
    now: () => new Date(start.getTime() + 60_000),
  };
  return { id, base, tree, store, tools, repository, quarantine };
}
