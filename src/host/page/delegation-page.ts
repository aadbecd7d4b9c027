/**
 * The fold from a delegation's ledger lines to its page. Pure, and bounded: lines come one by one, and what is kept of
 * them does not grow with their number. The daemon and whoever has only the files use the same.
 */
import { costReport } from "../../delegation/cost.ts";
import { apply } from "../../delegation/reduce.ts";
import type { Delegation } from "../../domain/delegation.ts";
import { SallyportError } from "../../domain/error.ts";
import type { Entry } from "../../domain/event.ts";
import type { ChainStatus, DelegationPage } from "../../domain/page.ts";
import { pageCaps, type SandboxPage, type Step } from "../../domain/page-parts.ts";
import type { HostPublicKey } from "../../gate/keys.ts";
import { judgesOf } from "../../gate/panel.ts";
import { approvalOf } from "./approval.ts";
import { type AttemptNotes, attemptOf, type PatchText } from "./attempts.ts";
import { briefOf } from "./brief.ts";
import { collectLines } from "./lines.ts";
import { collectProcesses } from "./processes.ts";
import { collectRequests } from "./requests.ts";
import { summaryOfDelegation } from "./summary.ts";
import { cappedTo, line, shown } from "./text.ts";
import { stepOf, timed } from "./timeline.ts";

/** What a page says beyond the delegation's own lines. */
export interface PageFacts {
  /** Whether the chain that the lines are in holds, as far as the caller knows. */
  chain: ChainStatus;
  /** The host's public key; without it the approval is called not verified. */
  key?: HostPublicKey | undefined;
  /** Patches by attempt. */
  patches?: ReadonlyMap<number, PatchText>;
  /** The mission that its plan was made for. */
  mission?: string | undefined;
}

export interface PageFold {
  /** Takes the next line in the ledger's order; lines of others are passed over. Throws `state-refused` for one that cannot follow. */
  add(entry: Entry): void;
  /** The record so far; undefined before its first line. */
  record(): Delegation | undefined;
  /** The page so far. Throws `not-found` before its first line. */
  page(facts: PageFacts): DelegationPage;
}

