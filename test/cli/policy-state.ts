/** A state directory whose ledger holds one delegation, written the way the daemon writes it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../../src/domain/event.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { loadHostKey } from "../../src/gate/keys.ts";
import { stateDirectory } from "../../src/host/state-directory.ts";
import { openLedger } from "../../src/ledger/open.ts";
import { policyWith } from "../policy/arbitraries.ts";
import { line, sandbox } from "../policy/recorded.ts";

export const delegation = "d-abcdefgh23456722";
const digest = "0".repeat(64);
const image = `sha256:${digest}`;
const oid = "0".repeat(40);

/** The policy that the recorded delegation ran under. */
export const recordedPolicy: Policy = policyWith([{ host: "registry.npmjs.org", scheme: "https", methods: ["GET"] }], {
  name: "money",
  filesystem: { visible: ["**"], writable: ["src/**", "docs/**"], protected: [".git*"] },
});

/** Makes it. The caller removes it with `drop`. */
export async function makeState(): Promise<{ root: string; drop(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), "sallyport-policy-"));
  const state = stateDirectory(root);
  const key = await loadHostKey(state.keys);
  const ledger = await openLedger({
    directory: state.ledger,
    now: () => new Date(),
    sign: (bytes) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") }),
  });
  const allowed = { decision: "allow", code: "allowed", rule: "network[0] registry.npmjs.org", status: 200 } as const;
  const requests = [
    line("CONNECT registry.npmjs.org:443", { ...allowed, status: 200 }),
    line("GET https://registry.npmjs.org/left-pad", allowed),
    line("GET https://registry.npmjs.org/left-pad", allowed),
    line("GET https://registry.npmjs.org/-/v1/search?14", allowed),
    line("CONNECT rates.example.org:443", { rule: "none" }),
    line("GET http://prices.example.org/daily.csv"),
    line("GET http://prices.example.org/daily.csv"),
    line("GET http://169.254.169.254/latest/meta-data/"),
  ];
  const events: Event[] = [
    {
      type: "delegation.accepted",
      delegation,
      data: {
        repository: "/srv/git/money.git",
        base: oid,
        ref: "refs/heads/main",
        planner: "default",
        brief: {
          title: "Round half to even",
          intent: "Money must round half to even.",
          instructions: "Change roundMoney.",
          accept: [{ id: "A1", must: "it rounds", checks: [] }],
          executor: "scripted",
          policy: "money",
          breaks: [],
        },
        checkFiles: {},
        policy: recordedPolicy,
        policyDigest: digest,
        briefDigest: digest,
        images: { executor: image, tester: image, verifier: image },
      },
    },
    { type: "delegation.started", delegation, data: { lane: 0 } },
    { type: "attempt.started", delegation, data: { attempt: 1, from: oid } },
    {
      type: "sandbox.started",
      delegation,
      data: { sandbox, attempt: 1, role: "executor", purpose: "execute", image, engine: "docker", controls: {} },
    },
    ...requests.map((data): Event => ({ type: "request", delegation, data })),
    {
      type: "sandbox.ended",
      delegation,
      data: { sandbox, end: "exit", exit: 0, milliseconds: 900_000, output: { bytes: 2048, digest, kept: 0 } },
    },
    { type: "attempt.executed", delegation, data: { attempt: 1, end: "exit" } },
    {
      type: "proposal.collected",
      delegation,
      data: {
        proposal: {
          attempt: 1,
          commit: oid,
          tree: oid,
          patch: digest,
          patchBytes: 900,
          changes: [
            { path: "src/money.ts", kind: "modified" },
            { path: "docs/money.md", kind: "modified" },
          ],
          ignored: 0,
        },
      },
    },
  ];
  for (const event of events) await ledger.append(event);
  await ledger.close();
  return { root, drop: () => rm(root, { recursive: true, force: true }) };
}
