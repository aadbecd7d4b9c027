/**
 * The operations log: for the operator's eyes, on standard error. The ledger is not a log, and no decision reads this.
 * Every line goes through one stream, which has known secrets masked before it writes: a message of somebody else's
 * (an engine's, a library's, the gateway's last words) may quote anything.
 */
import pino from "pino";
import type { HouseSecrets } from "./house-secrets.ts";

export type Log = pino.Logger;

export interface HostLog {
  log: Log;
  /** From now on lines are masked by this. Before it no value is known to anybody, and lines are written as they come. */
  maskWith(secrets: Pick<HouseSecrets, "known" | "mask">): void;
  /** Whoever masks is ending: what comes now is not waited for, and its details are left out. */
  unmasked(): void;
  /** Resolves when every line so far is written. */
  written(): Promise<void>;
  /** Opens the log's file again, after it was moved away; nothing where it goes to standard error. */
  reopen(): void;
}

/** Where lines go: standard error, or a file that is appended to, 0600. */
export function logSink(file: string | undefined): LogSink {
  return file
    ? pino.destination({ dest: file, append: true, mkdir: true, mode: 0o600, sync: true })
    : pino.destination({ dest: 2, sync: true });
}

export interface LogSink {
  write(line: string): void;
  reopen?(): void;
}

/** JSON lines; `SALLYPORT_LOG` sets the level (trace … fatal, silent). */
export function openLog(sink: LogSink = logSink(undefined)): HostLog {
  let secrets: Pick<HouseSecrets, "known" | "mask"> | undefined;
  let ended = false;
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  const clean = async (line: string): Promise<string> => {
    if (ended) return withheld(line);
    // Masks hold nothing that JSON would have to escape.
    return (secrets?.mask(line.trimEnd()) ?? Promise.resolve(line.trimEnd())).catch(() => withheld(line));
  };
  const write = (line: string) => {
    if (waiting === 0 && !secrets?.known()) return void sink.write(line);
    waiting += 1;
    const cleaned = clean(line);
    // In the order in which they came, though asked for at once.
    last = last.then(async () => {
      sink.write(`${await cleaned}\n`);
      waiting -= 1;
    });
  };
  const log = pino(
    {
      level: process.env.SALLYPORT_LOG ?? "info",
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    { write },
  );
  return {
    log,
    maskWith(by) {
      secrets = by;
    },
    unmasked() {
      ended = true;
    },
    written: () => last,
    reopen: () => sink.reopen?.(),
  };
}

/** What happened stays told: the house's own words, without what was quoted. */
function withheld(line: string): string {
  const { level, time, pid, delegation, msg, err } = JSON.parse(line) as Record<string, unknown>;
  // Without a message of its own, a line has its error's.
  const own = msg === (err as { message?: unknown } | undefined)?.message ? undefined : msg;
  return JSON.stringify({ level, time, pid, delegation, msg: own, withheld: "it could not be masked" });
}
