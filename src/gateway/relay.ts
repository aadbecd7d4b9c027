/** Two connections joined: bytes both ways with back-pressure, bounded in number and in silence, until both are done. */
import type { Duplex } from "node:stream";

export interface RelayEnd {
  code: "allowed" | "tunnel-silent" | "tunnel-too-large";
  /** Bytes towards upstream, and from it. */
  sent: number;
  received: number;
}

/** Joins two open connections. Both are destroyed when it resolves; it never rejects. `count` is told as bytes go by. */
export function relay(
  client: Duplex,
  upstream: Duplex,
  limits: { bytes: number; silence: number },
  count: (sent: number, received: number) => void = () => undefined,
): Promise<RelayEnd> {
  const { promise, resolve } = Promise.withResolvers<RelayEnd>();
  let sent = 0;
  let received = 0;
  let last = -1;
  let over = false;
  const finish = (code: RelayEnd["code"]) => {
    if (over) return;
    over = true;
    clearInterval(timer);
    resolve({ code, sent, received });
  };
  const fail = (code: RelayEnd["code"]) => {
    finish(code);
    client.destroy();
    upstream.destroy();
  };
  // Silence of one direction only is a download or an upload.
  const timer = setInterval(() => {
    if (sent + received === last) fail("tunnel-silent");
    last = sent + received;
  }, limits.silence / 2);
  timer.unref();
  client.on("data", (chunk: Buffer) => {
    sent += chunk.length;
    count(sent, received);
    if (sent > limits.bytes) fail("tunnel-too-large");
  });
  upstream.on("data", (chunk: Buffer) => {
    received += chunk.length;
    count(sent, received);
    if (received > limits.bytes) fail("tunnel-too-large");
  });
  client.pipe(upstream);
  upstream.pipe(client);
  client.on("error", () => upstream.destroy());
  upstream.on("error", () => client.destroy());
  client.on("close", () => upstream.destroy());
  upstream.on("close", () => {
    // What upstream said last still has to reach the client.
    if (client.writableEnded) client.once("finish", () => client.destroy());
    else client.end(() => client.destroy());
    setTimeout(() => client.destroy(), 2000).unref();
    finish("allowed");
  });
  return promise;
}
