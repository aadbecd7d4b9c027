/** The API's stream of events: the ledger's lines as server-sent events (HTML Living Standard, 9.2), with resume. */
import type { FastifyInstance } from "fastify";
import { SallyportError } from "../domain/error.ts";
import { type Entry, events } from "../domain/event.ts";
import { type FeedOptions, feedDefaults, openEventFeed } from "./event-feed.ts";
import type { Host } from "./host.ts";
import { sees } from "./roles.ts";
import { serveRoute } from "./serve-route.ts";

/** Readers at once; each costs a connection, and at most what may wait for it. */
const mostReaders = 500;

/** Adds the route to an API. */
export function addEventRoute(
  app: FastifyInstance,
  { store, log }: Pick<Host, "store" | "log">,
  options?: Partial<FeedOptions>,
): void {
  const feed = openEventFeed(store.ledger, { ...feedDefaults, ...options });
  app.addHook("onClose", async () => feed.close());
  serveRoute(app, "GET /v1/events", async ({ caller, query, request, reply }) => {
    const { delegation } = query;
    if (delegation !== undefined && !sees(store, caller, delegation))
      throw new SallyportError("not-found", `there is no ${delegation}`, { next: "See `sallyport list`." });
    const types = query.type === undefined ? undefined : new Set(query.type.split(","));
    for (const type of types ?? []) {
      if (!Object.hasOwn(events, type))
        throw invalid(`type: there is no event ${type}`, "docs/api.md says where they are listed.");
    }
    const from = startOf(request.headers["last-event-id"], query.from, store.ledger.head().seq);
    if (feed.readers >= mostReaders)
      throw new SallyportError("rate-limited", `${mostReaders} readers follow already`, { next: "Try again later." });
    const matches = (entry: Entry) =>
      (delegation === undefined || entry.delegation === delegation) &&
      (types === undefined || types.has(entry.type)) &&
      sees(store, caller, entry.delegation);
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    raw.on("error", () => {});
    raw.write("retry: 1000\n: sallyport\n\n");
    // The head is sent: what goes wrong now can only end the stream, and the reader asks again.
    await feed.serve(raw, from, matches).catch((error: unknown) => {
      log.error({ err: error }, "a reader of events was cut off");
      raw.destroy();
    });
    return undefined;
  });
}

/** The first line that a reader wants: after the last one that it has, which its browser tells when it comes back. */
function startOf(last: string | string[] | undefined, from: number | undefined, head: number): number {
  if (last === undefined || last === "") {
    if (from !== undefined && from > head + 1) throw past(`from ${from}`, head);
    return from ?? head + 1;
  }
  if (typeof last !== "string" || !/^\d{1,15}$/.test(last))
    throw invalid("Last-Event-ID: expected the id of an event", "Send the last `id` that came, or none.");
  if (Number(last) > head) throw past(`Last-Event-ID ${last}`, head);
  return Number(last) + 1;
}

const invalid = (found: string, next: string) => new SallyportError("request-invalid", found, { next });
const past = (what: string, head: number) =>
  invalid(`${what} is past the ledger's end, ${head}`, "It is another ledger than before: start anew, without it.");
