/**
 * The network listener, where the operator configures one: TLS always, a token with every request, the Host header one of
 * the configured names (against DNS rebinding), no page of another origin, and bounds on what a slow or silent peer costs.
 */
import { readFile, stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { createSecureContext } from "node:tls";
import type { FastifyInstance } from "fastify";
import { operatorsPlanner } from "../domain/caller.ts";
import { SallyportError } from "../domain/error.ts";
import type { KeptToken, ListenConfig } from "../domain/listen.ts";
import type { Callers, Identify } from "./callers.ts";
import { isTooOften, openFailures } from "./failures.ts";
import type { Log } from "./log.ts";
import { openTokens, type Tokens } from "./tokens.ts";

/** How often tokens of open connections are looked at again, and the certificate. */
const sweep = 2000;

/** Whether its files can be used. Listens on nothing. Errors: `control-missing`, `config-invalid`. */
export async function checkNetwork(config: ListenConfig): Promise<void> {
  await openTokens(config.tokens, () => new Date());
  try {
    createSecureContext(await certificateOf(config));
  } catch (cause) {
    throw cause instanceof SallyportError ? cause : unusable(config.tls.cert, (cause as Error).message, cause);
  }
}

/** Listens; resolves with the server once it does. Errors: `control-missing`, `config-invalid`. */
export async function listenOnNetwork(
  app: FastifyInstance,
  callers: Callers,
  config: ListenConfig,
  log: Log,
): Promise<Server> {
  const tokens = await openTokens(config.tokens, () => new Date());
  const server = createServer(
    {
      ...(await certificateOf(config)),
      minVersion: "TLSv1.2",
      handshakeTimeout: 10_000,
      // A peer that sends its head or body by the byte is let go (Slowloris), one that is gone is noticed.
      headersTimeout: 10_000,
      requestTimeout: 120_000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 30_000,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
    },
    (request, response) => app.routing(request, response),
  );
  server.maxConnections = config.connections;
  const open = new Map<Socket, Map<string, KeptToken>>();
  const remember = (socket: Socket, token: KeptToken) => {
    const known = open.get(socket);
    if (known) return void known.set(token.hash, token);
    open.set(socket, new Map([[token.hash, token]]));
    socket.once("close", () => open.delete(socket));
  };
  callers.serve(server, identifyByToken(config, tokens, remember, log), "secureConnection");
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new SallyportError("control-missing", `${config.address} port ${config.port}: ${cause.message}`, {
          next: "Correct `listen` in config.yaml, or stop what listens there.",
          cause,
        }),
      ),
    );
    server.listen({ host: config.address, port: config.port }, resolve);
  });
  let stamp = await stampOf(config);
  const look = async () => {
    for (const [socket, used] of open) {
      for (const token of used.values()) if (!(await tokens.holds(token))) socket.destroy();
    }
    const now = await stampOf(config);
    if (now === stamp) return;
    stamp = now;
    // Checked apart from the server first: what is broken must not touch what works.
    const renewed = { ...(await certificateOf(config)), minVersion: "TLSv1.2" } as const;
    createSecureContext(renewed);
    server.setSecureContext(renewed);
  };
  const timer = setInterval(() => {
    look().catch((error: unknown) => log.error({ err: error }, "the new certificate is not used: the old one stays"));
  }, sweep);
  server.once("close", () => clearInterval(timer));
  const { port } = server.address() as AddressInfo;
  log.info({ address: config.address, port }, "listening on the network");
  return server;
}

async function certificateOf({ tls }: ListenConfig): Promise<{ cert: Buffer; key: Buffer }> {
  const { mode } = await stat(tls.key).catch((cause: Error) => {
    throw unusable(tls.key, cause.message, cause);
  });
  if ((mode & 0o077) !== 0)
    throw new SallyportError("control-missing", `${tls.key} can be read by others`, { next: `chmod 600 ${tls.key}` });
  const read = (path: string) =>
    readFile(path).catch((cause: Error) => {
      throw unusable(path, cause.message, cause);
    });
  return { cert: await read(tls.cert), key: await read(tls.key) };
}

const unusable = (path: string, found: string, cause: unknown) =>
  new SallyportError("config-invalid", `${path}: ${found}`, { next: "Correct `listen.tls` in config.yaml.", cause });

const stampOf = ({ tls }: ListenConfig) =>
  Promise.all(
    [tls.cert, tls.key].map((path) =>
      stat(path).then(
        ({ mtimeMs, ino }) => `${ino} ${mtimeMs}`,
        () => "",
      ),
    ),
  ).then((both) => both.join(" "));

/** Tells a caller by its token, after the request has been found to be for this daemon and from no stranger's page. */
export function identifyByToken(
  config: Pick<ListenConfig, "hosts" | "origins" | "mcp">,
  tokens: Tokens,
  remember: (socket: Socket, token: KeptToken) => void,
  log: Log,
): Identify {
  const failures = openFailures();
  return async (request) => {
    checkHost(config.hosts, request);
    const own = checkOrigin(config.origins, request);
    const presented = /^Bearer ([A-Za-z0-9_-]{20,200})$/i.exec(request.headers.authorization ?? "")?.[1];
    const token = presented === undefined ? undefined : await tokens.find(presented);
    if (!token) {
      const address = request.socket.remoteAddress ?? "";
      const count = failures.count(address, Date.now());
      // Once in a window: whoever guesses does not fill the log.
      if (count === 1) log.warn({ address }, "a token was refused");
      if (isTooOften(count))
        throw new SallyportError("rate-limited", "too many tokens failed from there", { next: "Wait for a minute." });
      const found = request.headers.authorization === undefined ? "there is no token" : "the token is none that holds";
      throw new SallyportError("token-refused", found, {
        next: "Send `Authorization: Bearer TOKEN`; the operator makes one with `sallyport token create`.",
      });
    }
    if (own && token.role !== "auditor")
      throw badRequest("a web page may read as an auditor, and no more", "Use an auditor's token.");
    remember(request.socket, token);
    const planner = token.role === "operator" ? operatorsPlanner : token.planner;
    return { role: token.role, planner, by: `the token ${token.name}`, mcp: config.mcp };
  };
}

const badRequest = (found: string, next: string) => new SallyportError("request-invalid", found, { next });

/** A name that an attacker's DNS points here is not one of ours, whatever address it came to. */
function checkHost(hosts: readonly string[], { rawHeaders, headers, url }: IncomingMessage): void {
  const given = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;
  const host = headers.host?.toLowerCase();
  const name = host?.replace(/:\d+$/, "");
  const isOurs = given === 1 && host !== undefined && (hosts.includes(host) || hosts.includes(name ?? ""));
  if (!isOurs || !url?.startsWith("/"))
    throw badRequest("the request is for another host", "`listen.hosts` in config.yaml has the names of this one.");
}

/** Gives whether it is a page of this daemon's own origin: that may read. Pages of others are refused. */
function checkOrigin(origins: readonly string[], { headers, method }: IncomingMessage): boolean {
  const { origin } = headers;
  if (origin !== undefined && origins.some((one) => new URL(one).origin === origin)) return false;
  const isRead = method === "GET" || method === "HEAD";
  if (origin !== undefined && isRead && origin.toLowerCase() === `https://${headers.host?.toLowerCase()}`) return true;
  const site = headers["sec-fetch-site"];
  if (origin === undefined && (site === undefined || site === "none" || (site === "same-origin" && isRead)))
    return site === "same-origin";
  throw badRequest(
    "requests from web pages of another origin are refused",
    "`listen.origins` in config.yaml has those that may.",
  );
}
