/** What gateway and daemon say to each other about a request to a model: asked before it goes out, settled when it is over. */
import { isDenialCode } from "../domain/denial.ts";
import { type ModelUsage, modelName, modelUsage } from "../domain/model.ts";
import type { Denial } from "./denial.ts";

/** A request that would go out. */
export interface ReserveAsk {
  route: string;
  model: string;
  /** Tokens of input at most. */
  input: number;
  /** Tokens of output that it asks for; absent where it does not say. */
  output?: number;
  /** SHA-256 of its body as the harness sent it, in hex: the same again and again is a loop. */
  body?: string;
}

/** The daemon's word: it may go with that cap of its output, or it may not. */
export type Reserved =
  | {
      ok: true;
      reservation: string;
      output: number;
      /** What the harness is to be told with it. */
      note?: string;
    }
  | ({ ok: false } & ModelDenial);

/** A refusal; `retryAfter` says in how many seconds it may be worth another try. */
export interface ModelDenial extends Denial {
  retryAfter?: number;
}

/** How a reserved request ended. */
export interface SettleReport {
  reservation: string;
  /** `unpaid`: it did not go out, or was refused. `lost`: it went out, and what it used is not known. */
  how: "answered" | "unpaid" | "lost";
  model?: string;
  usage?: ModelUsage;
  why?: string;
}

type Fields = { [key: string]: unknown };
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown, max: number): value is string => typeof value === "string" && value.length <= max;

/** An ask as the gateway sent it, or undefined. */
export function readAsk(value: unknown): ReserveAsk | undefined {
  if (!isFields(value)) return undefined;
  const { route, model, input, output, body } = value;
  if (!isText(route, 64) || !modelName.safeParse(model).success || !isCount(input)) return undefined;
  if (output !== undefined && !isCount(output)) return undefined;
  if (body !== undefined && !(isText(body, 64) && /^[0-9a-f]{64}$/.test(body))) return undefined;
  return {
    route,
    model: model as string,
    input,
    ...(output === undefined ? {} : { output }),
    ...(body === undefined ? {} : { body }),
  };
}

/** A report as the gateway sent it, or undefined. */
export function readReport(value: unknown): SettleReport | undefined {
  if (!isFields(value)) return undefined;
  const { reservation, how, model, why } = value;
  if (!isText(reservation, 32) || (how !== "answered" && how !== "unpaid" && how !== "lost")) return undefined;
  if ((model !== undefined && !isText(model, 128)) || (why !== undefined && !isText(why, 200))) return undefined;
  const usage = value.usage === undefined ? undefined : modelUsage.safeParse(value.usage);
  if (usage && !usage.success) return undefined;
  return {
    reservation,
    how,
    ...(model === undefined ? {} : { model }),
    ...(usage ? { usage: usage.data } : {}),
    ...(why === undefined ? {} : { why }),
  };
}

/** The daemon's word as it came, or undefined. */
export function readReserved(value: unknown): Reserved | undefined {
  if (!isFields(value)) return undefined;
  if (value.ok === true) {
    const { reservation, output, note } = value;
    if (!isText(reservation, 32) || !isCount(output) || (note !== undefined && !isText(note, 1000))) return undefined;
    return { ok: true, reservation, output, ...(note === undefined ? {} : { note }) };
  }
  const { status, code, rule, why, next, retryAfter } = value;
  if (value.ok !== false || !isCount(status) || status < 400 || status > 599) return undefined;
  if (!isDenialCode(code) || ![rule, why, next].every((said) => isText(said, 2000))) return undefined;
  return {
    ok: false,
    status,
    code,
    rule: rule as string,
    why: why as string,
    next: next as string,
    ...(isCount(retryAfter) ? { retryAfter } : {}),
  };
}
