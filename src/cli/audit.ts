/** `sallyport audit verify|export|show|tail`: reads the ledger's files itself, so it needs no daemon and trusts none. */
import type { Command } from "commander";
import { exitCode, SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import { loadHostPublicKey } from "../gate/keys.ts";
import { narrate } from "../host/narrate.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { readEntries } from "../ledger/read.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";

interface Head {
  seq: number;
  hash: string;
}

/** The durable head of a daemon that is writing; undefined when none runs. */
async function liveHead(state: StateDirectory): Promise<Head | undefined> {
  try {
    const { head, state: root } = await call<{ head: Head; state: string }>(state, "GET", "/v1/status");
    return root === state.root ? head : undefined;
  } catch {
    return undefined;
  }
}

function parseAnchor(text: string | undefined): Head | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d+):([0-9a-f]{64})$/.exec(text);
  if (!match)
    throw new SallyportError("usage", `an anchor is SEQ:HASH, found ${text}`, {
      next: "Take it from an earlier `sallyport audit verify`.",
    });
  return { seq: Number(match[1]), hash: match[2] ?? "" };
}

async function check(state: StateDirectory, anchor?: Head) {
  const key = await loadHostPublicKey(state.keys);
  const live = await liveHead(state);
  return verifyLedger(state.ledger, {
    verifySignature: (keyid, bytes, signature) =>
      keyid === key.keyid && key.verify(bytes, Buffer.from(signature, "base64")),
    ...(anchor ? { anchor } : {}),
    ...(live ? { upTo: live.seq } : {}),
  });
}

interface VerifyFlags {
  anchor?: string;
  repo?: string;
  key?: string;
}

async function verify({ state, json }: Globals, file: string | undefined, options: VerifyFlags): Promise<number> {
  if (file !== undefined) {
    if (options.anchor !== undefined)
      throw new SallyportError("usage", "--anchor is for the ledger, not for a proof pack", { next: "Leave it out." });
    const { verifyPack } = await import("./audit-proof.ts");
    return verifyPack(json, file, options);
  }
  if (options.repo !== undefined || options.key !== undefined)
    throw new SallyportError("usage", "--repo and --key are for a proof pack", {
      next: "Name its file: `sallyport audit verify FILE --repo DIR`.",
    });
  const result = await check(state, parseAnchor(options.anchor));
  if (json) print(result);
  else if (result.ok) {
    say(`whole: ${result.lines} lines in ${result.segments} segments, head ${result.head.seq}:${result.head.hash}`);
    say(`signed by the host's key up to line ${result.signedUpTo ?? 0}`);
    say(`not proved: ${result.cannotProve}`);
  } else {
    say(
      `BROKEN at ${result.file}:${result.line}${result.seq === undefined ? "" : ` (seq ${result.seq})`}: ${result.problem}`,
    );
    say(`next: ${result.next}`);
  }
  return result.ok ? done : exitCode.rejected;
}

async function exported(globals: Globals, id: string, options: { out?: string }): Promise<number> {
  const { exportPack } = await import("./audit-proof.ts");
  const head = (await liveHead(globals.state)) ?? (await headOnDisk(globals.state));
  return exportPack(globals, id, options.out, head);
}

interface Filter {
  delegation?: string;
  type?: string;
  denied?: boolean;
}

function passes(entry: Entry, filter: Filter): boolean {
  if (filter.delegation && entry.delegation !== filter.delegation) return false;
  if (filter.type && entry.type !== filter.type) return false;
  return !filter.denied || (entry.type === "request" && entry.data.decision === "deny");
}

function tell(entry: Entry, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(entry)}\n`);
  else say(`${String(entry.seq).padStart(6)}  ${entry.time}  ${entry.delegation ?? "-".padEnd(18)}  ${narrate(entry)}`);
}

async function show({ state, json }: Globals, options: Filter): Promise<number> {
  const result = await check(state);
  // A broken ledger is shown up to the bad line, and then called broken.
  const head = result.ok ? result.head : { seq: Number.MAX_SAFE_INTEGER, hash: "" };
  for await (const entry of readEntries(state.ledger, head)) if (passes(entry, options)) tell(entry, json);
  return done;
}

async function tail({ state, json }: Globals, options: Filter & { lines: string; follow?: boolean }): Promise<number> {
  let head = (await liveHead(state)) ?? (await headOnDisk(state));
  let from = Math.max(1, head.seq + 1 - Number(options.lines));
  for (;;) {
    for await (const entry of readEntries(state.ledger, head, { from })) if (passes(entry, options)) tell(entry, json);
    if (!options.follow) return done;
    from = head.seq + 1;
    while (head.seq < from) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      head = (await liveHead(state)) ?? head;
    }
  }
}

async function headOnDisk(state: StateDirectory): Promise<Head> {
  const result = await check(state);
  if (!result.ok)
    throw new SallyportError("ledger-broken", `${result.file}:${result.line}: ${result.problem}`, {
      next: result.next,
    });
  return result.head;
}

export function auditCommand(): Command {
  const filters = (made: Command) =>
    made
      .option("--delegation <id>", "only of this delegation")
      .option("--type <type>", "only events of this type")
      .option("--denied", "only requests that were denied");
  return command("audit", "What happened, who let it land, and is the record whole?", [
    "sallyport audit verify",
    "sallyport audit show --denied",
  ])
    .addCommand(
      command(
        "verify",
        "Check the ledger: every line, link and signature. With FILE: check a proof pack again, offline.",
        [
          "sallyport audit verify --anchor 120:9f2c…",
          "sallyport audit verify proof.json --repo /srv/git/money.git --key host.pub",
        ],
      )
        .argument("[file]", "a proof pack; left out: the ledger")
        .option("--repo <dir>", "with FILE: the repository, to make trees and commits again")
        .option("--key <file>", "with FILE: the host's public key, keys/host.pub, as you know it")
        .option("--anchor <seq:hash>", "a head that you kept outside: proves that nothing up to it was cut or swapped")
        .action(action(verify)),
    )
    .addCommand(
      command("export", "Write all that is needed to check one decision again into one signed file.", [
        "sallyport audit export d-abcdefgh23456722 --out proof.json",
      ])
        .argument("<id>", "a delegation, or a plan with all its parts")
        .option("--out <file>", "where to (default: standard output)")
        .action(action(exported)),
    )
    .addCommand(
      filters(
        command("show", "Show the ledger's entries.", ["sallyport audit show --delegation d-abcdefgh23456722"]),
      ).action(action(show)),
    )
    .addCommand(
      filters(command("tail", "Show the last entries.", ["sallyport audit tail -f"]))
        .option("-n, --lines <n>", "how many", "20")
        .option("-f, --follow", "go on with what comes")
        .action(action(tail)),
    );
}
