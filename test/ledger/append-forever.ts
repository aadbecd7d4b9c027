// Appends to the ledger in argv[2] until it is killed; prints each seq once it is durable. A fixture of the kill test.
import { openLedger } from "../../src/ledger/open.ts";
import { makeSigner, numbered } from "./signing.ts";

const [, , directory = ""] = process.argv;
const { sign } = makeSigner();
const ledger = await openLedger({ directory, now: () => new Date(), sign, segmentBytes: 20_000 });
for (let round = 0; ; round++) {
  const group = Array.from({ length: 1 + (round % 20) }, (_, i) =>
    ledger.append(numbered(round * 100 + i, "x".repeat((round * 37) % 900))),
  );
  for (const entry of await Promise.all(group)) process.stdout.write(`${entry.seq} ${entry.hash}\n`);
}
