/**
 * A CONNECT tunnel. It was decided for one host, so it carries TLS that says this host's name, or plain HTTP whose
 * requests are decided one by one; nothing is sent or even connected upstream before one of the two is seen.
 */

import { isIP, type Socket } from "node:net";
import type { DenialCode } from "../domain/denial.ts";
import { beginsTls, readClientHello } from "./client-hello.ts";
import type { Denial } from "./denial.ts";
import { helloTime, responseBytes, tunnelSilence } from "./limits.ts";
import { relay } from "./relay.ts";

export type FirstBytes =
  | { kind: "tls"; bytes: Buffer; serverName: string | undefined }
  | { kind: "http"; bytes: Buffer }
  | { kind: "refused"; denial: Denial };

const refusal = (code: DenialCode, why: string, next: string): FirstBytes => ({
  kind: "refused",
  denial: { status: 403, code, rule: "tunnel", why, next },
});

/**
 * Waits for what the client says first in a tunnel to `host`; without one (the client took the gateway for the server)
 * the client must name one itself. Resolves undefined when the client goes without a word or says nothing in time.
 */
export function firstBytes(
  socket: Socket,
  head: Buffer,
  host: string | undefined,
  time = helloTime,
): Promise<FirstBytes | undefined> {
  const { promise, resolve } = Promise.withResolvers<FirstBytes | undefined>();
  let bytes = Buffer.from(head);
  const timer = setTimeout(() => settle(undefined), time);
  const settle = (found: FirstBytes | undefined) => {
    clearTimeout(timer);
    socket.off("data", more);
    socket.off("close", left);
    socket.off("end", left);
    socket.pause();
    resolve(found);
  };
  const left = () => settle(undefined);
  const look = () => {
    const found = judge(bytes, host);
    if (found) settle(found);
  };
  const more = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    look();
  };
  socket.on("data", more);
  socket.on("close", left);
  socket.on("end", left);
  if (bytes.length > 0) look();
  return promise;
}

function judge(bytes: Buffer, host: string | undefined): FirstBytes | undefined {
  if (bytes.length === 0) return undefined;
  if (!beginsTls(bytes)) {
    const letter = bytes[0] ?? 0;
    return letter >= 0x41 && letter <= 0x5a
      ? { kind: "http", bytes }
      : refusal("tunnel-protocol", "the tunnel carries neither TLS nor HTTP", "Only https and http are carried.");
  }
  const hello = readClientHello(bytes);
  if (hello.state === "more") return undefined;
  if (hello.state === "bad")
    return refusal("tunnel-protocol", hello.why, "Open the tunnel with an ordinary TLS ClientHello.");
  const { serverName } = hello;
  if (serverName === undefined) {
    if (host !== undefined && isIP(host) !== 0) return { kind: "tls", bytes, serverName };
    return refusal("sni-missing", "the ClientHello names no server", `Send the server name${host ? ` ${host}` : ""}.`);
  }
  // Domain fronting: a shared front end serves whatever name the inner handshake says.
  if (host !== undefined && serverName.toLowerCase() !== host) {
    return refusal(
      "sni-mismatch",
      "the ClientHello names another server than CONNECT",
      `Send the server name ${host}.`,
    );
  }
  return { kind: "tls", bytes, serverName };
}

/** A fatal TLS alert, so that a client says "unrecognized name" or "internal error" and not only "reset". */
export function alert(kind: "unrecognized-name" | "internal-error"): Buffer {
  return Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, kind === "unrecognized-name" ? 112 : 80]);
}

export interface TunnelEnd {
  code: "allowed" | "upstream-failed" | "upstream-timeout" | "tunnel-silent" | "tunnel-too-large" | "client-gone";
  sent: number;
  received: number;
}

/** How a tunnel's upstream connection is made: `opened` is told of the socket before anything is awaited. */
export type Dial = (opened: (socket: Socket) => void) => Promise<Socket>;

/** Connects and carries bytes both ways until both sides are done. Never rejects. */
export async function carry(
  client: Socket,
  first: Buffer,
  dial: Dial,
  opened: (upstream: Socket) => void,
  limits: { bytes: number; silence: number } = { bytes: responseBytes, silence: tunnelSilence },
): Promise<TunnelEnd> {
  let pending: Socket | undefined;
  const left = () => pending?.destroy();
  client.once("close", left);
  try {
    const upstream = await dial((socket) => {
      pending = socket;
      opened(socket);
    });
    client.off("close", left);
    if (client.destroyed) {
      upstream.destroy();
      return { code: "client-gone", sent: 0, received: 0 };
    }
    upstream.write(first);
    const end = await relay(client, upstream, limits);
    return { ...end, sent: end.sent + first.length };
  } catch (error) {
    const gone = client.destroyed;
    if (client.writable) client.end(alert("internal-error"));
    client.destroySoon();
    const late = error instanceof Error && error.message === "late";
    return { code: gone ? "client-gone" : late ? "upstream-timeout" : "upstream-failed", sent: 0, received: 0 };
  }
}
