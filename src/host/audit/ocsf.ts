/**
 * Entries as events of the Open Cybersecurity Schema Framework, 1.8.0 (https://schema.ocsf.io/1.8.0): requests are HTTP
 * Activity, sandboxes and their processes Process Activity, decisions API Activity, and the rest Base Event. What has
 * no attribute there is under `unmapped`.
 */
import type { Entry } from "../../domain/event.ts";
import type { ProcessRow } from "../../domain/processes.ts";
import { visibleLine } from "../../domain/visible.ts";
import { version } from "../version.ts";
import { hostOf } from "./filter.ts";
import { tell } from "./tell.ts";

export const ocsfVersion = "1.8.0";

/** One event: attributes of the schema. */
export type OcsfEvent = Record<string, unknown> & { class_uid: number; type_uid: number };

const severity = { informational: 1, low: 2, medium: 3, high: 4 } as const;
const severityName = ["", "Informational", "Low", "Medium", "High"];
const other = 99;

/** HTTP Activity's `activity_id` by method; every other method is Other. */
const methods: Readonly<Record<string, number>> = {
  CONNECT: 1,
  DELETE: 2,
  GET: 3,
  HEAD: 4,
  OPTIONS: 5,
  POST: 6,
  PUT: 7,
  TRACE: 8,
  PATCH: 9,
};

/** What decides: API Activity's `activity_id` and caption, and whether it is a success (1), a failure (2) or neither (0). */
const decisions: Partial<Record<Entry["type"], readonly [number, string, 0 | 1 | 2, keyof typeof severity]>> = {
  "delegation.accepted": [1, "Create", 1, "informational"],
  "delegation.refused": [1, "Create", 2, "low"],
  "delegation.approved": [3, "Update", 1, "informational"],
  "delegation.rejected": [3, "Update", 2, "medium"],
  "attempt.rejected": [3, "Update", 2, "low"],
  "verdict.received": [2, "Read", 0, "informational"],
  "landing.asked": [3, "Update", 0, "informational"],
  "landing.intended": [3, "Update", 0, "informational"],
  "landing.refused": [3, "Update", 2, "low"],
  "landing.abandoned": [3, "Update", 2, "low"],
  "delegation.landed": [3, "Update", 1, "informational"],
  "delegation.discarded": [4, "Delete", 1, "informational"],
  "action.intended": [1, "Create", 0, "informational"],
  "budget.refused": [1, "Create", 2, "low"],
  "plan.accepted": [1, "Create", 1, "informational"],
  "plan.approved": [3, "Update", 1, "informational"],
  "plan.landed": [3, "Update", 1, "informational"],
  "plan.discarded": [4, "Delete", 1, "informational"],
  "mission.accepted": [1, "Create", 1, "informational"],
  "gate.closed": [3, "Update", 1, "high"],
  "gate.opened": [3, "Update", 1, "medium"],
};

/** What a mapping takes from data, by its type there: the chain of a ledger does not say that data has its form. */
const taken: Partial<Record<string, Readonly<Record<string, "string" | "number">>>> = {
  request: { sandbox: "string", method: "string", url: "string", code: "string", rule: "string", sent: "number" },
  "sandbox.started": { sandbox: "string", role: "string" },
  "sandbox.ended": { sandbox: "string" },
  "sandbox.processes": { sandbox: "string" },
};

/** An entry as OCSF events: one, or one for each process that an entry tells of. */
export function ocsfEvents(entry: Entry): OcsfEvent[] {
  if (typeof entry.data !== "object" || entry.data === null || Array.isArray(entry.data)) return [baseEvent(entry)];
  const data = entry.data as Record<string, unknown>;
  const formed = Object.entries(taken[entry.type] ?? {}).every(([name, type]) => typeof data[name] === type);
  return formed ? mapped(entry, data) : [baseEvent(entry)];
}

