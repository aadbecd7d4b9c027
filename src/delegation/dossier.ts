/**
 * The dossier of a stuck delegation: all that somebody needs to mend the brief, and no more. At most 4 KiB. Of the
 * executor's own words only the reason of its `report stuck` is in it, marked as a claim. Pure.
 */
import type { Attempt, Delegation } from "../domain/delegation.ts";
import { showDuration, showMoney } from "../domain/units.ts";
import { printable } from "../gate/printable.ts";
import { costReport } from "./cost.ts";
import { changeFor } from "./denied-change.ts";
import { rejectionClass } from "./track-record.ts";

/** Bytes of a dossier at most. */
export const dossierBytes = 4096;

export interface Dossier {
  delegation: string;
  title: string;
  stuck: {
    attempt: number;
    executor: string;
    /** `executor`: its own claim. `host`: what a detector saw, or a tree that was proposed twice. */
    by: "executor" | "host";
    detector?: string;
    reason: string;
  };
  asked: { intent: string; accept: { id: string; must: string }[]; writable: string[] };
  attempts: { attempt: number; executor: string; outcome: string; findings: string[] }[];
  denials: { request: string; count: number; code: string; change: string }[];
  spend: { milliseconds: number; requests: number; tokens: number; microusd: number };
  next: string[];
}

/** Hands a dossier to the planner harness behind a brief; resolves with whether there is one that took it. */
export type Escalate = (dossier: Dossier, text: string) => Promise<boolean>;

const clip = (text: string, most: number) => {
  const line = printable(text).replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1).toWellFormed()}…` : line;
};

/** The dossier of a delegation that is stuck; undefined for any other. */
export function dossierOf(record: Delegation): Dossier | undefined {
  if (record.state !== "stuck") return undefined;
  const { brief, policy, detected } = record;
  const { total } = costReport([record]);
  const last = record.attempts.at(-1);
  const by = record.stuckBy ?? "host";
  return {
    delegation: record.id,
    title: clip(brief.title, 120),
    stuck: {
      attempt: last?.number ?? 0,
      executor: last?.executor ?? record.executor,
      by,
      ...(by === "host" && detected ? { detector: detected.detector } : {}),
      reason: clip(record.reason ?? "", 600),
    },
    asked: {
      intent: clip(brief.intent, 400),
      accept: brief.accept.slice(0, 10).map(({ id, must }) => ({ id, must: clip(must, 160) })),
      writable: policy.filesystem.writable.slice(0, 10).map((pattern) => clip(pattern, 80)),
    },
    attempts: record.attempts.slice(-4).map(attemptOf),
    denials: record.denied.toReversed().map((denied) => ({
      request: clip(`${denied.method} ${denied.url}`, 200),
      count: denied.count,
      code: denied.code,
      change: clip(changeFor(policy, denied), 240),
    })),
    spend: {
      milliseconds: total.milliseconds,
      requests: total.requests,
      tokens: total.tokens,
      microusd: total.microusd,
    },
    next: nextSteps(record),
  };
}

function attemptOf(attempt: Attempt): Dossier["attempts"][number] {
  const { number, executor, rejection, failure } = attempt;
  if (failure)
    return { attempt: number, executor, outcome: `failed by the host's fault: ${failure.code}`, findings: [] };
  if (!rejection) return { attempt: number, executor, outcome: "ended stuck", findings: [] };
  const of = rejectionClass(rejection);
  const findings = rejection.findings.slice(0, 3).map(({ reason, path, line, criterion, message }) => {
    const where = path ? ` ${path}${line ? `:${line}` : ""}` : "";
    // What code under test printed is the executor's prose too.
    const said = of === "tests" ? "" : `: ${message}`;
    return clip(`${reason}${criterion ? ` ${criterion}` : ""}${where}${said}`, 200);
  });
  return { attempt: number, executor, outcome: `rejected by ${of === "tests" ? "the tests" : `the ${of}`}`, findings };
}

function nextSteps(record: Delegation): string[] {
  const steps =
    record.denied.length > 0
      ? [
          "If the work needs what was denied, the operator adds the rule to the policy; else say in the brief how to do without it.",
        ]
      : [];
  return [
    ...steps,
    "Mend the brief (smaller, clearer, with what was missing) and delegate it again, or do the work otherwise.",
    `All of it: sallyport log ${record.id}`,
  ];
}

/** The dossier as text of at most 4 KiB: what does not fit is left out from the end of its part, and it says so. */
export function showDossier(dossier: Dossier): string {
  const { stuck, asked, spend } = dossier;
  const whose = stuck.by === "executor" ? "the executor's claim" : (stuck.detector ?? "the host");
  const money = spend.microusd > 0 ? `, ${showMoney(spend.microusd)}` : "";
  // The most needed first; the closing has its place kept.
  const parts: string[][] = [
    [
      `STUCK ${dossier.delegation}: ${dossier.title}`,
      `attempt ${stuck.attempt} by ${stuck.executor}, as ${whose} says: ${stuck.by === "executor" ? JSON.stringify(stuck.reason) : stuck.reason}`,
      `spent: ${showDuration(spend.milliseconds)} in sandboxes, ${spend.requests} requests, ${spend.tokens} tokens${money}`,
    ],
    dossier.denials.flatMap(({ request, count, code, change }) => [
      `denied ${count} × ${request} (${code})`,
      `  would allow it: ${change}`,
    ]),
    dossier.attempts.flatMap(({ attempt, executor, outcome, findings }) => [
      `attempt ${attempt} (${executor}): ${outcome}`,
      ...findings.map((finding) => `  - ${finding}`),
    ]),
    [
      `asked for: ${asked.intent}`,
      ...asked.accept.map(({ id, must }) => `  ${id}: ${must}`),
      `may change: ${asked.writable.join(", ") || "nothing"}`,
    ],
  ];
  const closing = dossier.next.map((step) => `next: ${step}`);
  const shortened = "… (shortened)";
  let left = dossierBytes - Buffer.byteLength([...closing, shortened, ""].join("\n"));
  const lines: string[] = [];
  for (const part of parts) {
    for (const line of part) {
      const bytes = Buffer.byteLength(line) + 1;
      if (bytes > left) {
        if (lines.at(-1) !== shortened) lines.push(shortened);
        return [...lines, ...closing].join("\n");
      }
      lines.push(line);
      left -= bytes;
    }
  }
  return [...lines, ...closing].join("\n");
}
