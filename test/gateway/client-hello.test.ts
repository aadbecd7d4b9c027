/** The reader of TLS hellos, on real ones and on whatever a sandbox may write. */

import { Duplex } from "node:stream";
import { connect } from "node:tls";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readClientHello } from "../../src/gateway/client-hello.ts";
import { helloBytes } from "../../src/gateway/limits.ts";

/** A hello as Node's OpenSSL writes it. */
function hello(options: {
  servername?: string;
  maxVersion?: "TLSv1.2" | "TLSv1.3";
  ALPNProtocols?: string[];
}): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        done();
        resolve(chunk);
        setImmediate(() => socket.destroy());
      },
    });
    const socket = connect({ socket: wire, ...options });
    socket.on("error", () => undefined);
  });
}

/** The same handshake bytes in records of `size`. */
function fragment(record: Buffer, size: number): Buffer {
  const body = record.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    parts.push(Buffer.from([0x16, 3, 1, piece.length >> 8, piece.length & 255]), piece);
  }
  return Buffer.concat(parts);
}

test("real hellos: the name, or that there is none", async () => {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    expect(
      readClientHello(await hello({ servername: "registry.example.org", maxVersion, ALPNProtocols: ["h2"] })),
    ).toEqual({ state: "name", serverName: "registry.example.org" });
    expect(readClientHello(await hello({ maxVersion }))).toEqual({ state: "name", serverName: undefined });
  }
});

test("cut anywhere it asks for more; in records of any size it is the same hello", async () => {
  const whole = await hello({ servername: "registry.example.org" });
  for (let length = 0; length < whole.length; length++)
    expect(readClientHello(whole.subarray(0, length))).toEqual({ state: "more" });
  for (const size of [1, 3, 4, 5, 50, whole.length]) {
    expect(readClientHello(fragment(whole, size))).toEqual({ state: "name", serverName: "registry.example.org" });
  }
  expect(readClientHello(Buffer.concat([whole, Buffer.from([0x14, 3, 3, 0, 1, 1])]))).toMatchObject({ state: "name" });
});

/** A minimal hello with the given extensions. */
function build(extensions: Buffer): Buffer {
  const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0]),
    u16(2),
    Buffer.from([0x13, 1]),
    Buffer.from([1, 0]),
    u16(extensions.length),
    extensions,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([0x16, 3, 1]), u16(message.length), message]);
}
const name = (...names: [type: number, text: string][]) => {
  const list = Buffer.concat(
    names.map(([type, text]) => Buffer.concat([Buffer.from([type, 0, text.length]), Buffer.from(text)])),
  );
  return Buffer.concat([Buffer.from([0, 0, 0, list.length + 2, 0, list.length]), list]);
};

test("two names, the extension twice, another name type and trailing bytes are refused", () => {
  expect(readClientHello(build(name([0, "a"])))).toEqual({ state: "name", serverName: "a" });
  expect(readClientHello(build(Buffer.alloc(0)))).toEqual({ state: "name", serverName: undefined });
  expect(readClientHello(build(name([0, "a"], [0, "b"])))).toMatchObject({ state: "bad" });
  expect(readClientHello(build(Buffer.concat([name([0, "a"]), name([0, "b"])])))).toMatchObject({ state: "bad" });
  expect(readClientHello(build(name([1, "a"])))).toMatchObject({ state: "bad" });
  const good = build(name([0, "a"]));
  const doubled = Buffer.concat([good, good.subarray(5)]);
  doubled.writeUInt16BE(doubled.length - 5, 3);
  expect(readClientHello(doubled)).toMatchObject({ state: "bad" });
  expect(readClientHello(Buffer.from("\x16\x03\x01\0\0", "latin1"))).toMatchObject({ state: "bad" });
  expect(
    readClientHello(
      Buffer.concat([Buffer.from("\x16\x03\x01\x40\x00\x01\xff\xff\xff", "latin1"), Buffer.alloc(16380)]),
    ),
  ).toMatchObject({ state: "bad" });
});

test("no bytes make it throw, and none make it wait for ever", () => {
  const prefixed = fc
    .tuple(
      fc.constantFrom("", "\x16\x03\x01", "\x16\x03\x01\x00\x30\x01\x00\x00\x2c"),
      fc.uint8Array({ maxLength: 400 }),
    )
    .map(([prefix, rest]) => Buffer.concat([Buffer.from(prefix, "latin1"), rest]));
  fc.assert(
    fc.property(prefixed, (bytes) => ["more", "name", "bad"].includes(readClientHello(bytes).state)),
    { numRuns: 5000 },
  );
  const mutated = fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 }));
  const base = build(name([0, "registry.example.org"]));
  fc.assert(
    fc.property(fc.array(mutated, { maxLength: 8 }), (changes) => {
      const bytes = Buffer.from(base);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      readClientHello(bytes);
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: helloBytes + 20_000, maxLength: helloBytes + 21_000 }),
      (bytes) => readClientHello(Buffer.from(bytes)).state !== "more",
    ),
    { numRuns: 20 },
  );
});
