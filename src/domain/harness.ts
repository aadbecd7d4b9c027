/** The harness file, `images/<name>/harness.yaml`: how one harness is started, by any role. Schema only. */
import { z } from "zod";
import { role, shortName } from "./identity.ts";
import { modelProtocol } from "./model.ts";

/** A file that the harness finds in its home, made from a template. */
const homeFile = z.strictObject({
  path: z
    .string()
    .regex(/^[A-Za-z0-9._][A-Za-z0-9._/-]{0,199}$/, "a path below the home")
    .refine((p) => !p.split("/").includes(".."), "no `..`"),
  content: z.string().max(100_000),
});

export const harnessFile = z.strictObject({
  name: shortName,
  roles: z.array(role).min(1),
  description: z.string().max(500),
  package: z
    .strictObject({ name: z.string(), version: z.string() })
    .optional()
    .describe("The npm package it comes from, pinned; the lockfile beside says the rest."),
  command: z
    .array(z.string().min(1))
    .min(1)
    .describe("The argument vector. Slots: {prompt} {model} {base} {protocol}."),
  model: z
    .strictObject({
      route: shortName.describe("The policy's model route it uses."),
      name: z.string().min(1).describe("The model it asks for."),
      protocol: modelProtocol,
    })
    .optional(),
  environment: z
    .record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/i), z.string())
    .default({})
    .describe("Slots: {model} {base} {protocol}."),
  files: z.array(homeFile).max(20).default([]).describe("Slots in the content: {model} {base} {protocol}."),
  smoke: z.array(z.string().min(1)).min(1).describe("A command that exits 0 when the image is whole."),
});
export type HarnessFile = z.infer<typeof harnessFile>;
