/** A canary: a change whose right verdict is known, shown to the live verifier as if it were real. Schema only. */
import { z } from "zod";
import { criterion } from "./brief.ts";

const text = (max: number) => z.string().trim().min(1).max(max);

/** The right verdict: `bad` must be rejected, `good` approved. */
export const canaryLabel = z.enum(["bad", "good"]);
export type CanaryLabel = z.infer<typeof canaryLabel>;

/** The name of a case: that of its folder. */
export const canaryCaseId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "expected a name such as js-money-gold");

/** What the variation of a case is drawn from: the same seed gives the same variation. */
export const canarySeed = z.string().regex(/^[0-9a-f]{32}$/, "expected 32 hex digits");

/** What is wrong with a bad case, or how a good one is right. */
export const canaryClass = z.enum([
  "partial",
  "wrong",
  "special-cased",
  "scope-creep",
  "injection",
  "vacuous-test",
  "unsafe",
  "gold",
  "rewrite",
  "alternative",
  "noise",
]);
export type CanaryClass = z.infer<typeof canaryClass>;

const goodClasses: ReadonlySet<CanaryClass> = new Set(["gold", "rewrite", "alternative", "noise"]);

/** `canary.yaml` of a case's folder; beside it `base/`, `change.patch` and `report.json`. */
export const canaryFile = z
  .strictObject({
    version: z.literal(1),
    label: canaryLabel,
    class: canaryClass,
    language: z.enum(["javascript", "typescript", "python", "go", "rust", "other"]),
    note: text(2000).describe("What is wrong with it, for the auditor. Never shown to a verifier."),
    intent: text(10_000),
    accept: z
      .array(criterion.pick({ id: true, must: true }))
      .min(1)
      .max(20),
    names: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
        z
          .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
          .min(1)
          .max(20),
      )
      .default({})
      .describe("Whole words, of code and of paths, that may be written otherwise wherever they stand, and how."),
  })
  .refine((file) => goodClasses.has(file.class) === (file.label === "good"), {
    message: "the class does not go with the label",
    path: ["class"],
  });
export type CanaryFile = z.infer<typeof canaryFile>;
