/** What ran in a sandbox, by the kernel's accounting of its pid namespace (acct(5)). Schema only. */
import { z } from "zod";

const count = z.number().int().nonnegative();

/** One process that has ended. Its name is what it called itself; everything else is the kernel's word. */
export const processRow = z.strictObject({
  pid: count.describe("As the sandbox numbers it."),
  ppid: count,
  uid: count,
  name: z
    .string()
    .max(200)
    .describe("At most 15 bytes, which the process may choose; bytes that are not printable ASCII are shown as \\xNN."),
  exit: count.max(255).optional().describe("Its exit status; left out where a signal ended it."),
  signal: count.max(127).optional().describe("The signal that ended it."),
  started: z.iso.datetime().describe("To the second."),
  elapsed: count.describe("Milliseconds from its start to its end."),
  cpu: count.describe("Milliseconds of processor time, its own and the kernel's for it."),
  memory: count.describe("KiB of address space at its end: what was mapped, not what was used."),
  forked: z.boolean().describe("It never executed a program of its own: a copy of its parent."),
  core: z.boolean().describe("It would have dumped core."),
});
export type ProcessRow = z.infer<typeof processRow>;

/** How many processes had one name. */
export const processName = z.strictObject({
  name: processRow.shape.name,
  count,
  failed: count.describe("Of them, those that ended otherwise than by exit status 0."),
});
export type ProcessName = z.infer<typeof processName>;

/** Why there is nothing, or not all, to be said about what ran. */
export const accountingGap = z.string().min(1).max(500);

/** A command that a harness said it ran, cut. */
export const claimBytes = 1000;
export const claimedCommand = z.strictObject({
  command: z.string().max(claimBytes),
  exit: z.number().int().optional().describe("As the harness said, too."),
});
/** Commands that one event holds. */
export const mostClaims = 100;

/** Rows that one event holds. */
export const rowsOfOneEvent = 500;
/** Names that one event counts. */
export const namesOfOneEvent = 200;
