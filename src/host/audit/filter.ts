/** Which entries of a ledger somebody asked for. Decided line by line, in the ledger's order, in flat memory. */
import type { Entry } from "../../domain/event.ts";

export interface EntryFilter {
  /** Ids; a plan's includes its parts, a mission's its plan. */
  delegation?: readonly string[];
  /** Types of events, or globs over them such as `delegation.*`; one of them has to fit. */
  type?: readonly string[];
  /** Hosts of requests, or globs such as `*.npmjs.org`. */
  host?: readonly string[];
  /** Only what was denied: requests, and model calls that the budget refused. */
  denied?: boolean;
  /** Names of secrets that were put into requests, or globs. */
  secret?: readonly string[];
  /** From this time on, and before that one: ISO 8601 in UTC, as the ledger writes it. */
  since?: string;
  until?: string;
  attempt?: number;
}

/** More sandboxes at once than any host runs; older ones are forgotten. */
const sandboxesKept = 10_000;

/** A test over entries that are shown to it in order. It learns which parts belong to what was asked for as it goes. */
export function entryFilter(filter: EntryFilter): (entry: Entry) => boolean {
  const wanted = filter.delegation && new Set(filter.delegation);
  const types = filter.type && anyGlob(filter.type);
  const hosts = filter.host && anyGlob(filter.host.map((host) => host.toLowerCase()));
  const secrets = filter.secret && anyGlob(filter.secret);
  const attempts = new Map<string, number>();
  return (given) => {
    // The chain does not say that data has its form.
    const entry = given.data === null ? ({ ...given, data: {} } as unknown as Entry) : given;
    if (wanted) learnParts(wanted, entry);
    if (filter.attempt !== undefined && entry.type === "sandbox.started") {
      attempts.set(entry.data.sandbox, entry.data.attempt);
      if (attempts.size > sandboxesKept) attempts.delete(attempts.keys().next().value ?? "");
    }
    if (wanted && (entry.delegation === undefined || !wanted.has(entry.delegation))) return false;
    if (types && !types(entry.type)) return false;
    if (filter.since !== undefined && entry.time < filter.since) return false;
    if (filter.until !== undefined && entry.time >= filter.until) return false;
    if (filter.denied && !isDenied(entry)) return false;
    if (hosts && !(entry.type === "request" && hosts(hostOf(entry.data.url)))) return false;
    if (secrets && !(entry.type === "request" && typeof entry.data.secret === "string" && secrets(entry.data.secret)))
      return false;
    return filter.attempt === undefined || attemptOf(entry, attempts) === filter.attempt;
  };
}

/** A part's line never stands before the line of the plan that makes it one. */
function learnParts(wanted: Set<string>, entry: Entry): void {
  if (entry.delegation === undefined) return;
  if (entry.type === "delegation.accepted" && entry.data.plan && wanted.has(entry.data.plan.id))
    wanted.add(entry.delegation);
  if (!wanted.has(entry.delegation)) return;
  if (entry.type === "mission.accepted") wanted.add(entry.data.plan);
  else if (entry.type === "plan.mended") wanted.add(entry.data.delegation);
  else if (entry.type === "plan.accepted" && Array.isArray(entry.data.briefs))
    for (const part of [...entry.data.briefs, entry.data.combined]) if (part?.delegation) wanted.add(part.delegation);
}

function isDenied(entry: Entry): boolean {
  return (entry.type === "request" && entry.data.decision === "deny") || entry.type === "budget.refused";
}

function attemptOf(entry: Entry, attempts: ReadonlyMap<string, number>): number | undefined {
  const data = (entry.data ?? {}) as { attempt?: unknown; sandbox?: unknown; proposal?: { attempt?: unknown } };
  if (typeof data.attempt === "number") return data.attempt;
  if (typeof data.proposal?.attempt === "number") return data.proposal.attempt;
  return typeof data.sandbox === "string" ? attempts.get(data.sandbox) : undefined;
}

/** The host that a request was for, lower case and without its port; empty where its URL tells none. */
export function hostOf(url: unknown): string {
  if (typeof url !== "string") return "";
  try {
    const { hostname } = new URL(url);
    if (hostname !== "") return hostname;
  } catch {
    // Of a tunnel, `host:port` is kept.
  }
  return /^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d+)?$/.exec(url)?.[1]?.toLowerCase() ?? "";
}

/** `*` stands for any text; everything else for itself. */
function anyGlob(globs: readonly string[]): (text: string) => boolean {
  const patterns = globs.map((glob) => glob.split("*"));
  return (text) => patterns.some((pieces) => fits(pieces, text));
}

// Piece by piece from the left: no expression that a hostile text could make slow.
function fits(pieces: readonly string[], text: string): boolean {
  const [first = "", ...rest] = pieces;
  if (rest.length === 0) return text === first;
  const last = rest.at(-1) ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of rest.slice(0, -1)) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
