/** The operations log: for the operator's eyes, on standard error. The ledger is not a log, and no decision reads this. */
import pino from "pino";

export type Log = pino.Logger;

/** JSON lines; `SALLYPORT_LOG` sets the level (trace … fatal, silent). */
export function openLog(): Log {
  return pino(
    {
      level: process.env.SALLYPORT_LOG ?? "info",
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
