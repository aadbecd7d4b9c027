/**
 * Who is behind a request. Every listener marks its connections with the way to tell; a request over anything else has no
 * caller and is refused.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Server, Socket } from "node:net";
import type { Caller } from "../domain/caller.ts";
import { SallyportError } from "../domain/error.ts";

/** Tells who sent a request, or throws why nobody may. */
export type Identify = (request: IncomingMessage) => Caller | Promise<Caller>;

/** The header of a request that the daemon makes of itself; its value is drawn for one request. */
export const lentHeader = "sallyport-lent";

export interface Callers {
  /** From now on, whoever connects to `server` is told by `identify`. `event` is `secureConnection` for TLS. */
  serve(server: Server, identify: Identify, event?: "connection" | "secureConnection"): void;
  /** Throws where nobody may ask so. */
  of(request: IncomingMessage): Promise<Caller>;
  /** A value of `lentHeader` with which one request made inside the daemon is the caller's. */
  lend(caller: Caller): string;
  /** The value is worth nothing any more. */
  takeBack(value: string): void;
}

/** Knows nobody yet. */
export function openCallers(): Callers {
  const known = new WeakMap<Socket, Identify>();
  const lent = new Map<string, Caller>();
  return {
    serve(server, identify, event = "connection") {
      server.on(event, (socket: Socket) => known.set(socket, identify));
    },
    async of(request) {
      const identify = known.get(request.socket);
      if (identify) return identify(request);
      // Made inside: there is no connection. 256 bits that were drawn for this request, and are used up by it.
      const value = request.headers[lentHeader];
      const caller = typeof value === "string" ? lent.get(value) : undefined;
      if (typeof value === "string") lent.delete(value);
      if (caller) return caller;
      throw new SallyportError("role-refused", "nobody is known to ask here", {
        next: "Use one of the daemon's sockets.",
      });
    },
    lend(caller) {
      const value = randomBytes(32).toString("base64url");
      lent.set(value, caller);
      return value;
    },
    takeBack: (value) => void lent.delete(value),
  };
}

/** The caller of a Unix socket: the file's permissions have let it in already. A web page must not borrow them. */
export function identifyBySocket(caller: Caller): Identify {
  return ({ headers }) => {
    // A browser page cannot reach a Unix socket; a proxy in front of it can be asked to. Browsers always send Origin.
    if (headers.origin !== undefined) {
      throw new SallyportError("request-invalid", "requests from web pages are refused", {
        next: "Use the command line.",
      });
    }
    return caller;
  };
}
