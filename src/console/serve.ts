/**
 * The console on loopback: a browser cannot open a Unix socket. It serves the pages and passes reads on to the daemon, for one
 * browser: the one that opens the address with the token, once.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SallyportError } from "../domain/error.ts";
import { hasSession, isSame, type Place, type Refusal, refuseForeign, type Visit } from "./admit-visit.ts";
import { type Bundle, readBundle } from "./bundle.ts";
import { forwardRead } from "./forward.ts";
import { cacheOf, pageHeaders } from "./page-headers.ts";

export interface ConsoleServer {
  /** The address to open: it holds the token, and works once. */
  url: string;
  port: number;
  /** The path that everything of it is below. */
  path: string;
  close(): Promise<void>;
}

const random = () => randomBytes(24).toString("base64url");

/** Serves the console for the daemon at `socket`; port 0 takes a free one. Errors: `console-missing`, `host-busy`. */
export async function startConsole({ socket, port }: { socket: string; port: number }): Promise<ConsoleServer> {
  const bundle = await readBundle();
  const place: Place = { port, path: `/${random()}/`, cookieName: "sallyport_console", session: random() };
  let token: string | undefined = random();
  const url = () => `http://127.0.0.1:${place.port}${place.path}open?token=${token ?? ""}`;

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const visit = visitOf(request);
    const refusal = refuseForeign(visit, place.port);
    if (refusal) return refuse(response, refusal);
    const { pathname, searchParams, search } = new URL(visit.target, "http://console.invalid");
    if (!pathname.startsWith(place.path)) return refuse(response, notHere);
    const path = pathname.slice(place.path.length);
    if (path === "open") {
      // Whoever reads the address later (a history, a process list, a screen) comes too late.
      if (token === undefined || !isSame(searchParams.get("token") ?? "", token)) return refuse(response, spent);
      if (request.method === "HEAD") return refuse(response, { status: 405, message: "open it with a browser" });
      token = undefined;
      response.writeHead(303, {
        ...pageHeaders,
        location: place.path,
        "set-cookie": `${place.cookieName}=${place.session}; Path=${place.path}; HttpOnly; SameSite=Strict`,
        "cache-control": "no-store",
      });
      return void response.end();
    }
    if (!hasSession(visit, place)) return refuse(response, spent);
    if (path.startsWith("v1/")) return forwardRead(socket, `/${path}${search}`, request, response);
    return sendFile(bundle, path, response);
  };

  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 30_000 }, (request, response) => {
    try {
      handle(request, response);
    } catch {
      // A target that is no URL.
      refuse(response, notHere);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        new SallyportError("host-busy", `cannot listen on 127.0.0.1:${port}: ${cause.message}`, {
          next: "Name another --port, or none.",
          cause,
        }),
      ),
    );
    server.listen(port, "127.0.0.1", () => resolve());
  });
  place.port = (server.address() as AddressInfo).port;
  return {
    url: url(),
    port: place.port,
    path: place.path,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(",") : value);

const visitOf = ({ method, url, headers }: IncomingMessage): Visit => ({
  method: method ?? "",
  target: url ?? "",
  host: headers.host,
  origin: one(headers.origin),
  site: one(headers["sec-fetch-site"]),
  cookie: headers.cookie,
});

const notHere: Refusal = { status: 404, message: "nothing is here" };
const spent: Refusal = {
  status: 403,
  message: "open the address that `sallyport console` shows; it works once, so run it again for another browser",
};

function refuse(response: ServerResponse, { status, message }: Refusal): void {
  response.writeHead(status, {
    ...pageHeaders,
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(`${message}\n`);
}

function sendFile(bundle: Bundle, path: string, response: ServerResponse): void {
  const file = bundle.get(path);
  if (!file) {
    refuse(response, notHere);
    return;
  }
  response.writeHead(200, {
    ...pageHeaders,
    "content-type": file.type,
    "content-length": file.bytes.length,
    "cache-control": cacheOf(file),
  });
  response.end(file.bytes);
}
