/**
 * A CONNECT tunnel. It was decided for one host, so it carries TLS that says this host's name, or plain HTTP whose
 * requests are decided one by one; nothing is sent or even connected upstream before one of the two is seen.
 */
import { connect, isIP, type Socket } from "node:net";
import { beginsTls, readClientHello } from "./client-hello.ts";
import type { Denial } from "./denial.ts";
import { connectTime, helloTime, responseBytes, tunnelSilence } from "./limits.ts";

export type FirstBytes =
  | { kind: "tls"; bytes: Buffer }
  | { kind: "http"; bytes: Buffer }
  | { kind: "refused"; denial: Denial };

const refusal = (code: string, why: string, next: string): FirstBytes => ({
  kind: "refused",
  denial: { status: 403, code, rule: "tunnel", why, next },
});

/**
 * Waits for what the client says first in a tunnel to `host`. Resolves undefined when the client goes without a word
 * or says nothing in time.
 */
export function firstBytes(
  socket: Socket,
  head: Buffer,
  host: string,
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

function judge(bytes: Buffer, host: string): FirstBytes | undefined {
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
  const literal = isIP(host) !== 0;
  if (hello.serverName === undefined) {
    if (literal) return { kind: "tls", bytes };
    return refusal("sni-missing", "the ClientHello names no server", `Send the server name ${host}.`);
  }
  // Domain fronting: a shared front end serves whatever name the inner handshake says.
  if (hello.serverName.toLowerCase() !== host) {
    return refusal(
      "sni-mismatch",
      "the ClientHello names another server than CONNECT",
      `Send the server name ${host}.`,
    );
  }
  return { kind: "tls", bytes };
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

/**
 * Connects to the checked address and carries bytes both ways until both sides are done. Never rejects. `opened` is
 * given the upstream socket, so that closing the lane can end it.
 */
export function carry(
  client: Socket,
  first: Buffer,
  at: { address: string; port: number },
  opened: (upstream: Socket) => void,
  limits: { bytes: number; silence: number } = { bytes: responseBytes, silence: tunnelSilence },
): Promise<TunnelEnd> {
  const { promise, resolve } = Promise.withResolvers<TunnelEnd>();
  const upstream = connect({ host: at.address, port: at.port, allowHalfOpen: true });
  opened(upstream);
  let code: TunnelEnd["code"] = "allowed";
  let connected = false;
  const timer = setTimeout(() => fail("upstream-timeout"), connectTime);
  const fail = (why: TunnelEnd["code"]) => {
    if (code === "allowed") code = why;
    if (!connected && client.writable) client.end(alert("internal-error"));
    upstream.destroy();
    client.destroySoon();
  };
  upstream.on("connect", () => {
    clearTimeout(timer);
    connected = true;
    upstream.setNoDelay(true);
    upstream.write(first);
    client.pipe(upstream);
    upstream.pipe(client);
    for (const [socket, counted] of [
      [client, upstream],
      [upstream, upstream],
    ] as const) {
      socket.on("data", () => {
        if (counted.bytesRead > limits.bytes || counted.bytesWritten > limits.bytes) fail("tunnel-too-large");
      });
      socket.setTimeout(limits.silence, () => {
        // Silence of one direction only is a download or an upload.
        if (!quiet()) return;
        fail("tunnel-silent");
      });
    }
  });
  let lastRead = 0;
  let lastWritten = 0;
  const quiet = () => {
    const same = upstream.bytesRead === lastRead && upstream.bytesWritten === lastWritten;
    lastRead = upstream.bytesRead;
    lastWritten = upstream.bytesWritten;
    return same;
  };
  upstream.on("error", () => fail(connected ? "allowed" : "upstream-failed"));
  client.on("close", () => {
    if (!connected) code = code === "allowed" ? "client-gone" : code;
    upstream.destroy();
  });
  upstream.on("close", () => {
    clearTimeout(timer);
    client.destroySoon();
    resolve({ code, sent: upstream.bytesWritten, received: upstream.bytesRead });
  });
  return promise;
}
