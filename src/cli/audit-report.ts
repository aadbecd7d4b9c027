/** `audit report`: the five questions of somebody who was not there, on the terminal, as JSON, or as one HTML file. */
import { exitCode, SallyportError } from "../domain/error.ts";
import { subjectId } from "../domain/identity.ts";
import type { DelegationPage } from "../domain/page.ts";
import type { AttemptPage } from "../domain/page-parts.ts";
import { showDuration, showSize } from "../domain/units.ts";
import { visibleLine } from "../domain/visible.ts";
import { type AuditReport, makeReport, type ReportAsk, reportMax } from "../host/audit/report.ts";
import { readAnchors } from "../host/audit/verified.ts";
import { timeOf, verifyWith } from "./audit-ledger.ts";
import { done, type Globals, print, say, table } from "./context.ts";
import { describeCost } from "./cost.ts";
import { newFile } from "./new-file.ts";
import type { Line } from "./terminal.ts";

export interface ReportFlags {
  since?: string;
  until?: string;
  html?: string;
  key?: string;
  anchor?: string[];
}

/** Rows of a list on the terminal; the page and `--json` have more. */
const rowsShown = 12;

export async function report({ state, json }: Globals, id: string | undefined, flags: ReportFlags): Promise<number> {
  const now = new Date();
  const ask = askOf(id, flags, now);
  // Before the ledger is read for minutes: where the file is to be, nothing may stand in its way.
  const file = flags.html === undefined ? undefined : await newFile(flags.html);
  let made: AuditReport;
  try {
    const anchors = await readAnchors(state, flags.anchor);
    made = await makeReport(ask, {
      state,
      ...(await verifyWith(state, flags.key)),
      keyKnown: flags.key !== undefined,
      anchors,
      patches: json || file !== undefined,
      now,
    });
    if (file) {
      const { renderReport } = await import("../console/report.ts");
      await file.write(
        await renderReport(made.pages, { made: made.made, version: made.version, asked: askedOf(made) }),
      );
      await file.keep();
    }
  } catch (error) {
    await file?.drop();
    throw error;
  }
  const ok = made.verification.ok && made.faults.length === 0;
  if (json) print({ ok, ...made, ...(flags.html === undefined ? {} : { file: flags.html }) });
  else if (flags.html === undefined) for (const line of describe(made)) say(line);
  else {
    say(`${flags.html}: ${made.pages.length} of ${made.found} delegations; ${wholeOf(made)}`);
    for (const line of faultsOf(made)) say(line);
  }
  return ok ? done : exitCode.rejected;
}

function askOf(id: string | undefined, { since, until }: ReportFlags, now: Date): ReportAsk {
  if (id === undefined && since !== undefined)
    return { since: timeOf(since, now), ...(until === undefined ? {} : { until: timeOf(until, now) }) };
  if (id === undefined || since !== undefined || until !== undefined)
    throw new SallyportError("usage", "a report is of one id, or of a span of time", {
      next: "`sallyport audit report d-…`, or `sallyport audit report --since 2026-11-01 [--until 2026-12-01]`.",
    });
  if (!/^[dpm]-/.test(id) || !subjectId.safeParse(id).success)
    throw new SallyportError("usage", `${visibleLine(id)} is no id of a delegation, plan or mission`, {
      next: "Take it from `sallyport list`.",
    });
  return { id };
}

const askedOf = ({ asked, found, pages }: AuditReport) =>
  found > pages.length ? `${asked} (the newest ${reportMax} of ${found} delegations)` : asked;

function wholeOf({ verification: { ok, head, failed } }: AuditReport): string {
  return ok ? `the log is whole up to ${head.seq}:${head.hash}` : `the log is BROKEN: ${failed[0]}`;
}

function faultsOf({ faults }: AuditReport): string[] {
  return faults.map(({ id, seq, problem }) => `FAULT  ${id} at line ${seq}: ${visibleLine(problem)}`);
}

function describe(made: AuditReport): Line[] {
  const { verification, pages, found } = made;
  return [
    `Audit report: ${made.asked}; made ${made.made} by Sallyport ${made.version}`,
    ...(found > pages.length
      ? [`${found} delegations were at work; these are the newest ${pages.length}: narrow it with --since and --until`]
      : []),
    ...(pages.length === 0 ? ["No delegation was at work."] : []),
    ...pages.flatMap((page) => ["", ...describePage(page)]),
    "",
    "IS THIS LOG WHOLE?",
    `  ${verification.ok ? "Yes, as far as can be proved" : "NO"}; head ${verification.head.seq}:${verification.head.hash}`,
    ...verification.failed.map((line) => `  FAILED      ${visibleLine(line)}`),
    ...verification.proved.map((line) => `  proved      ${visibleLine(line)}`),
    ...verification.notProved.map((line) => `  not proved  ${visibleLine(line)}`),
    `  key         ed25519 ${verification.key.keyid}`,
    ...faultsOf(made).map((line) => `  ${line}`),
  ];
}

