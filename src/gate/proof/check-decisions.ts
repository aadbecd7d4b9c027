/** Every attempt's decision, made again from what it was made from: the host's report, and the verdict. */
import type { Claim } from "../../domain/proof.ts";
import { reportFindings } from "../compare-runs.ts";
import { diffLines } from "../diff-lines.ts";
import { digestBytes, digestValue } from "../digest.ts";
import { judge } from "../judge.ts";
import { failed, holds, notProvable, proved } from "./claim.ts";
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
  verdict: ReturnType<typeof linesOf<"verdict.received">>[number] | undefined;
  rejected: ReturnType<typeof linesOf<"attempt.rejected">>[number] | undefined;
  approved: ReturnType<typeof linesOf<"delegation.approved">>[number] | undefined;
}

export function attemptsOf(id: string, lines: readonly ProofLine[]): AttemptLines[] {
  const of = <T extends { data: { attempt: number } }>(all: readonly T[], number: number) =>
    all.find(({ data }) => data.attempt === number);
  // Where several verifiers are asked, what counts is the verdict that is no single one's.
  const verdicts = linesOf(lines, "verdict.received", id).filter(({ data }) => !("member" in data));
  return linesOf(lines, "attempt.started", id).map(({ data: { attempt: number } }) => ({
    number,
    proposal: linesOf(lines, "proposal.collected", id).find(({ data }) => data.proposal.attempt === number),
    report: of(linesOf(lines, "tests.reported", id), number),
    verdict: of(verdicts, number),
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
  const order = [proposal, report, verdict, approved ?? rejected].filter((line) => line !== undefined);
  if (order.some((line, index) => line.seq <= (order[index - 1]?.seq ?? 0)))
    claims.push(failed(`${name} order`, "its stages are not in the order in which they are made"));
  if (approved && (!verdict || !report))
    claims.push(failed(`${name} approved`, "without a report and a verdict before it"));
  if (approved && rejected) claims.push(failed(`${name} approved`, "and rejected"));
  return claims;
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

/** The judgement of the verdict, made again. */
async function checkJudgement(id: string, name: string, attempt: AttemptLines, context: ProofContext): Promise<Claim> {
  const { pack, lines } = context;
  const claim = `${name} judgement`;
  const { proposal, report, verdict, approved, rejected } = attempt;
  const accepted = linesOf(lines, "delegation.accepted", id)[0];
  const digest = proposal?.data.proposal.patch ?? noPatch;
  const patch = pack.patches[digest];
  if (!verdict || !report || !accepted) return notProvable(claim, "a line that it needs cannot be read");
  if (patch === undefined)
    return notProvable(claim, "the host has the patch no more, against which the evidence is resolved");
  const text = Buffer.from(patch, "base64").toString("utf8");
  const again = judge(verdict.data.verdict, accepted.data.brief.accept, diffLines(text), report.data.report);
  const said = `${again.approved ? "approved" : again.hard ? "rejected for good" : "rejected"}`;
  if (approved)
    return holds(claim, again.approved ? undefined : `approved, and judged again it is ${said}`, "approved again");
  if (rejected?.data.by === "verifier") {
    const same = !again.approved && again.hard === rejected.data.hard;
    return holds(claim, same ? undefined : `rejected, and judged again it is ${said}`, `${said} again`);
  }
  return notProvable(claim, `judged again it is ${said}; nothing was decided on it`);
}
