/** The HTTP API on the daemon's Unix socket. File permissions on the socket are the authorisation. */
import { Readable } from "node:stream";
import fastify, { type FastifyInstance } from "fastify";
import { delegateBody, diffQuery, idParams, landBody, logQuery, waitQuery } from "../domain/api.ts";
import { restingStates } from "../domain/delegation.ts";
import { asSallyportError, exitCode, SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import type { Host } from "./host.ts";

const statusOf: Record<number, number> = {
  [exitCode.usage]: 400,
  [exitCode.refused]: 403,
  [exitCode.rejected]: 409,
  [exitCode.failed]: 500,
};
const notFound = 404;

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } };
}

function parse<T>(schema: Schema<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.map(String).join(".") || "request"}: ${issue.message}`,
  );
  throw new SallyportError("request-invalid", problems.slice(0, 10).join("; "), { next: "Correct the request." });
}

/** The routes over a host. The caller listens. */
export function buildApi(host: Host): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: 48 * 1024 * 1024,
    forceCloseConnections: true,
    // A key such as __proto__ in a body is an error, not a surprise (ATTACKS A2).
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
  });
  app.setErrorHandler((thrown: unknown, _request, reply) => {
    const status = (thrown as { statusCode?: number }).statusCode;
    // The server's own word on a request (RFC 9110, 15.5): a body too large, of another type, not JSON.
    if (status !== undefined && status >= 400 && status < 500 && !(thrown instanceof SallyportError)) {
      const next = "Correct the request.";
      const error = new SallyportError("request-invalid", (thrown as Error).message, { next });
      return reply.status(status).send({ error });
    }
    const error = asSallyportError(thrown);
    if (error.exitCode === exitCode.failed) host.log.error({ err: thrown }, "request failed");
    return reply.status(error.code === "not-found" ? notFound : (statusOf[error.exitCode] ?? 500)).send({ error });
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new SallyportError("not-found", `there is no ${request.method} ${request.url.slice(0, 200)}`, {
      next: "See the README for the API.",
    });
    return reply.status(notFound).send({ error });
  });
  // A browser page cannot reach a Unix socket; a proxy in front of it can be asked to. Browsers always send Origin.
  app.addHook("onRequest", async (request) => {
    if (request.headers.origin !== undefined) {
      throw new SallyportError("request-invalid", "requests from web pages are refused", {
        next: "Use the command line.",
      });
    }
  });

  app.get("/v1/status", async () => host.status());
  app.get("/v1/delegations", async () => ({ delegations: host.store.list() }));
  app.post("/v1/delegations", async (request, reply) => {
    const id = await host.delegate(parse(delegateBody, request.body));
    return reply.status(201).send({ id });
  });
  app.get("/v1/delegations/:id", async (request) => host.store.record(parse(idParams, request.params).id));
  app.get("/v1/delegations/:id/wait", async (request) => {
    const { id } = parse(idParams, request.params);
    return waitForChange(host, id, parse(waitQuery, request.query));
  });
  app.get("/v1/delegations/:id/diff", async (request, reply) => {
    const { id } = parse(idParams, request.params);
    return reply.type("text/x-diff; charset=utf-8").send(await host.diff(id, parse(diffQuery, request.query).attempt));
  });
  app.get("/v1/delegations/:id/log", async (request, reply) => {
    const { id } = parse(idParams, request.params);
    host.store.record(id);
    const { follow, from } = parse(logQuery, request.query);
    return reply.type("application/x-ndjson").send(Readable.from(logLines(host, id, from, follow)));
  });
  app.post("/v1/delegations/:id/stop", async (request) => host.stop(parse(idParams, request.params).id));
  app.post("/v1/delegations/:id/land", async (request) => {
    const { id } = parse(idParams, request.params);
    return host.land(id, parse(landBody, request.body ?? {}).onto);
  });
  app.post("/v1/delegations/:id/discard", async (request) => host.discard(parse(idParams, request.params).id));
  return app;
}

/** The record as soon as it differs from what the caller knows, or rests, or the time is over. */
async function waitForChange(host: Host, id: string, query: { seconds: number; since?: string | undefined }) {
  const changed = () => {
    const record = host.store.record(id);
    return restingStates.has(record.state) || (query.since !== undefined && record.updated !== query.since);
  };
  if (!changed()) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(finish, query.seconds * 1000);
      const unsubscribe = host.store.ledger.subscribe((entry) => {
        if (entry.delegation === id && changed()) finish();
      });
      function finish() {
        clearTimeout(timer);
        unsubscribe();
        resolve();
      }
    });
  }
  return host.store.record(id);
}

async function* logLines(host: Host, id: string, from: number, follow: boolean): AsyncGenerator<string> {
  const queue: Entry[] = [];
  let wake: (() => void) | undefined;
  const unsubscribe = host.store.ledger.subscribe((entry) => {
    if (entry.delegation !== id) return;
    queue.push(entry);
    wake?.();
  });
  try {
    let last = from - 1;
    for await (const entry of host.store.ledger.read({ from, delegation: id })) {
      last = entry.seq;
      yield `${JSON.stringify(entry)}\n`;
    }
    while (follow) {
      for (let entry = queue.shift(); entry; entry = queue.shift()) {
        if (entry.seq > last) yield `${JSON.stringify(entry)}\n`;
      }
      if (restingStates.has(host.store.record(id).state)) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unsubscribe();
  }
}
