/** `sallyport backup` and `sallyport restore`. */
import type { Command } from "commander";
import { asSallyportError } from "../domain/error.ts";
import { showSize } from "../domain/units.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";

async function backup({ state, json }: Globals, file: string, options: { withKeys?: true }): Promise<number> {
  const { backUp } = await import("../host/backup.ts");
  const live = await call<{ head: { seq: number } }>(state, "GET", "/v1/status").catch((error: unknown) => {
    if (asSallyportError(error).code === "host-unreachable") return undefined;
    throw error;
  });
  const keys = options.withKeys === true;
  const made = await backUp(state, { file, keys, ...(live ? { head: live.head.seq } : {}) });
  if (json) print(made);
  else {
    say(
      `${file}: ${showSize(made.bytes)}, ${made.lines} lines of the ledger, verified up to ${made.head.seq}:${made.head.hash}`,
    );
    if (keys)
      say("warning: it holds the host's key. Whoever reads it can sign approvals and ledgers in the host's name.");
    else
      say("without the host's key: keep keys/host.key elsewhere, or a restored state can be read and not gone on with");
  }
  return done;
}

async function restoreFile({ state, json }: Globals, file: string): Promise<number> {
  const { restore } = await import("../host/restore.ts");
  const manifest = await restore(state, file);
  if (json) print({ ...manifest, into: state.root });
  else {
    say(
      `${state.root}: ${manifest.lines} lines, verified up to ${manifest.head.seq}:${manifest.head.hash}, of ${manifest.made}`,
    );
    say(
      manifest.withKey
        ? "It can be started. See to it that the old one does not run: two hosts would go on with one ledger."
        : `The key is not in it: put host.key into ${state.keys}, mode 600, before it is started.`,
    );
  }
  return done;
}

export function backupCommands(): Command[] {
  return [
    command("backup", "Put the state into one file, beside a running daemon; the ledger is verified first.", [
      "sallyport backup /mnt/backup/sallyport.tar.gz",
    ])
      .argument("<file>", "a file that is not there yet")
      .option("--with-keys", "the host's private key too: the file is then as secret as the key")
      .action(action(backup)),
    command("restore", "Make a state of a backup, in an empty directory; its ledger is verified before it is used.", [
      "sallyport restore /mnt/sallyport.tar.gz --state /var/lib/sallyport",
    ])
      .argument("<file>", "what `sallyport backup` made")
      .action(action(restoreFile)),
  ];
}
