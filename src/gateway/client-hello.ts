/**
 * Reads the server name out of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3), which comes from the sandbox and may
 * be cut into records and packets anywhere. It decides only whether a tunnel says the name it was opened for.
 */
import { helloBytes } from "./limits.ts";

export type Hello =
  | { state: "more" }
  | { state: "name"; serverName: string | undefined }
  | { state: "bad"; why: string };

const bad = (why: string): Hello => ({ state: "bad", why });

/** Whether bytes can be the beginning of a TLS connection: a handshake record. */
export function beginsTls(bytes: Uint8Array): boolean {
  return bytes[0] === 0x16;
}

/** Reads as far as the bytes go. `more` asks for more of them; what is malformed or larger than the bound is `bad`. */
export function readClientHello(bytes: Buffer): Hello {
  const handshake: Buffer[] = [];
  let have = 0;
  let at = 0;
  let need = 4;
  while (have < need) {
    if (at + 5 > bytes.length)
      return bytes.length > helloBytes ? bad("a ClientHello without an end") : { state: "more" };
    if (bytes[at] !== 0x16 || bytes[at + 1] !== 0x03) return bad("not a TLS handshake record");
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16384) return bad("a TLS record of a refused length");
    if (at + 5 + length > bytes.length)
      return bytes.length > helloBytes ? bad("a ClientHello without an end") : { state: "more" };
    handshake.push(bytes.subarray(at + 5, at + 5 + length));
    have += length;
    at += 5 + length;
    if (need === 4 && have >= 4) {
      const head = Buffer.concat(handshake);
      if (head[0] !== 0x01) return bad("the first TLS message is not a ClientHello");
      need = 4 + head.readUIntBE(1, 3);
      if (need > helloBytes) return bad("a ClientHello larger than the bound");
    }
  }
  // Bytes after the hello in its own flight could hold a second one that upstream reads and this does not.
  if (have > need) return bad("something follows the ClientHello in its records");
  return readBody(Buffer.concat(handshake).subarray(4));
}

/** A cursor that refuses to read past its end. */
function reader(bytes: Buffer) {
  let at = 0;
  const take = (count: number): Buffer => {
    if (at + count > bytes.length) throw new RangeError("cut short");
    at += count;
    return bytes.subarray(at - count, at);
  };
  const vector = (size: 1 | 2): Buffer => take(take(size).readUIntBE(0, size));
  return { take, vector, left: () => bytes.length - at };
}

function readBody(body: Buffer): Hello {
  try {
    const hello = reader(body);
    hello.take(2 + 32);
    hello.vector(1);
    hello.vector(2);
    hello.vector(1);
    if (hello.left() === 0) return { state: "name", serverName: undefined };
    const extensions = reader(hello.vector(2));
    if (hello.left() !== 0) return bad("bytes after the extensions of the ClientHello");
    let serverName: string | undefined;
    const seen = new Set<number>();
    while (extensions.left() > 0) {
      const type = extensions.take(2).readUInt16BE();
      const data = extensions.vector(2);
      if (seen.has(type)) return bad("an extension of the ClientHello comes twice");
      seen.add(type);
      if (type !== 0) continue;
      const list = reader(reader(data).vector(2));
      if (list.left() + 2 !== data.length) return bad("a malformed server name extension");
      if (list.take(1)[0] !== 0) return bad("a server name that is not a host name");
      serverName = list.vector(2).toString("latin1");
      if (list.left() !== 0) return bad("more than one server name");
    }
    return { state: "name", serverName };
  } catch (error) {
    if (error instanceof RangeError) return bad("a malformed ClientHello");
    throw error;
  }
}