function mapped(entry: Entry, data: Record<string, unknown>): OcsfEvent[] {
  if (entry.type === "request") return [httpActivity(entry)];
  if (entry.type === "sandbox.started") return [sandboxActivity(entry, [1, "Launch"], {})];
  if (entry.type === "sandbox.ended")
    return [sandboxActivity(entry, [2, "Terminate"], typeof data.exit === "number" ? { exit_code: data.exit } : {})];
  if (entry.type === "sandbox.processes" && Array.isArray(data.processes)) {
    const rows = data.processes.filter(isProcess);
    if (rows.length > 0) return rows.map((row, index) => processActivity(entry, row, index));
  }
  const decision = decisions[entry.type];
  return [decision ? apiActivity(entry, decision) : baseEvent(entry)];
}

interface ClassOf {
  category: readonly [number, string];
  uid: number;
  name: string;
}

/** What every event has, whatever its class. */
function event(
  entry: Entry,
  { category, uid, name }: ClassOf,
  [activity, activityName]: readonly [number, string],
  level: keyof typeof severity,
  more: { profiles?: string[]; part?: number } = {},
): OcsfEvent {
  return {
    class_uid: uid,
    class_name: name,
    category_uid: category[0],
    category_name: category[1],
    activity_id: activity,
    activity_name: activityName,
    type_uid: uid * 100 + activity,
    type_name: `${name}: ${activityName}`,
    severity_id: severity[level],
    severity: severityName[severity[level]] ?? "",
    time: Date.parse(entry.time),
    message: visibleLine(tell(entry)),
    metadata: {
      version: ocsfVersion,
      product: { name: "Sallyport", vendor_name: "Sallyport", version },
      uid: more.part === undefined ? entry.hash : `${entry.hash}/${more.part}`,
      sequence: entry.seq,
      event_code: entry.type,
      log_name: "ledger",
      original_time: entry.time,
      ...(entry.delegation === undefined ? {} : { correlation_uid: entry.delegation }),
      ...(more.profiles ? { profiles: more.profiles } : {}),
    },
  };
}

const result = (id: 0 | 1 | 2) => ({ status_id: id, status: ["Unknown", "Success", "Failure"][id] ?? "Unknown" });

function httpActivity(entry: Extract<Entry, { type: "request" }>): OcsfEvent {
  const { sandbox, method, url, decision, code, rule, status, sent, received, milliseconds, address, ...rest } =
    entry.data;
  const allowed = decision === "allow";
  const network = { category: [4, "Network Activity"], uid: 4002, name: "HTTP Activity" } as const;
  const activity = Object.hasOwn(methods, method) ? (methods[method] ?? other) : other;
  const caption = activity === other ? method : `${method.charAt(0)}${method.slice(1).toLowerCase()}`;
  const host = hostOf(url);
  return {
    ...event(entry, network, [activity, caption], allowed ? "informational" : "medium", {
      profiles: ["security_control"],
    }),
    ...result(allowed ? 1 : 2),
    status_code: code,
    action_id: allowed ? 1 : 2,
    action: allowed ? "Allowed" : "Denied",
    disposition_id: allowed ? 1 : 2,
    disposition: allowed ? "Allowed" : "Blocked",
    firewall_rule: { name: rule },
    http_request: {
      ...(Object.hasOwn(methods, method) ? { http_method: method } : {}),
      url: urlOf(url, host),
    },
    ...(status === undefined ? {} : { http_response: { code: status, latency: milliseconds } }),
    src_endpoint: { uid: sandbox, type_id: 6, type: "Virtual" },
    dst_endpoint: {
      ...(host === "" ? { name: "unknown" } : { hostname: host }),
      ...(address === undefined ? {} : { ip: address }),
    },
    traffic: { bytes_out: sent, bytes_in: received, bytes: sent + received },
    unmapped: { method, milliseconds, ...rest },
  };
}

