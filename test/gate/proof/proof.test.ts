/** The proof pack: what it proves, what it says that it cannot, and that no field of it can be another. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { landDelegation } from "../../../src/delegation/decide.ts";
import { canonicalJson } from "../../../src/domain/canonical.ts";
import type { Event } from "../../../src/domain/event.ts";
import type { Claim, ProofPack } from "../../../src/domain/proof.ts";
import { reportFindings } from "../../../src/gate/compare-runs.ts";
import { digestValue } from "../../../src/gate/digest.ts";
import { type HostKey, loadHostKey } from "../../../src/gate/keys.ts";
import { loadProof, readProof } from "../../../src/gate/proof/read-proof.ts";
import { verifyProof } from "../../../src/gate/proof/verify-proof.ts";
import { type Approved, approved, freshId } from "../../delegation/approved.ts";
import { as, type Bench, bench, commit, owner } from "../../worktree/fixture.ts";
import { approval, reportOf, runOf } from "../samples.ts";
import { flipped, inside, leaves, type Path, packOf, placeAt, rehashed, sealed, withPem } from "./packs.ts";

let b: Bench;
let other: Bench;
let key: HostKey & { pem: string };
let stranger: HostKey & { pem: string };
let landed: Approved;
let text: string;
let pack: ProofPack;
let place: Awaited<ReturnType<typeof placeAt>>;
const files = "mkdir src; printf 'export const sum = (a, b) =>\\n  a - b;\\n' > src/sum.mjs";

beforeAll(async () => {
  b = await bench();
  const base = await commit(b.repo, files);
  await as(owner, b.repo, "git", "checkout", "-q", "-b", "work");
  await as(owner, b.repo, "git", "update-ref", "refs/heads/target", base);
  key = await withPem(await loadHostKey(join(b.root, "keys")), join(b.root, "keys"));
  stranger = await withPem(await loadHostKey(join(b.root, "stranger")), join(b.root, "stranger"));
  landed = await approved(b.root, b.repo, key, { ref: "refs/heads/target" });
  // Onto another branch: the approval is carried over by one that names it.
  await landDelegation(landed.id, "refs/heads/fresh", landed.tools);
  const between: Event = {
    type: "delegation.refused",
    data: { planner: "default", code: "usage", message: "another's" },
  };
  text = await packOf(b, key, landed.id, landed.store.log, landed.quarantine, { between });
  pack = inside(text);
  place = await placeAt(b, b.repo);
  other = await bench();
  await commit(other.repo, `${files}; echo other > README.md`);
}, 60_000);
afterAll(async () => {
  await b?.clean();
  await other?.clean();
});

const check = (bytes: Uint8Array, options: Parameters<typeof verifyProof>[1] = { key, place }) =>
  verifyProof(readProof(bytes), options);
const failures = (claims: readonly Claim[]) =>
  claims.filter(({ outcome }) => outcome === "failed").map(({ claim }) => claim);
const outcome = (claims: readonly Claim[], name: RegExp) => claims.filter(({ claim }) => name.test(claim));

describe("a landed delegation", () => {
  it("is proved in every line, with the repository and the host's key", async () => {
    const claims = await check(Buffer.from(text));
    expect(failures(claims)).toEqual([]);
    for (const name of [
      /^seal$/,
      /^key$/,
      /^lines$/,
      /^head \d+ signature$/,
      / brief$/,
      / policy$/,
      /attempt 1 report$/,
      /attempt 1 tests$/,
      /attempt 1 verdict$/,
      /attempt 1 judgement$/,
      /^approval \w+ signature$/,
      /^approval \w+ tree$/,
      /^approval \w+ replaces$/,
      /^landing \w+ approval$/,
      /attempt 1 tree$/,
      /^commit \w+ tree$/,
      /^commit \w+ parent$/,
      /^commit \w+ date$/,
      /Sallyport-Approval$/,
      /on refs\/heads\/fresh$/,
    ])
      expect(
        outcome(claims, name).map(({ outcome: is }) => is),
        String(name),
      ).toContain("proved");
    expect(outcome(claims, /^approval \w+ signature$/)).toHaveLength(2);
    // What a slice of a chain cannot show is said.
    expect(outcome(claims, /^chain gaps$/)[0]?.outcome).toBe("not-provable");
    expect(pack.subject).toMatchObject({ id: landed.id, state: "landed", delegations: [landed.id] });
    expect(pack.ledger.lines.some((line) => line.includes("another's"))).toBe(false);
  });

  it("without a key or a repository the same is whole, and the rest is not provable here", async () => {
    const claims = await check(Buffer.from(text), {});
    expect(failures(claims)).toEqual([]);
    expect(outcome(claims, /^key$/)[0]).toMatchObject({
      outcome: "not-provable",
      why: expect.stringContaining("--key"),
    });
    expect(outcome(claims, /in the repository/)[0]).toMatchObject({ outcome: "not-provable" });
  });

  it("nothing is written to the repository", async () => {
    const before = await as(owner, b.repo, "sh", "-c", "find .git -type f | sort | xargs sha256sum");
    await check(Buffer.from(text));
    expect(await as(owner, b.repo, "sh", "-c", "find .git -type f | sort | xargs sha256sum")).toBe(before);
  });

  it("a branch that was moved away since is no failure", async () => {
    await as(owner, b.repo, "git", "update-ref", "refs/heads/fresh", landed.base);
    const claims = await check(Buffer.from(text));
    expect(failures(claims)).toEqual([]);
    expect(outcome(claims, /on refs\/heads\/fresh$/)[0]?.outcome).toBe("not-provable");
    await as(
      owner,
      b.repo,
      "git",
      "update-ref",
      "refs/heads/fresh",
      landed.store.record(landed.id).landed?.commit ?? "",
    );
  });

  it("lines of a type that this version does not know are carried", async () => {
    const last = JSON.parse(pack.ledger.lines.at(-1) ?? "") as { seq: number; time: string };
    const own = {
      data: { what: 1 },
      delegation: landed.id,
      prev: "0".repeat(64),
      seq: last.seq,
      time: last.time,
      type: "landing.dreamt",
      hash: "",
    };
    const before = pack.ledger.lines.slice(0, -1);
    const changed = {
      ...pack,
      ledger: { ...pack.ledger, lines: [...before, rehashed(canonicalJson({ ...own, seq: last.seq - 0.5 }))] },
    };
    const claims = await check(sealed(changed, key));
    expect(failures(claims)).toEqual([]);
    expect(outcome(claims, /^lines unread$/)[0]?.why).toContain("landing.dreamt");
  });
});

describe("a pack that is not what the host made", () => {
  it("every field flipped once, unsigned: the seal fails, or it is no pack", async () => {
    for (const path of leaves(pack)) {
      const changed = Buffer.from(
        canonicalJson({
          ...JSON.parse(text),
          payload: Buffer.from(canonicalJson(flipped(pack, path))).toString("base64"),
        }),
      );
      let found: string[] = [];
      try {
        found = failures(await check(changed, { key }));
      } catch (error) {
        expect((error as { code?: string }).code, path.join(".")).toBe("proof-invalid");
        continue;
      }
      expect(found, path.join(".")).toContain("seal");
    }
  });

  it("every field flipped once and signed again by the host's own key: what it is about fails, by name", async () => {
    // Only the seal vouches for when and by which version it was exported, and for the head of that moment.
    const free = new Set(["made", "host.version", "ledger.head.seq", "ledger.head.hash", "version"]);
    for (const path of leaves(pack).filter((one) => !free.has(one.join(".")) && one[0] !== "ledger")) {
      let found: string[];
      try {
        found = failures(await check(sealed(flipped(pack, path), key), { key }));
      } catch (error) {
        expect((error as { code?: string }).code, path.join(".")).toBe("proof-invalid");
        continue;
      }
      expect(found.length, path.join(".")).toBeGreaterThan(0);
      expect(found).not.toContain("seal");
    }
  });

  it("every field of every line flipped once: that line is named", async () => {
    for (const [index, line] of pack.ledger.lines.entries()) {
      const entry = JSON.parse(line) as { seq: number };
      for (const path of leaves(entry)) {
        const lines = [...pack.ledger.lines];
        lines[index] = canonicalJson(flipped(entry, path));
        const found = failures(await check(sealed({ ...pack, ledger: { ...pack.ledger, lines } }, key), { key }));
        expect(
          found.some((name) => /^line \d+ (?:hash|order|prev|subject)$/.test(name)),
          `${entry.seq} ${path.join(".")}`,
        ).toBe(true);
      }
    }
  }, 120_000);

  it("a line that was made anew with its hash: the decision that rests on it fails", async () => {
    const about: [type: string, path: Path, claim: RegExp][] = [
      ["delegation.accepted", ["data", "brief", "intent"], / brief$/],
      ["delegation.accepted", ["data", "policy", "budget", "requests"], / policy$/],
      ["delegation.accepted", ["data", "base"], /^approval \w+ base$/],
      ["delegation.accepted", ["data", "repository"], /^approval \w+ repository$/],
      ["delegation.accepted", ["data", "images", "tester"], /^approval \w+ images$/],
      ["proposal.collected", ["data", "proposal", "tree"], /tested tree$/],
      ["proposal.collected", ["data", "proposal", "patch"], /^approval \w+ patch$/],
      ["tests.reported", ["data", "report", "base", "milliseconds"], / report$/],
      ["tests.reported", ["data", "digest"], / report$/],
      ["verdict.received", ["data", "verdict", "criteria", 0, "evidence", 0, "path"], / judgement$/],
      ["verdict.received", ["data", "digest"], / verdict$/],
      ["delegation.approved", ["data", "predicate", "tree"], / statement$/],
      ["delegation.approved", ["data", "digest"], / digest$/],
      ["delegation.approved", ["data", "approval", "signatures", 0, "keyid"], / signature$/],
      ["landing.intended", ["data", "commit"], / intent$/],
      ["delegation.landed", ["data", "commit"], / intent$/],
      ["delegation.landed", ["data", "ref"], / ref$/],
      ["delegation.landed", ["data", "approval"], /^landing \w+ approval$/],
    ];
    for (const [type, path, claim] of about) {
      const index = pack.ledger.lines.findIndex((line) => (JSON.parse(line) as { type: string }).type === type);
      const lines = [...pack.ledger.lines];
      lines[index] = rehashed(canonicalJson(flipped(JSON.parse(lines[index] ?? ""), path)));
      const found = failures(await check(sealed({ ...pack, ledger: { ...pack.ledger, lines } }, key)));
      expect(
        found.some((name) => claim.test(name)),
        `${type} ${path.join(".")}: ${found.join(", ")}`,
      ).toBe(true);
    }
  });

  it("another key, another repository, another delegation's lines", async () => {
    expect(failures(await check(Buffer.from(text), { key: stranger }))).toEqual(
      expect.arrayContaining(["seal", "key"]),
    );
    // Somebody else's word on the same content.
    const forged = sealed(
      { ...pack, host: { ...pack.host, keyid: stranger.keyid, publicKey: stranger.pem } },
      stranger,
    );
    expect(failures(await check(forged, { key }))).toEqual(expect.arrayContaining(["seal", "key"]));
    expect(failures(await check(forged, {})).some((name) => /^approval \w+ signature$/.test(name))).toBe(true);
    const elsewhere = failures(await check(Buffer.from(text), { key, place: await placeAt(other, other.repo) }));
    expect(elsewhere).toEqual(
      expect.arrayContaining([expect.stringMatching(/ base$/), expect.stringMatching(/^commit /)]),
    );
    const second = await approved(b.root, b.repo, key, { ref: "refs/heads/target" });
    const spliced = inside(await packOf(b, key, second.id, second.store.log, second.quarantine));
    const lines = [...pack.ledger.lines.slice(0, 4), ...spliced.ledger.lines.slice(4)];
    const found = failures(await check(sealed({ ...pack, ledger: { ...pack.ledger, lines } }, key), { key }));
    expect(found.some((name) => / subject$/.test(name))).toBe(true);
  });

  it("a file that was cut, is empty, or is something else is no pack", async () => {
    for (const [name, bytes] of Object.entries({
      cut: text.slice(0, text.length / 2),
      empty: "",
      array: "[]",
      approval: canonicalJson(landed.store.record(landed.id).approval?.approval),
    })) {
      const file = join(b.root, `${name}.json`);
      await writeFile(file, bytes);
      await expect(loadProof(file), name).rejects.toMatchObject({ code: "proof-invalid" });
    }
    await expect(loadProof(join(b.root, "missing.json"))).rejects.toMatchObject({ code: "proof-invalid" });
    await expect(loadProof("/dev/zero")).rejects.toMatchObject({ code: "proof-invalid" });
  });
});

describe("what was not approved", () => {
  /** The log of an approved one up to its report, with an end of its own. */
  async function ended(report: ReturnType<typeof reportOf> | undefined, tail: (say: (event: object) => void) => void) {
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/target", until: "verifying" });
    const id = a.id;
    const keep = report ? 5 : 6;
    const events: Event[] = a.store.log.slice(0, keep);
    const say = (event: object) => events.push({ ...event, delegation: id } as Event);
    if (report) {
      const tree = a.tree;
      const run = runOf(report.proposal?.tests ?? {}, { tree });
      const own = { ...report, proposal: run, proven: run };
      say({ type: "tests.reported", data: { attempt: 1, report: own, digest: digestValue(own) } });
    }
    tail(say);
    return check(Buffer.from(await packOf(b, key, id, events, a.quarantine)));
  }

  it("a rejection by the host's tests is proved from its report, and a made-up one fails", async () => {
    const red = reportOf({ proposal: runOf({ works: "failed" }) });
    const findings = reportFindings({ ...red, proven: red.proposal });
    const end = (reason: string) => (say: (event: object) => void) => {
      say({
        type: "attempt.rejected",
        data: { attempt: 1, by: "host", hard: false, findings: [{ ...findings[0], reason }] },
      });
      say({ type: "delegation.rejected", data: { hard: false, message: "none" } });
    };
    const claims = await ended(red, end("tests-failed"));
    expect(failures(claims)).toEqual([]);
    expect(outcome(claims, / tests$/)[0]).toMatchObject({
      outcome: "proved",
      why: expect.stringContaining("tests-failed"),
    });
    expect(outcome(claims, /subject.state/)[0]?.why).toContain("rejected");
    expect(failures(await ended(red, end("check-failed"))).some((name) => / tests$/.test(name))).toBe(true);
  });

  it("a rejection by the verifier is judged again, and one that should have been an approval fails", async () => {
    const end = (verdict: ReturnType<typeof approval>) => (say: (event: object) => void) => {
      say({ type: "verdict.received", data: { attempt: 1, verdict, digest: digestValue(verdict) } });
      const findings = [{ reason: "verdict-reject", message: "no" }];
      say({ type: "attempt.rejected", data: { attempt: 1, by: "verifier", hard: false, findings } });
    };
    const claims = await ended(
      undefined,
      end(approval({ decision: "reject", feedback: [{ what: "it adds", why: "badly" }] })),
    );
    expect(failures(claims)).toEqual([]);
    expect(outcome(claims, / judgement$/)[0]).toMatchObject({ outcome: "proved", why: "rejected again" });
    expect(failures(await ended(undefined, end(approval()))).some((name) => / judgement$/.test(name))).toBe(true);
  });

  it("one that is stuck, or still runs, is told as what it is", async () => {
    const a = await approved(b.root, b.repo, key, { ref: "refs/heads/target", until: "verifying" });
    const stuck: Event = { type: "delegation.stuck", delegation: a.id, data: { attempt: 1, reason: "cannot" } };
    const log = a.store.log.slice(0, 3);
    const claims = await check(Buffer.from(await packOf(b, key, a.id, [...log, stuck], undefined)));
    expect(failures(claims)).toEqual([]);
    expect(outcome(claims, /subject.state/)[0]?.why).toContain("stuck");
    const running = await check(Buffer.from(await packOf(b, key, a.id, log, undefined, { close: false })));
    expect(failures(running)).toEqual([]);
    expect(outcome(running, /^heads$/)[0]?.outcome).toBe("not-provable");
  });

  it("what the ledger does not have cannot be exported", async () => {
    await expect(packOf(b, key, freshId(), landed.store.log, undefined)).rejects.toMatchObject({ code: "not-found" });
    await expect(packOf(b, key, "c-aaaaaaaaaaaaaaaa", landed.store.log, undefined)).rejects.toMatchObject({
      code: "not-found",
    });
  });
});
