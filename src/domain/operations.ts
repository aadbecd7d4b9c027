/** What the operator asks of a running daemon, and what it answers. Schema only. */
import { z } from "zod";
import { sha256 } from "./identity.ts";
import { settled } from "./units.ts";

/** `seconds`: how long what runs may take to end. 0 cuts it now; it goes on at the next start. */
export const drainBody = z.strictObject({ seconds: z.number().int().min(0).max(604_800).default(86_400) });
export const drainAnswer = z.strictObject({
  draining: z.literal(true),
  running: z.array(z.string()).describe("What still runs."),
  waiting: settled.count.describe("How many wait; they go on at the next start."),
});
export type DrainAnswer = z.infer<typeof drainAnswer>;

/** `older`: seconds that take the place of each time of the configuration's retention. */
export const clearBody = z.strictObject({
  dryRun: z.boolean().default(false),
  older: z.number().int().min(1).max(315_360_000).optional(),
});
export const clearAnswer = z.strictObject({
  dryRun: z.boolean(),
  trees: settled.count.describe("Base trees."),
  proposals: settled.count.describe("Attempts whose objects are nobody's any more."),
  images: z.array(z.string()).describe("Tags."),
  bytes: settled.size.describe("Given back on the disks; with `dryRun` without the objects, which only git can tell."),
});
export type ClearAnswer = z.infer<typeof clearAnswer>;

/** What a backup says of itself. */
export const backupManifest = z.strictObject({
  format: z.number().int().min(1),
  version: z.string().max(100),
  made: z.iso.datetime(),
  state: z.string().max(4096).describe("Where it was."),
  head: z.strictObject({ seq: z.number().int().nonnegative(), hash: sha256 }).describe("The last line that is in it."),
  lines: z.number().int().nonnegative(),
  keyid: sha256,
  withKey: z.boolean(),
});
export type BackupManifest = z.infer<typeof backupManifest>;
