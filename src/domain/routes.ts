/**
 * Every route of the HTTP API: who may use it, what it takes and what it gives. The daemon serves from it, the API's
 * description is made of it, and the client is typed by it. Schema only.
 */
import { z } from "zod";
import { costAnswer, delegationAnswer, statusAnswer } from "./answers.ts";
import {
  actedAnswer,
  canariesAnswer,
  canaryAnswer,
  delegationsAnswer,
  executorsAnswer,
  gateAnswer,
  idAnswer,
  landedAnswer,
  missionAnswer,
  missionsAnswer,
  openAnswer,
  planAccepted,
  planAnswer,
  plansAnswer,
  policiesAnswer,
  stateAnswer,
  verifiedAnswer,
} from "./answers-plan.ts";
import {
  actBody,
  calibrateBody,
  canaryParams,
  costParams,
  delegateBody,
  diffQuery,
  eventsQuery,
  executorsQuery,
  gateBody,
  idParams,
  landBody,
  logQuery,
  missionBody,
  missionParams,
  pageQuery,
  planBody,
  planParams,
  waitQuery,
} from "./api.ts";
import type { CallerRole } from "./caller.ts";
import { clearAnswer, clearBody, drainAnswer, drainBody } from "./operations.ts";
import {
  chainQuery,
  chainStatus,
  delegationPage,
  explainQuery,
  explanation,
  pageQuery as patchesQuery,
  planPage,
  policyParams,
  summaries,
  summariesQuery,
} from "./page.ts";

/** What a route answers where that is no JSON: a patch, lines of JSON, a stream of server-sent events. */
export const streams = {
  patch: { type: "text/x-diff", what: "The patch.", schema: z.string() },
  lines: { type: "application/x-ndjson", what: "Lines of the ledger, one JSON object each.", schema: z.string() },
  figures: {
    type: "text/plain; version=0.0.4",
    what: "Figures in the Prometheus text format.",
    schema: z.string(),
  },
  events: {
    type: "text/event-stream",
    what: "Server-sent events: `id` is a line's seq, `data` the line.",
    schema: z.string(),
  },
} as const;

export interface RouteShape {
  what: string;
  roles: readonly CallerRole[];
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  answer: z.ZodType | keyof typeof streams;
  status?: 201 | 202;
}

const everybody = ["operator", "planner", "auditor"] as const;
const deciders = ["operator", "planner"] as const;
const watchers = ["operator", "auditor"] as const;
const operator = ["operator"] as const;

