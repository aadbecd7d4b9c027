/** Every attempt's decision, made again from what it was made from: the host's report, and the verdict. */
import type { Claim } from "../../domain/proof.ts";
import type { Verdict } from "../../domain/verdict.ts";
import type { Quarantine } from "../../worktree/quarantine.ts";
import { reportFindings } from "../compare-runs.ts";
import { diffLines } from "../diff-lines.ts";
import { digestBytes, digestValue } from "../digest.ts";
import { fileOf } from "../evidence.ts";
import { type Judgement, judge } from "../judge.ts";
import { shownDiff } from "../shown-diff.ts";
import { failed, holds, notProvable, proved } from "./claim.ts";
import { treeAfter } from "./patched-tree.ts";
import type { ProofContext } from "./proof-context.ts";
import { linesOf, type ProofLine } from "./read-proof.ts";

const noPatch = "0".repeat(64);

export async function checkDecisions(context: ProofContext): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const id of context.pack.subject.delegations) {
    claims.push(...checkAccepted(id, context.lines));
    for (const attempt of attemptsOf(id, context.lines)) claims.push(...(await checkAttempt(id, attempt, context)));
  }
  return [...claims, ...checkPatches(context)];
}

/** What was asked: brief and policy by their digests. */
function checkAccepted(id: string, lines: readonly ProofLine[]): Claim[] {
  const [line, ...more] = linesOf(lines, "delegation.accepted", id);
  if (!line) return [notProvable(`${id} accepted`, "this version cannot read the line that accepts it")];
  if (more.length > 0) return [failed(`${id} accepted`, "it was accepted twice")];
  const { brief, briefDigest, policy, policyDigest } = line.data;
  const digest = (what: string, value: unknown, said: string) =>
    holds(
      `${id} ${what}`,
      digestValue(value) === said ? undefined : `line ${line.seq} holds a ${what} of another digest than it says`,
      `sha256:${said}`,
    );
  return [digest("brief", brief, briefDigest), digest("policy", policy, policyDigest)];
}

/** Every patch is what its digest says, and one that the lines name. */
function checkPatches({ pack, lines }: ProofContext): Claim[] {
  const texts = lines.map(({ data }) => JSON.stringify(data));
  return Object.entries(pack.patches).flatMap(([digest, patch]) => {
    const name = `patch ${digest.slice(0, 12)}`;
    if (digestBytes(Buffer.from(patch, "base64")) !== digest) return [failed(name, "it is not what its digest says")];
    return texts.some((text) => text?.includes(digest)) ? [] : [failed(name, "no line names it")];
  });
}

interface AttemptLines {
  number: number;
  proposal: ReturnType<typeof linesOf<"proposal.collected">>[number] | undefined;
  report: ReturnType<typeof linesOf<"tests.reported">>[number] | undefined;
  /** The only verifier's, or a panel's as a whole. */
  verdict: ReturnType<typeof linesOf<"verdict.received">>[number] | undefined;
  /** Of a panel: what each said. */
  members: ReturnType<typeof linesOf<"verdict.received">>;
  rejected: ReturnType<typeof linesOf<"attempt.rejected">>[number] | undefined;
  approved: ReturnType<typeof linesOf<"delegation.approved">>[number] | undefined;
}

export function attemptsOf(id: string, lines: readonly ProofLine[]): AttemptLines[] {
  const of = <T extends { data: { attempt: number } }>(all: readonly T[], number: number) =>
    all.find(({ data }) => data.attempt === number);
  return linesOf(lines, "attempt.started", id).map(({ data: { attempt: number } }) => ({
    number,
    proposal: linesOf(lines, "proposal.collected", id).find(({ data }) => data.proposal.attempt === number),
    report: of(linesOf(lines, "tests.reported", id), number),
    verdict: of(
      linesOf(lines, "verdict.received", id).filter(({ data }) => data.member === undefined),
      number,
    ),
    members: linesOf(lines, "verdict.received", id).filter(
      ({ data }) => data.member !== undefined && data.attempt === number,
    ),
    rejected: of(linesOf(lines, "attempt.rejected", id), number),
    approved: of(linesOf(lines, "delegation.approved", id), number),
  }));
}

async function checkAttempt(id: string, attempt: AttemptLines, context: ProofContext): Promise<Claim[]> {
  const { number, proposal, report, verdict, rejected, approved } = attempt;
  const name = `${id} attempt ${number}`;
  const claims: Claim[] = [];
  if (report) {
    const { data, seq } = report;
    const problem =
      digestValue(data.report) === data.digest ? undefined : `line ${seq} holds another report than it says`;
    claims.push(holds(`${name} report`, problem, `sha256:${data.digest}`));
    claims.push(checkTests(name, attempt));
    const { tree } = proposal?.data.proposal ?? {};
    if (data.report.tested)
      claims.push(
        holds(
          `${name} tested tree`,
          data.report.proposal?.tree === tree
            ? undefined
            : `tested was ${data.report.proposal?.tree}, collected ${tree}`,
          "the tree that was tested is the one that was collected",
        ),
      );
  }
  if (verdict) {
    const { data, seq } = verdict;
    const problem =
      digestValue(data.verdict) === data.digest ? undefined : `line ${seq} holds another verdict than it says`;
    claims.push(holds(`${name} verdict`, problem, `sha256:${data.digest}`));
    claims.push(await checkJudgement(id, name, attempt, context));
  }
  claims.push(...checkPanel(id, name, attempt, context));
  const order = [proposal, report, verdict, approved ?? rejected].filter((line) => line !== undefined);
  if (order.some((line, index) => line.seq <= (order[index - 1]?.seq ?? 0)))
    claims.push(failed(`${name} order`, "its stages are not in the order in which they are made"));
  if (approved && (!verdict || !report))
    claims.push(failed(`${name} approved`, "without a report and a verdict before it"));
  if (approved && rejected) claims.push(failed(`${name} approved`, "and rejected"));
  return claims;
}

