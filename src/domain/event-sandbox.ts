/** Events of one sandbox: its life, its requests, what its models were allowed and used. */
import { z } from "zod";
import { imageDigest, role, sha256, shortName } from "./identity.ts";
import { modelUsage } from "./model.ts";
import {
  accountingGap,
  claimedCommand,
  mostClaims,
  namesOfOneEvent,
  processName,
  processRow,
  rowsOfOneEvent,
} from "./processes.ts";

const attempt = z.number().int().positive();
/** A sandbox's id. */
export const sandbox = z.string().regex(/^s-[a-z2-7]{16}$/);
const reservation = z.string().regex(/^r-[a-z2-7]{16}$/);
const amount = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

export const sandboxEnd = z.enum([
  "exit",
  "timeout",
  "output",
  "memory",
  "stopped",
  "gateway-lost",
  "budget",
  "failed",
]);
export type SandboxEnd = z.infer<typeof sandboxEnd>;

export const sandboxEvents = {
  "sandbox.started": z.strictObject({
    sandbox,
    attempt,
    role,
    purpose: z.string().max(100),
    image: imageDigest,
    engine: z.string(),
    controls: z.record(z.string(), z.unknown()),
  }),
  "sandbox.wrote": z.strictObject({
    sandbox,
    files: z.number().int(),
    bytes: z.number().int(),
    paths: z.array(z.string()).max(200),
  }),
  "sandbox.ended": z.strictObject({
    sandbox,
    end: sandboxEnd,
    exit: z.number().int().nullable(),
    milliseconds: z.number().int(),
    output: z.strictObject({ bytes: z.number().int(), digest: sha256, kept: z.number().int() }),
  }),
  "sandbox.processes": z.strictObject({
    sandbox,
    by: z.literal("kernel").describe("Whose word it is."),
    from: z.iso.datetime().optional().describe("Since when; left out where it was never on."),
    whole: z.boolean().describe("The sandbox's command began after that, and no record is missing."),
    total: amount.describe("Processes that ended in the sandbox, as far as the kernel wrote them down."),
    dropped: amount.describe("Of them, those without a row."),
    digest: sha256.optional().describe("Over all records as the kernel wrote them, also of those without a row."),
    names: z.array(processName).max(namesOfOneEvent).describe("The most frequent names of all processes."),
    processes: z
      .array(processRow)
      .max(rowsOfOneEvent)
      .describe("In the order in which they ended: the first and the last."),
    gap: accountingGap.optional().describe("Why there are none, or not all."),
  }),
  "sandbox.claimed": z.strictObject({
    sandbox,
    by: z.literal("harness").describe("Whose word it is: a claim."),
    total: amount.describe("Commands that it said it ran, as far as its output was kept."),
    cut: z.boolean().describe("Only the two ends of its output were kept."),
    commands: z.array(claimedCommand).max(mostClaims),
  }),
  request: z.strictObject({
    sandbox,
    method: z.string(),
    url: z.string(),
    upgrade: z.literal("websocket").optional().describe("It asked to become a WebSocket, whatever became of it."),
    decision: z.enum(["allow", "deny"]),
    code: z.string(),
    rule: z.string(),
    status: z.number().int().optional(),
    sent: z.number().int(),
    received: z.number().int(),
    milliseconds: z.number().int(),
    address: z.string().optional(),
    secret: z.string().optional().describe("The name of the secret that was put in; never a value."),
  }),
  "budget.reserved": z.strictObject({
    sandbox,
    role,
    attempt,
    reservation,
    route: shortName,
    model: z.string().max(128),
    accounts: z.array(z.string().max(200)).max(10).describe("What it counts on."),
    tokens: amount.describe("The worst case: all that the request can come to."),
    microusd: amount,
    list: amount.describe("The worst case at the list price; more than `microusd` where a subscription pays."),
    body: sha256.optional().describe("Of the request's body, as the harness sent it."),
  }),
  "budget.settled": z.strictObject({
    sandbox,
    role,
    attempt,
    reservation,
    model: z.string().max(128).describe("As the provider named it."),
    usage: modelUsage.optional().describe("Absent where it is not known: then the reservation is kept."),
    tokens: amount,
    microusd: amount,
    list: amount,
    exact: z.boolean(),
    why: z.string().max(200).optional().describe("Why it is not exact, or what was unusual."),
  }),
  "budget.noted": z.strictObject({
    sandbox,
    role,
    attempt,
    share: z.number().int().min(1).max(100).describe("Of a hundred, how much is spent."),
    text: z.string().max(1000).describe("What the harness was told."),
  }),
  "budget.refused": z.strictObject({
    sandbox,
    role,
    attempt,
    route: shortName,
    model: z.string().max(128),
    code: z.string().max(64),
    what: z.string().max(500),
  }),
  verb: z.strictObject({ sandbox, verb: z.string(), status: z.number().int(), text: z.string().max(4000).optional() }),
} as const;
