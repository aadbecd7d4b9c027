/** Where the daemon listens beside its own socket, and who may ask there. Schema only. */
import { z } from "zod";
import { callerRole } from "./caller.ts";
import { shortName } from "./identity.ts";

/** A user or a group of the machine: its name, or its number. */
const account = z.union([z.number().int().min(0).max(4294967294), z.string().regex(/^[a-z_][a-z0-9_.-]{0,31}\$?$/i)]);

const whose = {
  role: callerRole
    .exclude(["operator"])
    .describe("`planner` delegates and decides on its own work; `auditor` reads everything and changes nothing."),
  planner: shortName.optional().describe("Whose rights apply: a name under `planners`. For a planner's socket only."),
};
const namesPlanner = (value: { role: string; planner?: string | undefined }) =>
  (value.role === "planner") === (value.planner !== undefined);
const namesPlannerMessage = {
  message: "a planner's names its planner, and an auditor's names none",
  path: ["planner"],
};

/** A Unix socket. Whoever may open the file is the caller: its owner, group and mode are the authorisation. */
export const socketConfig = z
  .strictObject({
    path: z.string().startsWith("/").max(107).describe("In a directory that nobody but root may write to."),
    ...whose,
    owner: account.default("root"),
    group: account.default("root").describe("Whoever is in it may open the socket, where the mode lets the group."),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, "three octal digits such as 660")
      .refine((mode) => (Number.parseInt(mode, 8) & 0o007) === 0, { message: "a socket may not be open to everybody" })
      .default("660"),
    mcp: z.boolean().default(false).describe("Whether MCP (streamable HTTP) is served there too, at /mcp."),
  })
  .refine(namesPlanner, namesPlannerMessage);
export type SocketConfig = z.infer<typeof socketConfig>;

/** A host as a Host header names it, with or without a port. */
const hostName = z
  .string()
  .regex(/^(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]+\])(?::\d{1,5})?$/, "a host in lower case, such as build.example.org");

/** The network. There is none unless the operator writes one; TLS is always on, and every request carries a token. */
export const listenConfig = z.strictObject({
  address: z.union([z.ipv4(), z.ipv6()]).describe("The address to listen on, such as 127.0.0.1 or ::."),
  port: z.number().int().min(0).max(65535).describe("0 takes a free one; the log says which."),
  tls: z.strictObject({
    cert: z.string().startsWith("/").describe("A PEM file with the certificate and its chain."),
    key: z.string().startsWith("/").describe("A PEM file of mode 0600."),
  }),
  tokens: z.string().startsWith("/").describe("The file that `sallyport token` keeps, of mode 0600."),
  hosts: z.array(hostName).min(1).max(50).describe("What a Host header may say: anything else is refused."),
  origins: z
    .array(z.url({ protocol: /^https$/ }))
    .max(50)
    .default([])
    .describe("Web origins whose pages may ask, beside the daemon's own for reading."),
  connections: z.number().int().min(1).max(10_000).default(256).describe("How many may be open at once."),
  mcp: z.boolean().default(false).describe("Whether MCP (streamable HTTP) is served there too, at /mcp."),
});
export type ListenConfig = z.infer<typeof listenConfig>;

/** One token as its file keeps it: never the token itself. */
export const keptToken = z
  .strictObject({
    name: shortName,
    role: callerRole,
    planner: shortName.optional(),
    hash: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe("SHA-256 of the token, in hex."),
    created: z.iso.datetime(),
    expires: z.iso.datetime().optional(),
  })
  .refine(namesPlanner, namesPlannerMessage);
export type KeptToken = z.infer<typeof keptToken>;
/** The file of tokens. */
export const tokenFile = z.strictObject({ version: z.literal(1), tokens: z.array(keptToken).max(10_000) });
