/** Ledger appends and verification, against the plainest thing that is as durable, and against sha256sum. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../src/domain/event.ts";
import { openLedger } from "../src/ledger/open.ts";
import { verifyLedger } from "../src/ledger/verify.ts";
import { type Figure, sideBySide, timed } from "./measure.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const event: Event = {
  type: "request",
  data: {
    sandbox: `s-${"a".repeat(16)}`,
    method: "GET",
    url: "https://registry.npmjs.org/left-pad",
    decision: "allow",
    code: "allowed",
    rule: "network[0] registry.npmjs.org",
    sent: 0,
    received: 1024,
    milliseconds: 3,
  },
};
const signer = (bytes: Uint8Array) => ({
  keyid: "0".repeat(64),
  signature: sign(null, bytes, privateKey).toString("base64"),
});

export async function ledgerFigures(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  let count = 0;
  const fresh = () =>
    openLedger({ directory: join(directory, `ledger-${count++}`), now: () => new Date(), sign: signer });
  const line = Buffer.from(`${JSON.stringify(event)}\n`.padEnd(450, " "));
  try {
    const alone = 200;
    const oneByOne = await sideBySide(
      {
        name: "ledger appends, one after the other, each durable",
        unit: "/s",
        peer: "write + fdatasync of a line",
        runs: 7,
        more: true,
      },
      async () => {
        const ledger = await fresh();
        const time = await timed(async () => {
          for (let i = 0; i < alone; i++) await ledger.append(event);
        });
        await ledger.close();
        return (alone / time) * 1000;
      },
      async () => {
        const file = await open(join(directory, `plain-${count++}`), "w");
        const time = await timed(async () => {
          for (let i = 0; i < alone; i++) {
            await file.write(line);
            await file.datasync();
          }
        });
        await file.close();
        return (alone / time) * 1000;
      },
    );
    const many = 20_000;
    const grouped = await sideBySide(
      {
        name: "ledger appends, 64 at a time, each durable",
        unit: "/s",
        peer: "write + fdatasync of 64 lines",
        runs: 5,
        more: true,
      },
      async () => {
        const ledger = await fresh();
        const time = await timed(async () => {
          for (let i = 0; i < many; i += 64) await Promise.all(Array.from({ length: 64 }, () => ledger.append(event)));
        });
        await ledger.close();
        return (many / time) * 1000;
      },
      async () => {
        const file = await open(join(directory, `plain-${count++}`), "w");
        const lines = Buffer.concat(Array.from({ length: 64 }, () => line));
        const time = await timed(async () => {
          for (let i = 0; i < many; i += 64) {
            await file.write(lines);
            await file.datasync();
          }
        });
        await file.close();
        return (many / time) * 1000;
      },
    );
    const ledger = await fresh();
    const whole = join(directory, `ledger-${count - 1}`);
    const lines = 100_000;
    for (let i = 0; i < lines; i += 1000) await Promise.all(Array.from({ length: 1000 }, () => ledger.append(event)));
    await ledger.close();
    const files = (await readdir(whole)).filter((name) => name.endsWith(".jsonl")).map((name) => join(whole, name));
    const verified = await sideBySide(
      {
        name: `ledger lines verified (${lines} lines)`,
        unit: "/s",
        peer: "sha256sum of the same files, lines/s",
        runs: 5,
        more: true,
      },
      async () => {
        const time = await timed(async () => {
          const result = await verifyLedger(whole, {
            verifySignature: (_, bytes, signature) => verify(null, bytes, publicKey, Buffer.from(signature, "base64")),
          });
          if (!result.ok) throw new Error(result.problem);
        });
        return (lines / time) * 1000;
      },
      async () => {
        const time = await timed(async () => execFileSync("sha256sum", files));
        return (lines / time) * 1000;
      },
    );
    return [oneByOne, grouped, verified];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
