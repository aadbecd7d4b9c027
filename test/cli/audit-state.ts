/** A state directory with a ledger in it, as a daemon leaves it: real key, real appends, no daemon. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../../src/domain/event.ts";
import { loadHostKey } from "../../src/gate/keys.ts";
import { type Ledger, openLedger } from "../../src/ledger/open.ts";
import { type Ran, run } from "./run.ts";

export interface AuditState {
  root: string;
  ledgerDirectory: string;
  /** Opens the ledger for writing; a segment is small. */
  open(segmentBytes?: number): Promise<Ledger>;
  /** Opens, appends, closes. */
  write(...events: Event[]): Promise<void>;
  audit(...args: string[]): Promise<Ran>;
  close(): void;
}

export function auditState(): AuditState {
  const directory = mkdtempSync(join(tmpdir(), "sp-audit-"));
  const root = join(directory, "s");
  const ledgerDirectory = join(root, "ledger");
  const state: AuditState = {
    root,
    ledgerDirectory,
    async open(segmentBytes = 8000) {
      const key = await loadHostKey(join(root, "keys"));
      let clock = Date.parse("2026-03-01T00:00:00.000Z");
      return openLedger({
        directory: ledgerDirectory,
        now: () => {
          clock += 1000;
          return new Date(clock);
        },
        sign: (bytes) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") }),
        segmentBytes,
      });
    },
    async write(...events) {
      const ledger = await state.open();
      for (const event of events) await ledger.append(event);
      await ledger.close();
    },
    audit: (...args) => run(["audit", ...args, "--state", root]),
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
  return state;
}

export const ids = {
  d: (n: number) => `d-${"abcdefghijklmno"}${"234567abcdefgh"[n]}`,
  sandbox: (n: number) => `s-${"abcdefghijklmno"}${"234567abcdefgh"[n]}`,
};

/** A request as the gateway records it. */
export const request = (
  delegation: string,
  fields: Partial<Extract<Event, { type: "request" }>["data"]> = {},
): Event => ({
  type: "request",
  delegation,
  data: {
    sandbox: ids.sandbox(0),
    method: "GET",
    url: "https://registry.npmjs.org/left-pad",
    decision: "allow",
    code: "allowed",
    rule: "network[0] registry.npmjs.org",
    status: 200,
    sent: 120,
    received: 1024,
    milliseconds: 3,
    ...fields,
  },
});

export const sandboxStarted = (delegation: string, n: number, attempt: number): Event => ({
  type: "sandbox.started",
  delegation,
  data: {
    sandbox: ids.sandbox(n),
    attempt,
    role: "executor",
    purpose: "brief",
    image: `sha256:${"1".repeat(64)}`,
    engine: "docker",
    controls: { network: "none", user: "10001:10001", capabilities: "none" },
  },
});
