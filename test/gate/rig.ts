/** Roles on the real engine with the real gateway, and a small project of JavaScript to test. All is taken away by `close`. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../../src/domain/event.ts";
import { delegationIdFrom } from "../../src/domain/identity.ts";
import type { TestCommands } from "../../src/domain/policy.ts";
import type { TesterContext } from "../../src/gate/test-run.ts";
import { type Gateway, startGateway } from "../../src/gateway/process.ts";
import { roleRunner } from "../../src/host/role-runner.ts";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { dockerEngine } from "../../src/sandbox/docker-engine.ts";
import { listImages } from "../../src/sandbox/images/find.ts";
import type { RunRole } from "../../src/sandbox/role-run.ts";
import { type Bench, bench, commit, type Stage, stage } from "../worktree/fixture.ts";
import { policyOf } from "./samples.ts";

export const nodeTest: TestCommands = {
  run: "node --test --test-reporter=junit --test-reporter-destination=$SALLYPORT_REPORT --test-reporter=spec --test-reporter-destination=stdout",
  report: "junit",
  runner: "node-test",
  plant: "test",
  evidence: ["test/**"],
  wall: 30_000,
};

export interface Rig {
  run: RunRole;
  /** What was noted in the ledger's stead. */
  events: Event[];
  image(name: string): Promise<string>;
  close(): Promise<void>;
}

/** The newest image of a name; gateway and sandboxes bear a label of their own. */
export async function openRig(): Promise<Rig> {
  const docker = await connectEngine();
  const engine = dockerEngine(docker);
  const instance = `h-test${delegationIdFrom(randomBytes(10)).slice(6)}`;
  const directory = await mkdtemp(join(tmpdir(), "sallyport-gate-"));
  const events: Event[] = [];
  let gateway: Gateway | undefined;
  const runner = roleRunner({
    engine,
    instance,
    note: (event) => events.push(event),
    secrets: { mask: async (text) => text, maskOutput: async (bytes) => bytes, ready: async () => undefined },
    gateway: async () => {
      if (!gateway) throw new Error("no gateway");
      return gateway;
    },
  });
  gateway = await startGateway({
    directory: join(directory, "gateway"),
    uid: 10002,
    gid: 10002,
    onRequest: () => {},
    onVerb: (call) => runner.onVerb(call),
    onExit: () => {},
  });
  return {
    run: runner.run,
    events,
    async image(name) {
      const found = (await listImages(docker)).find((image) => image.name === name);
      if (!found) throw new Error(`build the image ${name} first: sallyport image build ${name}`);
      return found.digest;
    },
    async close() {
      await gateway?.stop();
      await engine.sweep(instance);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Project {
  bench: Bench;
  stage: Stage;
  context: TesterContext;
  /** The base's tree with some files put, or taken away (null), or made links. */
  tree(files: Record<string, string | null | { link: string }>): Promise<string>;
}

/** A project at a commit, and what the tester needs to run its tests. */
export async function project(
  rig: Rig,
  files: string,
  change: { tests?: TestCommands | undefined; breaks?: string[]; wall?: number; image?: string } = {},
): Promise<Project> {
  const made = await bench();
  await commit(made.repo, files);
  const staged = await stage(made);
  const { quarantine, base } = staged;
  const tests = "tests" in change ? change.tests : nodeTest;
  return {
    bench: made,
    stage: staged,
    context: {
      delegation: "d-aaaaaaaaaaaaaaaa",
      attempt: 1,
      policy: policyOf(tests ? { tests } : {}),
      image: await rig.image(change.image ?? "base"),
      place: { quarantine, base, setup: [], directory: join(made.root, "tests"), disk: 64 * 1024 * 1024 },
      runRole: rig.run,
      signal: new AbortController().signal,
      breaks: change.breaks ?? [],
    },
    async tree(given) {
      const overrides = await Promise.all(
        Object.entries(given).map(async ([path, content]) => {
          if (content === null) return { path, delete: true as const };
          const isLink = typeof content === "object";
          const oid = await quarantine.writeBlob(Buffer.from(isLink ? content.link : content));
          return { path, mode: isLink ? "120000" : "100644", oid };
        }),
      );
      return quarantine.compose(base.tree, overrides);
    },
  };
}
