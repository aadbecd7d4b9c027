/** What the operator asks of a running daemon, and what it answers. Schema only. */
import { z } from "zod";
import { settled } from "./units.ts";

/** `seconds`: how long what runs may take to end. 0 cuts it now; it goes on at the next start. */
export const drainBody = z.strictObject({ seconds: z.number().int().min(0).max(604_800).default(86_400) });
export const drainAnswer = z.strictObject({
  draining: z.literal(true),
  running: z.array(z.string()).describe("What still runs."),
  waiting: settled.count.describe("How many wait; they go on at the next start."),
});
export type DrainAnswer = z.infer<typeof drainAnswer>;
