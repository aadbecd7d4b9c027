/** A real verifier's turn about a case: its image in its sandbox, through the host's own door. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Policy } from "../../src/domain/policy.ts";
import { askVerifier } from "../../src/gate/verifier.ts";
import { shippedImages } from "../../src/host/config.ts";
import { loadHarness } from "../../src/sandbox/images/harness.ts";
import type { CorpusBrief } from "../../test/gate-corpus/load.ts";
import { type BenchTools, type CaseEvidence, freshId } from "./evidence.ts";
import type { Answer } from "./judges.ts";
import type { Place } from "./place.ts";

/** The answer of a verifier harness, such as `skeptic-rules`. Throws where the host itself could not ask. */
export async function askHarness(
  name: string,
  place: Place,
  brief: CorpusBrief,
  evidence: CaseEvidence,
  tools: BenchTools,
  policy: Policy = place.policyOf(brief),
): Promise<Answer> {
  const { report, patch } = evidence;
  if (!report || patch === undefined) throw new Error(`${evidence.name} has no evidence to ask about`);
  const directory = join(place.attempt.directory, `verify-${freshId()}`);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const turn = await askVerifier(
    {
      delegation: freshId(),
      attempt: 1,
      policy,
      harness: await loadHarness(name, shippedImages),
      image: await tools.image(name),
      directory,
      runRole: tools.runRole,
      signal: tools.signal,
    },
    brief.brief,
    Buffer.from(patch),
    report,
  );
  if (turn.verdict) return { verdict: turn.verdict };
  if (turn.reason === "host" || turn.reason === "over-budget")
    throw new Error(`${evidence.name}: the verifier was not asked to the end: ${turn.message}`);
  return { reason: turn.reason };
}
