/** The API over a real ledger and a real socket, with nothing that runs a sandbox: what it says of the ledger can be tried at speed. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import type { Caller } from "../../src/domain/caller.ts";
import type { Event } from "../../src/domain/event.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { buildApi } from "../../src/host/api.ts";
import { type Callers, identifyBySocket, openCallers } from "../../src/host/callers.ts";
import { openDrain } from "../../src/host/drain.ts";
import type { FeedOptions } from "../../src/host/event-feed.ts";
import type { Host } from "../../src/host/host.ts";
import { openLanes } from "../../src/host/lanes.ts";
import { openLog } from "../../src/host/log.ts";
import { openMetrics } from "../../src/host/metrics.ts";
import { openStore, type Store } from "../../src/host/store.ts";
import { openLedger } from "../../src/ledger/open.ts";
import { httpMcp } from "../../src/mcp/serve-http.ts";
import { briefOf, freshId, images } from "../delegation/approved.ts";
import { oid, policyOf } from "../gate/samples.ts";
import { makeSigner } from "../ledger/signing.ts";

export const auditor: Caller = { role: "auditor", planner: undefined, by: "audit.sock", mcp: false };
export const plannerCalled = (planner: string): Caller => ({
  role: "planner",
  planner,
  by: `${planner}.sock`,
  mcp: true,
});

export interface ApiRig extends AsyncDisposable {
  store: Store;
  app: FastifyInstance;
  callers: Callers;
  directory: string;
  /** Listens for a caller; gives the socket's path. */
  socketFor(caller: Caller): Promise<string>;
}

export async function openApiRig(feed?: Partial<FeedOptions>): Promise<ApiRig> {
  const directory = mkdtempSync(join(tmpdir(), "sp-api-"));
  const ledger = await openLedger({ directory: join(directory, "l"), now: () => new Date(), sign: makeSigner().sign });
  const fail = (error: unknown) => {
    throw error;
  };
  const store = await openStore(ledger, fail, fail);
  const callers = openCallers();
  const { log } = openLog();
  const lanes = openLanes({ lanes: 1, queue: 1, run: async () => undefined, onError: fail });
  // The parts of a host that these routes ask for.
  const app = await buildApi({ store, log, gate: undefined } as unknown as Host, callers, {
    feed,
    mcp: httpMcp,
    operations: {
      drain: openDrain({ lanes, busy: () => [], end: () => undefined, log }),
      lanes,
      metrics: openMetrics(),
      clear: { now: async () => fail(new Error("nothing to clear")) },
    },
  });
  await app.ready();
  const servers: ReturnType<typeof createServer>[] = [];
  return {
    store,
    app,
    callers,
    directory,
    async socketFor(caller) {
      const path = join(directory, `${servers.length}.sock`);
      const server = createServer((asked, answer) => app.routing(asked, answer));
      callers.serve(server, identifyBySocket(caller));
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(path, resolve));
      return path;
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await app.close();
      await ledger.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A GET whose answer is left to be read. */
export function open(socketPath: string, path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, headers: { host: "x", ...headers } }, resolve)
      .once("error", reject)
      .end();
  });
}

/** The event that a delegation of a planner begins with. */
export function acceptedBy(planner: string): Event & { delegation: string } {
  const brief = briefOf();
  const policy = policyOf();
  return {
    type: "delegation.accepted",
    delegation: freshId(),
    data: {
      repository: "/srv/r.git",
      base: oid("0"),
      ref: "refs/heads/main",
      planner,
      brief,
      checkFiles: {},
      policy,
      policyDigest: digestValue(policy),
      briefDigest: digestValue(brief),
      images,
    },
  } as Event & { delegation: string };
}
