/** What the gateway decided for a delegation, collected in bounded memory: rows, and sums by host. Pure. */
import type { Entry } from "../../domain/event.ts";
import type { Role } from "../../domain/identity.ts";
import type { DelegationPage } from "../../domain/page.ts";
import { pageCaps, type RequestPage } from "../../domain/page-parts.ts";
import { line } from "./text.ts";

type RequestEntry = Entry & { type: "request" };
type HostSums = DelegationPage["requests"]["hosts"]["items"][number];

/** Hosts that are told apart; what comes after them is one row. */
const mostHosts = 1000;
const otherHosts = "(other hosts)";

function hostOf(method: string, url: string): string {
  if (method === "CONNECT") return line(url, 300);
  try {
    return line(new URL(url).host, 300);
  } catch {
    return line(url, 300);
  }
}

/** A collector of requests: `add` each entry, then `page`. */
export function collectRequests() {
  let total = 0;
  let denied = 0;
  // Denials are what a reader looks for: many allowed requests do not push them out.
  const kept: Record<"allow" | "deny", RequestPage[]> = { allow: [], deny: [] };
  const hosts = new Map<string, HostSums>();

  return {
    add({ seq, time, data }: RequestEntry, role: Role | undefined): void {
      total += 1;
      if (data.decision === "deny") denied += 1;
      const rows = kept[data.decision];
      if (rows.length < pageCaps.requests) {
        rows.push({
          seq,
          time,
          sandbox: data.sandbox,
          ...(role ? { role } : {}),
          method: line(data.method, 32),
          url: line(data.url, 2000),
          decision: data.decision,
          code: data.code,
          rule: line(data.rule),
          ...(data.status === undefined ? {} : { status: Math.max(0, data.status) }),
          ...(data.secret === undefined ? {} : { secret: line(data.secret, 100) }),
          sent: Math.max(0, data.sent),
          received: Math.max(0, data.received),
          milliseconds: Math.max(0, data.milliseconds),
        });
      }
      const named = hostOf(data.method, data.url);
      const host = hosts.has(named) || hosts.size < mostHosts ? named : otherHosts;
      const sums = hosts.get(host) ?? { host, allowed: 0, denied: 0, sent: 0, received: 0, secrets: [] };
      sums[data.decision === "deny" ? "denied" : "allowed"] += 1;
      sums.sent += Math.max(0, data.sent);
      sums.received += Math.max(0, data.received);
      const secret = data.secret === undefined ? undefined : line(data.secret, 100);
      if (secret !== undefined && sums.secrets.length < 20 && !sums.secrets.includes(secret)) sums.secrets.push(secret);
      hosts.set(host, sums);
    },

    page(): DelegationPage["requests"] {
      const most = pageCaps.requests;
      const refused = kept.deny.slice(0, Math.max(Math.floor(most / 2), most - kept.allow.length));
      const allowed = kept.allow.slice(0, most - refused.length);
      const byCount = [...hosts.values()].sort(
        (a, b) => b.denied - a.denied || b.allowed - a.allowed || (a.host < b.host ? -1 : 1),
      );
      return {
        total,
        denied,
        items: [...refused, ...allowed].sort((a, b) => a.seq - b.seq),
        hosts: { total: byCount.length, items: byCount.slice(0, pageCaps.hosts) },
      };
    },
  };
}
