/**
 * What the daemon and its gateway say to each other, over the channel between parent and child. Each side checks what
 * it reads: the gateway speaks with sandboxes, so the daemon takes nothing from it on trust.
 */
import { type EventData, events } from "../domain/event.ts";
import { type Role, role } from "../domain/identity.ts";
import { type ModelRoute, modelRoute, type NetworkRule, networkRule } from "../domain/policy.ts";
import {
  type ReserveAsk,
  type Reserved,
  readAsk,
  readReport,
  readReserved,
  type SettleReport,
} from "./model-reserve.ts";
import { checkRoute } from "./model-route.ts";
import { checkLaneSecrets, type LaneSecrets } from "./secret-lane.ts";
import { verbNames } from "./verbs.ts";

/** One lane as the daemon opens it. */
export interface LaneSpec {
  sandbox: string;
  role: Role;
  network: NetworkRule[];
  models: Record<string, ModelRoute>;
  /** Requests in all; 0 means none. */
  requests: number;
  /** Of `propose`, `stuck`, `note`, `verdict`. */
  verbs: string[];
  /** Those that the rules and routes name. Its holder holds their values before the lane is opened. */
  secrets?: LaneSecrets;
}

export type ToGateway =
  | { type: "open"; id: number; lane: LaneSpec }
  | { type: "close"; id: number; sandbox: string }
  | { type: "answer"; id: number; status: number; body: unknown }
  | { type: "reserved"; id: number; word: Reserved };

export type FromGateway =
  | { type: "ready" }
  | { type: "refused"; why: string }
  | { type: "done"; id: number; failure: string | undefined }
  | { type: "events"; events: EventData<"request">[] }
  | { type: "verb"; id: number; sandbox: string; verb: string; body: unknown }
  | { type: "reserve"; id: number; sandbox: string; ask: ReserveAsk }
  | { type: "progress"; sandbox: string; reservation: string }
  | { type: "settle"; sandbox: string; report: SettleReport };

type Fields = { [key: string]: unknown };
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown, max: number): value is string => typeof value === "string" && value.length <= max;

/** A sandbox's id: safe as a file name. */
export function isSandboxId(value: unknown): value is string {
  return typeof value === "string" && /^s-[a-z2-7]{16}$/.test(value);
}

/** Why a lane cannot be opened as it is asked for, or undefined. */
export function checkLane(lane: unknown): string | undefined {
  if (!isFields(lane)) return "a lane is an object";
  if (!isSandboxId(lane.sandbox)) return "the lane's sandbox id is not one";
  if (!role.safeParse(lane.role).success) return "the lane's role is not one";
  if (!isCount(lane.requests)) return "the lane's requests are not a count";
  if (!Array.isArray(lane.verbs) || !lane.verbs.every((verb) => verbNames.has(verb)))
    return "the lane names an unknown verb";
  if (!Array.isArray(lane.network) || !lane.network.every((rule) => networkRule.safeParse(rule).success)) {
    return "the lane's network rules are not valid";
  }
  if (!isFields(lane.models)) return "the lane's model routes are not valid";
  for (const [name, route] of Object.entries(lane.models)) {
    const parsed = modelRoute.safeParse(route);
    const fault = parsed.success ? checkRoute(parsed.data) : "it is not a model route";
    if (fault) return `the model route ${name}: ${fault}`;
  }
  return checkLaneSecrets(lane.secrets, lane as unknown as LaneSpec);
}

/** A message from the daemon, or undefined. */
export function readToGateway(value: unknown): ToGateway | undefined {
  if (!isFields(value) || !isCount(value.id)) return undefined;
  const { id } = value;
  if (value.type === "open") return { type: "open", id, lane: value.lane as LaneSpec };
  if (value.type === "close" && isSandboxId(value.sandbox)) return { type: "close", id, sandbox: value.sandbox };
  if (value.type === "answer" && isCount(value.status) && value.status >= 200 && value.status <= 599) {
    return { type: "answer", id, status: value.status, body: value.body };
  }
  const word = value.type === "reserved" ? readReserved(value.word) : undefined;
  if (word) return { type: "reserved", id, word };
  return undefined;
}

/** A message from the gateway, or undefined. */
export function readFromGateway(value: unknown): FromGateway | undefined {
  if (!isFields(value)) return undefined;
  if (value.type === "ready") return { type: "ready" };
  if (value.type === "refused" && isText(value.why, 2000)) return { type: "refused", why: value.why };
  if (value.type === "done" && isCount(value.id) && (value.failure === undefined || isText(value.failure, 2000))) {
    return { type: "done", id: value.id, failure: value.failure };
  }
  if (value.type === "events" && Array.isArray(value.events)) {
    const found: EventData<"request">[] = [];
    for (const one of value.events) {
      const event = events.request.safeParse(one);
      if (!event.success) return undefined;
      found.push(event.data);
    }
    return { type: "events", events: found };
  }
  if (
    value.type === "verb" &&
    isCount(value.id) &&
    isSandboxId(value.sandbox) &&
    isText(value.verb, 32) &&
    verbNames.has(value.verb)
  ) {
    return { type: "verb", id: value.id, sandbox: value.sandbox, verb: value.verb, body: value.body };
  }
  if (value.type === "reserve" && isCount(value.id) && isSandboxId(value.sandbox)) {
    const ask = readAsk(value.ask);
    if (ask) return { type: "reserve", id: value.id, sandbox: value.sandbox, ask };
  }
  if (value.type === "progress" && isSandboxId(value.sandbox) && isText(value.reservation, 32)) {
    return { type: "progress", sandbox: value.sandbox, reservation: value.reservation };
  }
  if (value.type === "settle" && isSandboxId(value.sandbox)) {
    const report = readReport(value.report);
    if (report) return { type: "settle", sandbox: value.sandbox, report };
  }
  return undefined;
}
