/**
 * Whether an executor gets nowhere. Each detector is a rule over what the host saw, with its own reason; the first that
 * holds counts. Pure. docs/executors.md says what each is for, and what it cannot see.
 */
import type { StuckDetector, StuckSeen, StuckThresholds } from "../domain/stuck.ts";
import { showDuration } from "../domain/units.ts";
import type { Sights } from "./stuck-sights.ts";

/** What a detector found. */
export interface Detection {
  detector: StuckDetector;
  why: string;
  seen: StuckSeen;
}

type Detector = (sights: Sights, thresholds: StuckThresholds, now: number) => Detection | undefined;

/** A threshold that is left out or 0 is never passed. */
const reached = (value: number, threshold: number | undefined) =>
  threshold !== undefined && threshold > 0 && value >= threshold;

const deniedStreak: Detector = ({ streak }, { denials }) =>
  reached(streak.count, denials)
    ? {
        detector: "denial-streak",
        why: `${streak.count} requests in a row were denied, and none was allowed between`,
        seen: { denials: streak.count, last: streak.last },
      }
    : undefined;

const sameDenied: Detector = ({ idle }, { repeats }) => {
  for (const [request, count] of idle.denied) {
    if (!reached(count, repeats)) continue;
    const why = `the same denied request came ${count} times while nothing changed: ${request}`;
    return { detector: "same-denied-request", why: why.slice(0, 1000), seen: { repeats: count, request } };
  }
  return undefined;
};

const sameModelRequest: Detector = ({ same }, { repeats }) =>
  same.body !== undefined && reached(same.count, repeats)
    ? {
        detector: "same-model-request",
        why: `the very same request went to the model ${same.count} times in a row${same.status === undefined ? "" : `; the last was answered with ${same.status}`}`,
        seen: { repeats: same.count, body: same.body, ...(same.status === undefined ? {} : { status: same.status }) },
      }
    : undefined;

const idleTokens: Detector = ({ idle }, { idleTokens: most }) =>
  reached(idle.tokens, most)
    ? {
        detector: "idle-tokens",
        why: `models used ${idle.tokens} tokens, and the layer did not change`,
        seen: { tokens: idle.tokens, requests: idle.requests },
      }
    : undefined;

const idleRequests: Detector = ({ idle }, { idleRequests: most }) =>
  reached(idle.requests, most)
    ? {
        detector: "idle-requests",
        why: `models were asked ${idle.requests} times, and the layer did not change`,
        seen: { requests: idle.requests, tokens: idle.tokens },
      }
    : undefined;

const noUpstream: Detector = ({ open }, { upstream }, now) => {
  for (const [reservation, since] of open) {
    if (!reached(now - since, upstream)) continue;
    const why = `a request to a model has been open for ${showDuration(now - since)}, and nothing came back`;
    return { detector: "no-upstream", why, seen: { milliseconds: now - since, reservation, open: open.size } };
  }
  return undefined;
};

const silent: Detector = (sights, { silence }, now) => {
  // Who waits for a model is not silent: the other rule has its own bound.
  if (sights.open.size > 0 || !reached(now - sights.active, silence)) return undefined;
  const milliseconds = now - sights.active;
  const nothing = "printed nothing, asked for nothing, changed nothing";
  if (!sights.alive) {
    const why = `it never started: in ${showDuration(now - sights.began)} it ${nothing}`;
    return { detector: "never-started", why, seen: { milliseconds: now - sights.began } };
  }
  const why = `for ${showDuration(milliseconds)} it ${nothing} and used no processor; a question that waits for an answer looks like this`;
  return { detector: "silent", why, seen: { milliseconds, since: sights.active - sights.began } };
};

const detectors: readonly Detector[] = [
  sameModelRequest,
  sameDenied,
  deniedStreak,
  idleTokens,
  idleRequests,
  noUpstream,
  silent,
];

/** The first detector that holds, or undefined. */
export function detectStuck(sights: Sights, thresholds: StuckThresholds, now: number): Detection | undefined {
  for (const detector of detectors) {
    const found = detector(sights, thresholds, now);
    if (found) return found;
  }
  return undefined;
}