export const routes = {
  "GET /v1/status": { what: "How the daemon stands.", roles: everybody, answer: statusAnswer },
  "GET /v1/openapi.json": {
    what: "This description of the API, OpenAPI 3.1.",
    roles: everybody,
    answer: z.record(z.string(), z.unknown()),
  },
  "GET /v1/events": {
    what: "Lines of the ledger as they become durable; a header `Last-Event-ID` goes on after that line.",
    roles: everybody,
    query: eventsQuery,
    answer: "events",
  },
  "GET /v1/delegations": {
    what: "One page of delegations, oldest first.",
    roles: everybody,
    query: pageQuery,
    answer: delegationsAnswer,
  },
  "POST /v1/delegations": {
    what: "Delegates one brief.",
    roles: deciders,
    body: delegateBody,
    answer: idAnswer,
    status: 201,
  },
  "GET /v1/delegations/:id": { what: "One delegation.", roles: everybody, params: idParams, answer: delegationAnswer },
  "GET /v1/delegations/:id/wait": {
    what: "The delegation, once it rests or differs from what the caller knows.",
    roles: everybody,
    params: idParams,
    query: waitQuery,
    answer: delegationAnswer,
  },
  "GET /v1/delegations/:id/diff": {
    what: "A proposal's patch.",
    roles: everybody,
    params: idParams,
    query: diffQuery,
    answer: "patch",
  },
  "GET /v1/delegations/:id/log": {
    what: "The ledger's lines about it.",
    roles: everybody,
    params: idParams,
    query: logQuery,
    answer: "lines",
  },
  "POST /v1/delegations/:id/stop": {
    what: "Ends what runs of it.",
    roles: deciders,
    params: idParams,
    answer: stateAnswer,
  },
  "POST /v1/delegations/:id/land": {
    what: "Lands what was approved, when its turn has come.",
    roles: deciders,
    params: idParams,
    body: landBody,
    answer: landedAnswer,
  },
  "POST /v1/delegations/:id/act": {
    what: "Does one of the operator's actions with it.",
    roles: deciders,
    params: idParams,
    body: actBody,
    answer: actedAnswer,
  },
  "POST /v1/delegations/:id/verify": {
    what: "Has what was approved verified anew.",
    roles: deciders,
    params: idParams,
    body: landBody,
    answer: verifiedAnswer,
  },
  "POST /v1/delegations/:id/discard": { what: "Gives it up.", roles: deciders, params: idParams, answer: stateAnswer },
  "GET /v1/plans": {
    what: "One page of plans, oldest first.",
    roles: everybody,
    query: pageQuery,
    answer: plansAnswer,
  },
  "POST /v1/plans": { what: "Runs a plan.", roles: deciders, body: planBody, answer: planAccepted, status: 201 },
  "GET /v1/plans/:id": { what: "One plan.", roles: everybody, params: planParams, answer: planAnswer },
  "GET /v1/plans/:id/wait": {
    what: "The plan, once it rests or differs from what the caller knows.",
    roles: everybody,
    params: planParams,
    query: waitQuery,
    answer: planAnswer,
  },
  "GET /v1/plans/:id/diff": {
    what: "The patch of the combined whole.",
    roles: everybody,
    params: planParams,
    answer: "patch",
  },
  "GET /v1/plans/:id/log": {
    what: "The ledger's lines about it and its delegations.",
    roles: everybody,
    params: planParams,
    query: logQuery,
    answer: "lines",
  },
  "POST /v1/plans/:id/stop": {
    what: "Ends what runs of it.",
    roles: deciders,
    params: planParams,
    answer: stateAnswer,
  },
  "POST /v1/plans/:id/land": {
    what: "Lands the whole.",
    roles: deciders,
    params: planParams,
    body: landBody,
    answer: landedAnswer,
  },
  "POST /v1/plans/:id/act": {
    what: "Does one of the operator's actions with it.",
    roles: deciders,
    params: planParams,
    body: actBody,
    answer: actedAnswer,
  },
  "POST /v1/plans/:id/verify": {
    what: "Has the whole verified anew.",
    roles: deciders,
    params: planParams,
    body: landBody,
    answer: verifiedAnswer,
  },
  "POST /v1/plans/:id/discard": { what: "Gives it up.", roles: deciders, params: planParams, answer: stateAnswer },
  "GET /v1/missions": {
    what: "One page of missions, oldest first.",
    roles: everybody,
    query: pageQuery,
    answer: missionsAnswer,
  },
  "POST /v1/missions": { what: "Starts a mission.", roles: deciders, body: missionBody, answer: idAnswer, status: 201 },
  "GET /v1/missions/:id": { what: "One mission.", roles: everybody, params: missionParams, answer: missionAnswer },
  "GET /v1/missions/:id/wait": {
    what: "The mission, once it rests or differs from what the caller knows.",
    roles: everybody,
    params: missionParams,
    query: waitQuery,
    answer: missionAnswer,
  },
  "GET /v1/missions/:id/diff": {
    what: "The patch of its plan's combined whole.",
    roles: everybody,
    params: missionParams,
    answer: "patch",
  },
  "GET /v1/missions/:id/log": {
    what: "The ledger's lines about it, its plan and the plan's delegations.",
    roles: everybody,
    params: missionParams,
    query: logQuery,
    answer: "lines",
  },
  "POST /v1/missions/:id/stop": {
    what: "Ends what runs of it.",
    roles: deciders,
    params: missionParams,
    answer: stateAnswer,
  },
  "POST /v1/missions/:id/land": {
    what: "Lands its plan.",
    roles: deciders,
    params: missionParams,
    body: landBody,
    answer: landedAnswer,
  },
  "POST /v1/missions/:id/act": {
    what: "Does one of the operator's actions with its plan.",
    roles: deciders,
    params: missionParams,
    body: actBody,
    answer: actedAnswer,
  },
  "POST /v1/missions/:id/verify": {
    what: "Has its plan verified anew.",
    roles: deciders,
    params: missionParams,
    body: landBody,
    answer: verifiedAnswer,
  },
  "POST /v1/missions/:id/discard": {
    what: "Gives it up.",
    roles: deciders,
    params: missionParams,
    answer: stateAnswer,
  },
  "GET /v1/cost/:id": { what: "What it cost, by tier.", roles: everybody, params: costParams, answer: costAnswer },
  "GET /v1/policies": { what: "The policies that a brief may name.", roles: everybody, answer: policiesAnswer },
  "GET /v1/executors": {
    what: "How each executor has done.",
    roles: everybody,
    query: executorsQuery,
    answer: executorsAnswer,
  },
  "GET /v1/summaries": {
    what: "Rows of delegations, plans and missions, newest first: filtered, a page at a time.",
    roles: everybody,
    query: summariesQuery,
    answer: summaries,
  },
  "GET /v1/chain": {
    what: "Whether the ledger's chain holds, and what proves it.",
    roles: watchers,
    query: chainQuery,
    answer: chainStatus,
  },
  "GET /v1/delegations/:id/page": {
    what: "What one page about a delegation shows.",
    roles: everybody,
    params: idParams,
    query: patchesQuery,
    answer: delegationPage,
  },
  "GET /v1/plans/:id/page": {
    what: "What one page about a plan shows.",
    roles: everybody,
    params: planParams,
    answer: planPage,
  },
  "GET /v1/missions/:id/page": {
    what: "What one page about a mission shows.",
    roles: everybody,
    params: missionParams,
    answer: planPage,
  },
  "GET /v1/policies/:name/explain": {
    what: "What a policy decides about a request, and by which rule.",
    roles: everybody,
    params: policyParams,
    query: explainQuery,
    answer: explanation,
  },
  "GET /v1/gate": { what: "How the gate stands.", roles: watchers, answer: gateAnswer },
  "POST /v1/gate/calibrate": {
    what: "Draws canaries now.",
    roles: operator,
    body: calibrateBody,
    answer: canariesAnswer,
    status: 201,
  },
  "GET /v1/gate/canaries/:id": {
    what: "What became of a canary.",
    roles: watchers,
    params: canaryParams,
    answer: canaryAnswer,
  },
  "POST /v1/gate/open": { what: "Opens the gate.", roles: operator, body: gateBody, answer: openAnswer },
  "POST /v1/gate/close": { what: "Closes the gate.", roles: operator, body: gateBody, answer: openAnswer },
  "GET /v1/metrics": { what: "Figures for Prometheus.", roles: watchers, answer: "figures" },
  "POST /v1/gc": {
    what: "Clears away what nobody needs; never the ledger.",
    roles: operator,
    body: clearBody,
    answer: clearAnswer,
  },
  "POST /v1/drain": {
    what: "Takes nothing new, lets what runs end, and ends the daemon.",
    roles: operator,
    body: drainBody,
    answer: drainAnswer,
    status: 202,
  },
} as const satisfies Record<string, RouteShape>;

export type Routes = typeof routes;
export type RouteKey = keyof Routes;

type Part<K extends RouteKey, P extends "params" | "query" | "body", Io extends "in" | "out"> = Routes[K] extends {
  [key in P]: infer S extends z.ZodType;
}
  ? { [key in P]: Io extends "in" ? z.input<S> : z.output<S> }
  : unknown;

/** What a route is given, as its handler gets it. */
export type RouteInput<K extends RouteKey> = Part<K, "params", "out"> &
  Part<K, "query", "out"> &
  Part<K, "body", "out">;
/** What a route is given, as a caller writes it. */
export type RouteRequest<K extends RouteKey> = Part<K, "params", "in"> & Part<K, "query", "in"> & Part<K, "body", "in">;
/** What a route answers; unknown where that is a stream. */
export type RouteAnswer<K extends RouteKey> = Routes[K]["answer"] extends infer S extends z.ZodType
  ? z.output<S>
  : unknown;