/** Of a panel: each verdict by its digest, and whether enough of them approve. */
function checkPanel(id: string, name: string, { members, approved }: AttemptLines, { lines }: ProofContext): Claim[] {
  const claims = members.map(({ data, seq }) =>
    holds(
      `${name} verdict of ${data.member?.harness}`,
      digestValue(data.verdict) === data.digest ? undefined : `line ${seq} holds another verdict than it says`,
      `sha256:${data.digest}`,
    ),
  );
  const accepted = linesOf(lines, "delegation.accepted", id)[0]?.data;
  if (!accepted?.panel || !approved) return claims;
  const approvals = members.filter(({ data }) => data.verdict.decision === "approve").length;
  const needed = accepted.policy.verifier.panel?.approve ?? accepted.panel.length;
  return [
    ...claims,
    holds(
      `${name} panel`,
      approvals >= needed ? undefined : `${approvals} of its verifiers approve, and ${needed} are needed`,
      `${approvals} of ${accepted.panel.length} verifiers approve, ${needed} are needed`,
    ),
  ];
}

/** The host's own rules on its report, applied again. */
function checkTests(name: string, { report, rejected, verdict, approved }: AttemptLines): Claim {
  const reasons = (findings: readonly { reason: string }[]) =>
    [...new Set(findings.map(({ reason }) => reason))].sort().join(", ");
  const found = report ? reasonsOf(report.data.report) : [];
  if (found.length === 0) {
    const told = rejected?.data.by === "host" && !verdict ? reasons(rejected.data.findings) : undefined;
    if (told !== undefined) return failed(`${name} tests`, `rejected for ${told}, and the report shows nothing of it`);
    return proved(`${name} tests`, "the host's rules find nothing against its report");
  }
  if (verdict || approved)
    return failed(`${name} tests`, `a verifier was asked although the report shows ${reasons(found)}`);
  if (rejected?.data.by === "host" && reasons(rejected.data.findings) === reasons(found))
    return proved(`${name} tests`, `rejected for ${reasons(found)}, which the report shows`);
  return rejected
    ? failed(`${name} tests`, `the report shows ${reasons(found)}, and it was rejected for something else`)
    : notProvable(`${name} tests`, `the report shows ${reasons(found)}; nothing was decided on it`);
}

const reasonsOf = reportFindings;

/** Whether nothing speaks against a verdict but lines that the patch alone does not hold, in files that it changes. */
function mayResolve(verdict: Verdict, judgement: Judgement, patch: Buffer): boolean {
  const lines = diffLines(patch.toString("utf8"));
  const paths = verdict.criteria.flatMap(({ evidence }) =>
    evidence.flatMap((one) => ("path" in one ? [one.path] : [])),
  );
  return (
    judgement.findings.every(({ reason }) => reason === "verdict-unresolved") &&
    paths.every((path) => fileOf(lines, path) !== undefined)
  );
}

/** What verifiers were shown of a patch, made again; undefined where the base is not in the repository. */
async function shownAgain(quarantine: Quarantine, base: string, patch: Buffer): Promise<Buffer | undefined> {
  const from = await quarantine.treeOf(base).catch(() => undefined);
  if (from === undefined) return undefined;
  const to = await treeAfter(quarantine, from, patch);
  return to.startsWith("nothing") ? undefined : shownDiff(quarantine, from, to, patch.length);
}

/** The judgement of the verdict, made again. */
async function checkJudgement(
  id: string,
  name: string,
  attempt: AttemptLines,
  { pack, lines, place }: ProofContext,
): Promise<Claim> {
  const claim = `${name} judgement`;
  const { proposal, report, verdict, approved, rejected } = attempt;
  const accepted = linesOf(lines, "delegation.accepted", id)[0];
  const digest = proposal?.data.proposal.patch ?? noPatch;
  const patch = pack.patches[digest];
  if (!verdict || !report || !accepted) return notProvable(claim, "a line that it needs cannot be read");
  if (patch === undefined)
    return notProvable(claim, "the host has the patch no more, against which the evidence is resolved");
  const judged = (diff: Buffer) =>
    judge(verdict.data.verdict, accepted.data.brief.accept, diffLines(diff.toString("utf8")), report.data.report);
  const plain = Buffer.from(patch, "base64");
  let again = judged(plain);
  if (approved && !again.approved) {
    // Verifiers are shown whole functions, and may point into them: only the repository has these lines.
    if (!place && mayResolve(verdict.data.verdict, again, plain))
      return notProvable(claim, "its evidence is in the code around the change: --repo shows that");
    const shown = place && (await shownAgain(place.quarantine, accepted.data.base, plain));
    if (shown) again = judged(shown);
  }
  const said = `${again.approved ? "approved" : again.hard ? "rejected for good" : "rejected"}`;
  if (approved)
    return holds(claim, again.approved ? undefined : `approved, and judged again it is ${said}`, "approved again");
  if (rejected?.data.by === "verifier") {
    const same = !again.approved && again.hard === rejected.data.hard;
    return holds(claim, same ? undefined : `rejected, and judged again it is ${said}`, `${said} again`);
  }
  return notProvable(claim, `judged again it is ${said}; nothing was decided on it`);
}