function describePage(page: DelegationPage): Line[] {
  const { summary, budget } = page;
  const cost = describeCost({ tiers: budget.tiers, total: budget.total } as Parameters<typeof describeCost>[0]);
  return [
    `${summary.id}  ${summary.state.toUpperCase()}  ${one(summary.title)}`,
    ...(summary.reason ? [`  ${one(summary.reason)}`] : []),
    "WHAT DID IT DO?",
    ...did(page),
    "WHAT DID IT TRY?",
    ...tried(page),
    "WHO LET IT LAND?",
    ...landed(page),
    "WHAT DID IT COST?",
    ...(cost.length > 0 ? cost : ["  nothing: no sandbox ran"]),
  ];
}

/** A text on one line: none of its breaks can look like a line of the report. */
const one = visibleLine;
const counted = (count: number, what: string, many = `${what}s`) => `${count} ${count === 1 ? what : many}`;
const indented = (rows: string[][]) =>
  table(rows.map((row) => row.map(one)))
    .split("\n")
    .map((line) => `  ${line}`);
const more = (total: number, shown: number) => (total > shown ? [`  … and ${total - shown} more`] : []);

function did({ summary, policy, attempts, processes }: DelegationPage): string[] {
  const first = [
    `  planner ${one(summary.planner)}, policy ${policy.name}, executor ${one(summary.executor ?? "none")}, ${one(summary.repository)} at ${summary.base.slice(0, 12)} for ${one(summary.ref)}`,
  ];
  const names = processes.sandboxes
    .flatMap((sandbox) => sandbox.names.items)
    .reduce((sums, { name, count }) => sums.set(name, (sums.get(name) ?? 0) + count), new Map<string, number>());
  const top = [...names].sort((a, b) => b[1] - a[1]).slice(0, rowsShown);
  const ran =
    processes.total > 0
      ? [
          `  ${processes.total} processes by the kernel's word: ${top.map(([name, count]) => `${one(name)} ×${count}`).join(", ")}`,
        ]
      : [];
  return [...first, ...attempts.items.flatMap(attempt), ...more(attempts.total, attempts.items.length), ...ran];
}

function attempt(page: AttemptPage): string[] {
  const { number, executor, outcome, proposal, tests, sandboxes } = page;
  const time = sandboxes.items.reduce((sum, { milliseconds = 0 }) => sum + milliseconds, 0);
  const head = `  attempt ${number} by ${one(executor)}: ${outcome}, ${counted(sandboxes.total, "sandbox", "sandboxes")}, ${showDuration(time)}`;
  const changes = proposal
    ? [
        `    proposed ${counted(proposal.changes.total, "file")} (${showSize(proposal.patch.bytes)} patch, sha256 ${proposal.patch.digest.slice(0, 16)}…): ${proposal.changes.items
          .slice(0, rowsShown)
          .map(({ kind, path }) => `${kind} ${one(path)}`)
          .join(", ")}${proposal.changes.total > rowsShown ? ", …" : ""}`,
      ]
    : [];
  const reported = tests?.tested
    ? [
        `    tests: fail-to-pass ${tests.failToPass.total}, pass-to-pass ${tests.passToPass.total}, broken ${tests.broken.total}, disappeared ${tests.disappeared.total}`,
      ]
    : [];
  return [head, ...changes, ...reported];
}

function tried({ requests, attempts }: DelegationPage): string[] {
  const hosts = requests.hosts.items
    .slice(0, rowsShown)
    .map(({ host, allowed, denied, secrets }) => [
      host || "(no host)",
      String(allowed),
      String(denied),
      secrets.join(", "),
    ]);
  const denied = requests.items.filter(({ decision }) => decision === "deny").slice(0, rowsShown);
  const rejected = attempts.items.flatMap(({ number, findings }) =>
    findings.items
      .slice(0, rowsShown)
      .map((finding) => `  attempt ${number} rejected, ${finding.reason}: ${one(finding.message)}`),
  );
  return [
    `  ${counted(requests.total, "request")}, ${requests.denied} denied`,
    ...(hosts.length > 0 ? indented([["HOST", "ALLOWED", "DENIED", "SECRETS"], ...hosts]) : []),
    ...more(requests.hosts.total, rowsShown),
    ...denied.map(({ seq, method, url, code }) => `  denied at line ${seq}: ${one(method)} ${one(url)} (${one(code)})`),
    ...more(requests.denied, denied.length),
    ...rejected,
  ];
}

function landed({ summary, attempts, approval, landing, verifiers }: DelegationPage): string[] {
  const last = attempts.items.findLast(({ verdicts }) => verdicts.length > 0);
  const verdicts = (last?.verdicts ?? []).map(
    ({ by, decision, criteria }) =>
      `  verifier ${one(by)}: ${decision}; ${criteria.map(({ id, status }) => `${one(id)} ${status}`).join(", ")}`,
  );
  const signed = approval
    ? [
        `  approval ${approval.digest}, ${approval.verified ? "signature and statement hold" : "it does NOT hold"}: ${one(approval.why)}`,
        `  signed by ${approval.keyids.map(one).join(", ")}; issued ${approval.predicate.issued}, until ${approval.predicate.expires}`,
      ]
    : [
        `  nobody: there is no approval (it would have been ${verifiers.map(({ harness }) => one(harness)).join(", ")})`,
      ];
  return [
    ...verdicts,
    ...signed,
    summary.landed ? `  LANDED ${summary.landed.commit} on ${one(summary.landed.ref)}` : "  nothing of it has landed",
    ...landing.items.slice(-rowsShown).map(({ seq, time, text }) => `  line ${seq}, ${time}: ${one(text)}`),
  ];
}
