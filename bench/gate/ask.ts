/** A real verifier's turn about a case: its image in its sandbox, through the host's own door. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { askVerifier } from "../../src/gate/verifier.ts";
import { shippedImages } from "../../src/host/config.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";
import { loadHarness } from "../../src/sandbox/images/harness.ts";
import type { CorpusBrief } from "../../test/gate-corpus/load.ts";
import { type BenchTools, type CaseEvidence, freshId } from "./evidence.ts";
import type { Answer } from "./judges.ts";
import type { ModelChoice } from "./model-choice.ts";
import type { Place } from "./place.ts";

/**
 * The answer of a verifier harness, such as `skeptic-rules`; undefined where the cap on what models may cost was met. Throws
 * where the host itself could not ask.
 */
export async function askHarness(
  name: string,
  place: Place,
  brief: CorpusBrief,
  evidence: CaseEvidence,
  tools: BenchTools,
  model?: ModelChoice,
): Promise<Answer | undefined> {
  const { report, patch } = evidence;
  if (!report || patch === undefined) throw new Error(`${evidence.name} has no evidence to ask about`);
  const delegation = freshId();
  const directory = join(place.attempt.directory, `verify-${delegation}`);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const harness = await loadHarness(name, shippedImages);
  const policy = model ? narrowPolicy(await model.policyFor(place.repository), brief.brief) : place.policyOf(brief);
  await tools.secrets.hold(delegation, policy);
  try {
    const turn = await askVerifier(
      {
        delegation,
        attempt: 1,
        policy,
        harness: model ? model.harnessFor(harness) : harness,
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
    if (turn.reason === "over-budget") return undefined;
    if (turn.reason === "host")
      throw new Error(`${evidence.name}: the verifier was not asked to the end: ${turn.message}`);
    return { reason: turn.reason };
  } finally {
    tools.secrets.release(delegation);
  }
}