/** Begins the page of one delegation. */
export function foldDelegation(id: string): PageFold {
  const records = new Map<string, Delegation>();
  const requests = collectRequests();
  const processes = collectProcesses();
  const lines = collectLines();
  const steps: Step[] = [];
  const ends: Step[] = [];
  let allSteps = 0;
  const landing: DelegationPage["landing"]["items"] = [];
  let landingSteps = 0;
  const claims: DelegationPage["claims"]["items"] = [];
  let allClaims = 0;
  const notes = new Map<number, AttemptNotes>();
  const sandboxes = new Map<string, SandboxPage>();
  const noted = (attempt: number): AttemptNotes => {
    const known = notes.get(attempt) ?? { reasons: [] };
    notes.set(attempt, known);
    return known;
  };

  const addStep = (entry: Entry) => {
    const step = stepOf(entry);
    if (!step) return;
    allSteps += 1;
    // Of a very long one the way it began is kept, and always how it ended.
    if (steps.length < pageCaps.timeline - 20) steps.push(step);
    else ends.push(step);
    if (ends.length > 20) ends.shift();
    if (step.kind !== "landing" && entry.type !== "delegation.landed" && entry.type !== "delegation.approved") return;
    landingSteps += 1;
    if (landing.length < pageCaps.landings)
      landing.push({ seq: step.seq, time: step.time, text: step.detail ?? step.title, tone: step.tone });
  };

  const addSandbox = (entry: Entry) => {
    switch (entry.type) {
      case "executor.chosen":
        Object.assign(noted(entry.data.attempt), { image: entry.data.image, reasons: entry.data.reasons });
        return;
      case "attempt.started":
        noted(entry.data.attempt).started = entry.time;
        return;
      case "sandbox.started": {
        const { sandbox, attempt, role, purpose, image, engine, controls } = entry.data;
        if (sandboxes.size >= pageCaps.attempts * pageCaps.sandboxes) return;
        const counts = { requests: 0, denied: 0 };
        const about = { id: sandbox, role, attempt, purpose: line(purpose, 100), image, engine: line(engine, 40) };
        sandboxes.set(sandbox, { ...about, controls, started: entry.time, seq: entry.seq, ...counts });
        return;
      }
      case "sandbox.wrote": {
        const { files, bytes, paths } = entry.data;
        const known = sandboxes.get(entry.data.sandbox);
        if (known) known.wrote = { files, bytes, paths: paths.slice(0, 200).map((path) => line(path, 4000)) };
        return;
      }
      case "sandbox.ended": {
        const { end, exit, milliseconds, output } = entry.data;
        const known = sandboxes.get(entry.data.sandbox);
        const printed = { bytes: output.bytes, digest: output.digest };
        if (known) Object.assign(known, { end, exit, milliseconds: Math.max(0, milliseconds), output: printed });
        return;
      }
      case "sandbox.processes": {
        const known = sandboxes.get(entry.data.sandbox);
        processes.add(entry, known ? { role: known.role, attempt: known.attempt } : {});
        if (known && entry.data.from !== undefined) known.processes = entry.data.total;
        return;
      }
      case "sandbox.claimed": {
        const { sandbox, total, commands } = entry.data;
        allClaims += total;
        for (const { command, exit } of commands.slice(0, pageCaps.claims - claims.length))
          claims.push({
            sandbox,
            seq: entry.seq,
            command: shown(command, 2000),
            ...(exit === undefined ? {} : { exit }),
          });
        return;
      }
      case "request": {
        const known = sandboxes.get(entry.data.sandbox);
        requests.add(entry, known?.role);
        if (known) known.requests += 1;
        if (known && entry.data.decision === "deny") known.denied += 1;
      }
    }
  };

  return {
    add(entry) {
      if (entry.delegation !== id) return;
      apply(records, entry);
      lines.add(entry);
      addStep(entry);
      addSandbox(entry);
    },
    record: () => records.get(id),
    page({ chain, key, patches, mission }) {
      const record = records.get(id);
      if (!record)
        throw new SallyportError("not-found", `there is no delegation ${id}`, { next: "See `sallyport list`." });
      const { lines: shownLines, span } = lines.page();
      const attempts = record.attempts.slice(0, pageCaps.attempts).map((attempt) => {
        const mine = [...sandboxes.values()].filter((one) => one.attempt === attempt.number);
        return attemptOf(attempt, record, notes.get(attempt.number), mine, patches?.get(attempt.number));
      });
      const { tiers, total } = costReport([record]);
      const { wall, requests: mostRequests, attempts: mostAttempts, patch, output, tokens, usd } = record.policy.budget;
      const approval = approvalOf(record, key);
      return {
        summary: summaryOfDelegation(record, mission),
        policy: { name: record.policy.name, digest: record.policyDigest },
        verifiers: judgesOf(record).map(({ harness, image }) => ({ harness, image })),
        brief: briefOf(record),
        timeline: { total: allSteps, items: timed([...steps, ...ends]) },
        attempts: { total: record.attempts.length, items: attempts },
        requests: requests.page(),
        processes: processes.page(),
        claims: { total: allClaims, items: claims },
        budget: {
          limits: {
            wall,
            requests: mostRequests,
            attempts: mostAttempts,
            patch,
            output,
            ...(tokens === undefined ? {} : { tokens }),
            ...(usd === undefined ? {} : { usd }),
          },
          tiers,
          total,
        },
        ...(approval ? { approval } : {}),
        landing: cappedTo(landing, pageCaps.landings, landingSteps),
        actions: (record.actions ?? []).slice(0, 100).map(({ action, run, intended, outcome, exit, message }) => ({
          action,
          run,
          begun: intended,
          ...(outcome === undefined ? {} : { outcome }),
          ...(exit === undefined ? {} : { exit }),
          ...(message === undefined ? {} : { message: shown(message) }),
        })),
        ledger: { ...span, whole: chain },
        lines: shownLines,
      };
    },
  };
}

/** What is said of a chain that nobody has looked at. */
export const unreadChain: ChainStatus = {
  state: "unread",
  upTo: 0,
  signedUpTo: null,
  keyids: [],
  cannotProve: "It was not verified: see `sallyport audit verify`.",
};