function urlOf(url: string, hostname: string): Record<string, unknown> {
  const base = { url_string: url, ...(hostname === "" ? {} : { hostname }) };
  try {
    const { protocol, pathname, port, search } = new URL(url);
    return {
      ...base,
      scheme: protocol.slice(0, -1),
      ...(pathname === "" ? {} : { path: pathname }),
      ...(port === "" ? {} : { port: Number(port) }),
      ...(search === "" ? {} : { query_string: search.slice(1) }),
    };
  } catch {
    return base;
  }
}

const system = { category: [1, "System Activity"], uid: 1007, name: "Process Activity" } as const;
const host = { app_name: "Sallyport" };
const virtual = (uid: string) => ({ type_id: 6, type: "Virtual", uid });

/** A sandbox as a process that the host launches, and that ends. */
function sandboxActivity(
  entry: Extract<Entry, { type: "sandbox.started" | "sandbox.ended" }>,
  activity: readonly [number, string],
  more: Record<string, unknown>,
): OcsfEvent {
  const { sandbox, ...rest } = entry.data;
  return {
    ...event(entry, system, activity, "informational"),
    actor: host,
    device: virtual(sandbox),
    process: { uid: sandbox, name: "role" in rest ? rest.role : "sandbox", sandbox },
    ...more,
    unmapped: rest,
  };
}

function isProcess(row: unknown): row is ProcessRow {
  const { pid, ppid, uid, name, started, elapsed } = (row ?? {}) as Record<string, unknown>;
  return (
    [pid, ppid, uid, elapsed].every((number) => Number.isSafeInteger(number)) &&
    typeof name === "string" &&
    typeof started === "string" &&
    !Number.isNaN(Date.parse(started))
  );
}

function processActivity(entry: Entry, seen: ProcessRow, part: number): OcsfEvent {
  const { sandbox } = entry.data as { sandbox: string };
  const { pid, ppid, uid, name, exit, started, elapsed, ...rest } = seen;
  const begun = Date.parse(started);
  const user = { uid: String(uid) };
  const process = { pid, name, sandbox, created_time: begun, terminated_time: begun + elapsed, user };
  return {
    ...event(entry, system, [2, "Terminate"], "informational", { part }),
    time: begun + elapsed,
    message: `${visibleLine(name)} (pid ${pid}) ended`,
    // A process that exits is its own actor.
    actor: { process: { pid, name }, user },
    device: virtual(sandbox),
    process: { ...process, parent_process: { pid: ppid } },
    ...(typeof exit === "number" ? { exit_code: exit } : {}),
    unmapped: { elapsed, ...rest },
  };
}

function apiActivity(
  entry: Entry,
  [activity, caption, outcome, level]: readonly [number, string, 0 | 1 | 2, keyof typeof severity],
): OcsfEvent {
  const data = entry.data as Record<string, unknown>;
  const by = [data.planner, data.by].find((name) => typeof name === "string" && name !== "");
  return {
    ...event(
      entry,
      { category: [6, "Application Activity"], uid: 6003, name: "API Activity" },
      [activity, caption],
      level,
    ),
    ...result(outcome),
    ...(typeof data.code === "string" ? { status_code: data.code } : {}),
    actor: { ...host, ...(by === undefined ? {} : { user: { name: by } }) },
    api: { operation: entry.type, service: { name: "Sallyport" } },
    src_endpoint: { name: "Sallyport" },
    ...(entry.delegation === undefined ? {} : { resources: [{ uid: entry.delegation, type: "delegation" }] }),
    unmapped: data,
  };
}

function baseEvent(entry: Entry): OcsfEvent {
  const base = { category: [0, "Uncategorized"], uid: 0, name: "Base Event" } as const;
  const { data } = entry as { data: unknown };
  const unmapped = typeof data === "object" && data !== null && !Array.isArray(data) ? data : { data };
  return { ...event(entry, base, [other, entry.type], "informational"), unmapped };
}
