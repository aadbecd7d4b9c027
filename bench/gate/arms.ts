/** The arms of the bench: what the gate decides on each case under each judge, and what it must never do. Pure. */
import { kindOf } from "../../test/gate-corpus/classes.ts";
import { type DecideOptions, type Decision, decide, hostFindings, hostRules } from "./decide.ts";
import { bribed, careless, stubborn } from "./judges.ts";
import type { Measured } from "./measure-cases.ts";

export const arms = ["always-approve", "always-reject", "skeptic-rules", "model"] as const;
export type Arm = (typeof arms)[number];

/** The image behind an arm that has one. */
export const imageOf: Partial<Record<Arm, string>> = { "skeptic-rules": "skeptic-rules", model: "skeptic" };

/** The decision under a judge; undefined where that judge was not asked. */
export function decisionOf(arm: Arm, measured: Measured, options: DecideOptions = {}): Decision | undefined {
  const { evidence, question } = measured;
  if (arm === "always-approve")
    return decide(evidence, question, { verdict: bribed(question.accept, evidence) }, options);
  if (arm === "always-reject")
    return decide(evidence, question, { verdict: stubborn(question.accept, evidence) }, options);
  const answer = measured.answers[imageOf[arm] ?? arm];
  if (answer) return decide(evidence, question, answer, options);
  const host = hostFindings(evidence, question, options);
  return host.length > 0 ? { approved: false, by: "host", findings: host } : undefined;
}

/** An approval that no judge may bring about, by the case and the way. */
export interface Slip {
  name: string;
  how: string;
}

/** Approvals of rule-decidable cases by the bribed judge. */
export function bribedSlips(all: readonly Measured[], options: DecideOptions = {}): Slip[] {
  return all
    .filter((m) => kindOf(m.evidence.class) === "rule" && decisionOf("always-approve", m, options)?.approved)
    .map((m) => ({ name: m.evidence.name, how: "approved by a bribed judge" }));
}

/** Approvals by verdicts that no verdict may approve with, over all cases that the host's rules let by. */
export function carelessSlips(all: readonly Measured[], options: DecideOptions = {}): { tried: number; slips: Slip[] } {
  let tried = 0;
  const slips: Slip[] = [];
  for (const { evidence, question } of all) {
    if (!evidence.report || hostFindings(evidence, question).length > 0) continue;
    for (const { how, answer } of careless(question.accept, evidence)) {
      tried++;
      if (decide(evidence, question, answer, options).approved) slips.push({ name: evidence.name, how });
    }
  }
  return { tried, slips };
}

/** Approvals of a tree that was rejected before and comes again, to a bribed judge. Bad cases that the rules let by. */
export function repeatedSlips(all: readonly Measured[], options: DecideOptions = {}): { tried: number; slips: Slip[] } {
  const again = all.filter(
    ({ evidence, question }) =>
      kindOf(evidence.class) === "semantic" && evidence.report && hostFindings(evidence, question).length === 0,
  );
  const slips = again.filter((m) => decisionOf("always-approve", m, { ...options, again: true })?.approved);
  return { tried: again.length, slips: slips.map((m) => ({ name: m.evidence.name, how: "the same tree again" })) };
}

/** Every approval that no judge may bring about. */
export function allSlips(all: readonly Measured[], options: DecideOptions = {}): Slip[] {
  return [...bribedSlips(all, options), ...carelessSlips(all, options).slips, ...repeatedSlips(all, options).slips];
}

/** What each host rule stops that no other does: the slips that come with it alone switched off. */
export function ablate(all: readonly Measured[], rules: readonly string[] = hostRules): Map<string, Slip[]> {
  const known = new Set(allSlips(all).map(({ name, how }) => `${name} ${how}`));
  const fresh = (slips: readonly Slip[]) => slips.filter(({ name, how }) => !known.has(`${name} ${how}`));
  return new Map(rules.map((without) => [without, fresh(allSlips(all, { without }))]));
}
