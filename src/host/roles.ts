/**
 * Who may ask what: each route says its roles, and one that does not lets nobody in and keeps the daemon from starting.
 * A planner's requests are about its own work: of another's it learns nothing, not even that it is there.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type Caller, type CallerRole, callerRole } from "../domain/caller.ts";
import { SallyportError } from "../domain/error.ts";
import type { Callers } from "./callers.ts";
import type { Store } from "./store.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may use the route. */
    roles?: readonly CallerRole[];
  }
  interface FastifyRequest {
    caller: Caller;
  }
  interface FastifyInstance {
    /** Every route that was added, with its roles. */
    declaredRoutes(): DeclaredRoute[];
  }
}

/** A route as its own declaration has it. */
export interface DeclaredRoute {
  method: string;
  url: string;
  roles: readonly CallerRole[];
}

/** Adds the check to an API, before any route. Resolves what was declared once the API is ready. */
export function addRoles(app: FastifyInstance, callers: Callers, store: Owners): { routes(): DeclaredRoute[] } {
  const declared: { method: string; url: string; config?: { roles?: readonly CallerRole[] } }[] = [];
  app.decorateRequest("caller", null as unknown as Caller);
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat()) declared.push({ ...route, method, url: route.url });
  });
  app.addHook("onReady", async () => {
    const silent = declared.filter(({ config }) => !isDeclared(config?.roles));
    if (silent.length === 0) return;
    const names = silent.map(({ method, url }) => `${method} ${url}`).join(", ");
    throw new SallyportError("internal", `no role is declared for ${names}`, {
      next: "Declare in the route's options who may use it: { config: { roles: [...] } }.",
    });
  });
  app.addHook("onRequest", async (request) => {
    request.caller = await callers.of(request.raw);
    if (request.is404) return;
    const roles = request.routeOptions.config.roles;
    if (!isDeclared(roles) || !roles.includes(request.caller.role)) throw roleRefused(request, roles ?? []);
    // By the route's own parameter, so that no handler can forget it.
    const { id } = request.params as { id?: string };
    if (id !== undefined && !sees(store, request.caller, id)) throw notThere(id);
  });
  return {
    routes: () => declared.map(({ method, url, config }) => ({ method, url, roles: config?.roles ?? [] })),
  };
}

const isDeclared = (roles: readonly CallerRole[] | undefined): roles is readonly CallerRole[] =>
  roles !== undefined && roles.length > 0 && roles.every((role) => callerRole.safeParse(role).success);

function roleRefused(request: FastifyRequest, roles: readonly CallerRole[]): SallyportError {
  const { role, by } = request.caller;
  const found = `${by} is ${role === "operator" ? "the operator's" : `a${role === "auditor" ? "n auditor's" : " planner's"}`}: it may not ask ${request.method} ${request.routeOptions.url}`;
  const whose = roles.map((one) =>
    one === "operator" ? "the operator's (host.sock)" : `a${one === "auditor" ? "n auditor's" : " planner's"}`,
  );
  return new SallyportError("role-refused", found, {
    next: whose.length > 0 ? `These may: ${whose.join(", ")}. They are in docs/api.md.` : "Nobody may.",
  });
}

/** As the store says it of what is not there at all. */
function notThere(id: string): SallyportError {
  const what = id.startsWith("p-") ? "plan" : id.startsWith("m-") ? "mission" : "delegation";
  return new SallyportError("not-found", `there is no ${what} ${id}`, { next: "See `sallyport list`." });
}

type Owners = Pick<Store, "find" | "findPlan" | "findMission">;

/** Whose work an id names; undefined where there is none, or it is no planner's (a canary of the gate). */
export function ownerOf(store: Owners, id: string): string | undefined {
  return (store.find(id) ?? store.findPlan(id) ?? store.findMission(id))?.planner;
}

/** Whether a caller may know of what an id names: a planner of its own work only. */
export function sees(store: Owners, caller: Caller, id: string | undefined): boolean {
  if (caller.role !== "planner") return true;
  if (id === undefined || caller.planner === undefined) return false;
  // What cannot be an id at all is the schema's to refuse.
  if (!/^[cdpm]-[a-z2-7]{16}$/.test(id)) return true;
  return ownerOf(store, id) === caller.planner;
}

/** Of a list of records, those that a caller may know of. */
export function seenBy<T extends { planner: string }>(caller: Caller, records: readonly T[]): readonly T[] {
  return caller.role === "planner" ? records.filter(({ planner }) => planner === caller.planner) : records;
}
