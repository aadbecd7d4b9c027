/** Ends a client's TLS here, with a leaf of the lane's own authority, so that the requests inside can be decided. */
import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { handshakeTime } from "./limits.ts";

/**
 * Shakes hands with a client whose first bytes were read already. Resolves with the connection inside, or with why there
 * is none; never rejects. HTTP/1.1 is the only protocol offered.
 */
export function openTls(
  socket: Socket,
  bytes: Buffer,
  secureContext: SecureContext,
  time = handshakeTime,
): Promise<{ secure: TLSSocket } | { failed: string }> {
  const { promise, resolve } = Promise.withResolvers<{ secure: TLSSocket } | { failed: string }>();
  socket.unshift(bytes);
  const secure = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
  const settle = (failed: string | undefined) => {
    clearTimeout(timer);
    secure.off("secure", done);
    secure.off("close", gone);
    secure.off("end", gone);
    secure.off("error", fault);
    if (failed === undefined) return resolve({ secure });
    secure.on("error", () => undefined);
    secure.destroy();
    resolve({ failed });
  };
  const done = () => settle(undefined);
  const gone = () => settle("the client left");
  const fault = (error: Error & { reason?: string; code?: string }) => {
    // `tlsv1 alert unknown ca` and its like say what a person has to know.
    settle(error.reason ?? error.code ?? "the handshake failed");
  };
  const timer = setTimeout(() => settle("it was not finished in time"), time);
  secure.once("secure", done);
  secure.once("close", gone);
  // A client that only stops sending can not finish either; waiting for more would keep its place in the lane.
  secure.once("end", gone);
  secure.once("error", fault);
  return promise;
}
