/** A whole delegation on real sandboxes: its executor is a shell script, its verifiers are JavaScript, nothing else is scripted. */
import { join } from "node:path";
import { runDelegation } from "../../src/delegation/loop.ts";
import type { LoopTools } from "../../src/delegation/tools.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Event, EventData } from "../../src/domain/event.ts";
import type { HarnessFile } from "../../src/domain/harness.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { openHostRepository } from "../../src/worktree/host-repository.ts";
import { openQuarantine } from "../../src/worktree/quarantine.ts";
import { openRig, type Rig } from "../gate/rig.ts";
import { policyOf } from "../gate/samples.ts";
import { type Bench, bench, commit } from "../worktree/fixture.ts";
import { briefOf, freshId } from "./approved.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";

/** What a verifier's script can use: `post(verdict)` gives the status, `read(name)` a file of the case. */
const helpers = `import { existsSync, readFileSync } from "node:fs";
const read = (name) => readFileSync("/case/" + name, "utf8");
const question = JSON.parse(read("question.json"));
const post = async (body) => {
  const answer = await fetch("http://127.0.0.1:3128/verdict", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const text = await answer.text();
  console.log(answer.status, text);
  return { status: answer.status, ...JSON.parse(text) };
};
const tried = [{ tried: "negative numbers", found: false }];
const criteria = (status, line) => question.accept.map(({ id }) => ({ id, status, evidence: line ? [{ path: "src/sum.mjs", line }] : [], why: "as seen" }));
const approve = (line = 1) => ({ decision: "approve", criteria: criteria("met", line), refutations: tried, feedback: [] });
const reject = (line, more = {}) => ({ decision: "reject", criteria: criteria("unproven"), refutations: tried, feedback: [{ ...(line ? { path: "src/sum.mjs", line } : {}), what: "It overflows.", why: "Large numbers.", ...more }] });
`;

export interface Play {
  executor: string;
  /** Of each verifier by its name; `skeptic` is the policy's. */
  verifiers: Readonly<Record<string, string>>;
  policy?: Partial<Policy>;
  /** Events between `delegation.accepted` and the start: what a crash left. */
  before?: Event[];
  harnesses?: Readonly<Record<string, Partial<HarnessFile>>>;
  accepted?: Partial<EventData<"delegation.accepted">>;
}

export interface Played {
  record: Delegation;
  store: MemoryStore;
  reasons: string[][];
  /** How often a role had a sandbox. */
  turns(role: string): number;
}

export interface Theatre {
  rig: Rig;
  bench: Bench;
  /** The commit that every play starts from. */
  base: string;
  /** Plays one to its end; `signal` stops it, with the reason that the host would give. */
  play(play: Play, signal?: AbortSignal): Promise<Played>;
  close(): Promise<void>;
}

/** Opens the engine, the gateway and a repository whose `src/sum.mjs` is `content`; `setup` is run in it before its commit. */
export async function openTheatre(content: string, setup = "true"): Promise<Theatre> {
  const rig = await openRig();
  const b = await bench();
  const encoded = Buffer.from(content).toString("base64");
  const base = await commit(
    b.repo,
    `mkdir src; echo ${encoded} | base64 -d > src/sum.mjs; printf '{}' > package.json; ${setup}`,
  );
  const key = await loadHostKey(join(b.root, "keys"));
  const image = await rig.image("base");
  return {
    rig,
    bench: b,
    base,
    play: (play, signal = new AbortController().signal) => playOne(play, signal, { rig, b, base, key, image }),
    async close() {
      await b.clean();
      await rig.close();
    },
  };
}

async function playOne(
  play: Play,
  signal: AbortSignal,
  on: { rig: Rig; b: Bench; base: string; key: HostKey; image: string },
): Promise<Played> {
  const { rig, b, base, key, image } = on;
  const store = memoryStore();
  const id = freshId();
  const harness = (name: string): HarnessFile => ({
    name,
    roles: ["executor", "verifier"],
    description: "",
    command: Object.hasOwn(play.verifiers, name)
      ? ["node", "--input-type=module", "-e", helpers + play.verifiers[name]]
      : ["/bin/sh", "-c", play.executor],
    environment: {},
    files: [],
    smoke: ["true"],
    ...play.harnesses?.[name],
  });
  const tools: LoopTools = {
    record: store.record,
    append: store.append,
    note: store.note,
    subscribe: store.subscribe,
    delegations: () => [store.record(id)],
    runRole: async (run) => {
      const from = rig.events.length;
      const result = await rig.run(run);
      for (const event of rig.events.slice(from)) if (event.delegation === id) store.note(event);
      return result;
    },
    loadHarness: async (name) => harness(name),
    openRepository: openHostRepository,
    openQuarantine: (repository) => openQuarantine({ directory: join(b.root, "quarantine"), repository }),
    directories: { trees: join(b.root, "trees"), lanes: join(b.root, "lanes") },
    baselines: new Map(),
    key,
    now: () => new Date(),
    secrets: { known: () => false, mask: async (text) => text, contains: async () => [] },
  };
  const policy = policyOf(play.policy);
  const brief = briefOf({ accept: [{ id: "A1", must: "it adds", checks: [] }] });
  const data: EventData<"delegation.accepted"> = {
    repository: b.repo,
    base,
    ref: "refs/heads/main",
    planner: "default",
    brief,
    checkFiles: {},
    policy,
    policyDigest: digestValue(policy),
    briefDigest: digestValue(brief),
    images: { executor: image, tester: image, verifier: image },
    ...play.accepted,
  };
  await store.append({ type: "delegation.accepted", delegation: id, data });
  for (const event of play.before ?? []) await store.append({ ...event, delegation: id } as Event);
  await runDelegation(id, 0, tools, signal);
  const record = store.record(id);
  return {
    record,
    store,
    reasons: record.attempts.map((a) => (a.rejection?.findings ?? []).map((f) => f.reason)),
    turns: (role) => record.sandboxes.filter((one) => one.role === role).length,
  };
}
