/** docs/audit.md: what it shows is what the commands print, on a ledger like the one that it was written from. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseDocument } from "yaml";
import { anchorPlace } from "../../src/domain/anchor.ts";
import { hostConfig } from "../../src/domain/config.ts";
import { loadHostKey } from "../../src/gate/keys.ts";
import { openAnchors } from "../../src/host/anchors.ts";
import { lived } from "../delegation/lived.ts";
import { memoryStore } from "../delegation/memory-store.ts";
import { type AuditState, auditState } from "./audit-state.ts";
import { run } from "./run.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/audit.md"), "utf8");
let state: AuditState;
let heads: string;
let id: string;
beforeAll(async () => {
  state = auditState();
  heads = join(state.root, "heads");
  const key = await loadHostKey(join(state.root, "keys"));
  copyFileSync(join(state.root, "keys/host.pub"), join(state.root, "known.pub"));
  writeFileSync(join(state.root, "config.yaml"), JSON.stringify({ version: 1, anchors: [{ file: heads }] }));
  const ledger = await state.open(100_000);
  await ledger.append({ type: "host.started", data: { version: "0.1.0", keyid: key.keyid, pid: 700 } });
  const anchors = await openAnchors({
    places: [anchorPlace.parse({ file: heads })],
    ledger,
    sign: (bytes) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") }),
    note: () => {},
    log: pino({ level: "silent" }),
  });
  const store = memoryStore();
  const first = await lived(
    {
      brief: { title: "Round half up" },
      tries: [
        {
          end: "rejected",
          denied: [{ url: "https://evil.example/take?x=1", times: 2 }],
          asked: [{ tokens: 500, microusd: 4200 }],
          message: "cents() rounds -0.5 to 0",
        },
      ],
      last: "delegation.rejected",
    },
    store,
  );
  id = first.id;
  await lived({ tries: [{ end: "stuck" }], reason: "the policy denies the registry" }, store);
  for (const event of store.log) await ledger.append(event);
  await ledger.append({ type: "host.stopped", data: { reason: "SIGTERM" } });
  await ledger.close();
  await anchors.close();
}, 60_000);
afterAll(() => state?.close());

/** Without what differs from run to run. */
const normal = (text: string) =>
  text
    .replaceAll(join(state.root, "ledger"), "/var/lib/sallyport/ledger")
    .replaceAll(heads, "/mnt/worm/heads")
    .replace(/\bd-[a-z2-7]{16}\b/g, "ID")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/\b[0-9a-f]{64}\b/g, "HASH");

const shown = [...page.matchAll(/^```\n\$ sallyport (audit [^\n]+)\n([\s\S]*?)^```$/gm)].map(
  ([, command = "", output = ""]) => ({
    command,
    output,
  }),
);

it("shows commands with their output", () => expect(shown.length).toBeGreaterThanOrEqual(3));

it.each(shown)("$command", { timeout: 120_000 }, async ({ command, output }) => {
  const args = command
    .replace(/\bd-[a-z2-7]{16}\b/, id)
    .replace("host.pub", join(state.root, "known.pub"))
    .split(" ");
  const { stdout, stderr } = await run([...args, "--state", state.root]);
  const printed = normal(stdout + stderr).split("\n");
  // A line `…` stands for what is left out.
  for (const line of normal(output).split("\n")) if (line.trim() !== "…") expect(printed).toContain(line);
});

it("its configuration is one", () => {
  const [, text = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
  expect(hostConfig.parse(parseDocument(text).toJS()).anchors).toHaveLength(3);
});
