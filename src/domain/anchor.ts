/** Anchors: heads of the ledger that are kept where whoever cuts or swaps the ledger cannot reach them. Schema only. */
import { z } from "zod";
import { sha256 } from "./identity.ts";
import { written } from "./units.ts";

/** A signed head: one line of an anchor file, one commit's message, one input of a command. */
export const signedHead = z.strictObject({
  type: z.literal("sallyport-ledger-head-v1"),
  ledger: sha256.describe("The hash of line 1: which ledger it is."),
  seq: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  hash: sha256.describe("Of the line with that seq."),
  time: z.iso.datetime(),
  keyid: sha256,
  signature: z
    .string()
    .max(200)
    .describe("Base64, by the host's key, over the canonical JSON of the rest without `keyid`."),
});
export type SignedHead = z.infer<typeof signedHead>;

const path = z.string().startsWith("/").max(4096);
const every = z
  .strictObject({
    lines: written.count.optional().describe("After so many new lines."),
    time: written.duration.optional().describe("After so long, where there are new lines."),
  })
  .prefault({ time: "10m" })
  .describe("How often, beside each closed segment, the start and the end of the daemon.");

/** Where heads are handed to. */
export const anchorPlace = z.union([
  z.strictObject({ file: path.describe("A line is added at its end: put it on another mount, append-only."), every }),
  z.strictObject({
    ref: z.strictObject({
      repository: path,
      ref: z
        .string()
        .regex(/^refs\/sallyport\/[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/, "expected a ref such as refs/sallyport/heads"),
    }),
    every,
  }),
  z.strictObject({
    command: z
      .array(z.string().max(4096))
      .min(1)
      .max(50)
      .refine(([program = ""]) => program.startsWith("/"), "the program's path is absolute")
      .describe("Gets the head on its standard input. No shell; 30 s."),
    every,
  }),
]);
export type AnchorPlace = z.infer<typeof anchorPlace>;

/** How the handing-out goes. */
export const anchorStatus = z.strictObject({
  place: z.string(),
  last: z
    .strictObject({ seq: z.number().int(), hash: sha256, time: z.iso.datetime() })
    .optional()
    .describe("The last head that was handed out there since the daemon's start."),
  failing: z.string().optional().describe("Why the last try failed."),
});
export type AnchorStatus = z.infer<typeof anchorStatus>;

/** Events of the anchors: only when one begins to fail and when it works again; each hand-over would be a line to be anchored. */
export const anchorEvents = {
  "anchor.failed": z.strictObject({ anchor: z.string().max(4200), message: z.string().max(2000) }),
  "anchor.resumed": z.strictObject({ anchor: z.string().max(4200) }),
} as const;

/** A place as it is called in statuses, events and verdicts. */
export function anchorName(place: AnchorPlace): string {
  if ("file" in place) return `file:${place.file}`;
  if ("ref" in place) return `git:${place.ref.repository}#${place.ref.ref}`;
  return `command:${place.command[0]}`;
}
