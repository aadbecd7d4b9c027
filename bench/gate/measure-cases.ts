/** Puts chosen cases through the gate, two at a time, and asks the real verifiers about those that the host's rules let by. */
import type { Brief } from "../../src/domain/brief.ts";
import type { CorpusBrief, CorpusCase, CorpusRepository } from "../../test/gate-corpus/load.ts";
import { askHarness } from "./ask.ts";
import { hostFindings } from "./decide.ts";
import { type BenchTools, type CaseEvidence, gatherEvidence } from "./evidence.ts";
import type { Answer } from "./judges.ts";
import type { ModelChoice } from "./model-choice.ts";
import { openPlace, type Place } from "./place.ts";

/** What is known of one case once it was measured: enough to decide on it again. */
export interface Measured {
  evidence: CaseEvidence;
  question: Pick<Brief, "accept" | "breaks">;
  /** Of real verifiers, by the name of their image; only where the host's rules let the case by. */
  answers: Record<string, Answer>;
  /** Milliseconds that it took in all. */
  took: number;
}

export interface Selected {
  repository: CorpusRepository;
  brief: CorpusBrief;
  one: CorpusCase;
}

export interface MeasureOptions {
  /** The images to ask. */
  verifiers: readonly string[];
  /** What the image `skeptic` asks. */
  model?: ModelChoice | undefined;
  without?: string | undefined;
  jobs?: number;
  onCase?: (measured: Measured, done: number, all: number) => void;
}

/** Measures the cases. A failure of the host's own, twice on one case, ends the whole with its error. */
export async function measureCases(
  selected: readonly Selected[],
  tools: BenchTools,
  options: MeasureOptions,
): Promise<Measured[]> {
  const places = new Map<CorpusRepository, Place>();
  try {
    for (const repository of new Set(selected.map((s) => s.repository)))
      places.set(repository, await openPlace(repository));
    const results: Measured[] = [];
    const queue = [...selected.entries()];
    const work = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [index, { repository, brief, one }] = next;
        const place = places.get(repository);
        if (!place) throw new Error(`${repository.id} was not opened`);
        const measure = () => measureCase(place, brief, one, tools, options);
        // A fault of the host's own says nothing about the case: asked once more, as the host makes a next attempt.
        const measured = await measure().catch((error: unknown) => {
          if (tools.signal.aborted) throw error;
          console.error(`${one.name} again: ${error instanceof Error ? error.message : String(error)}`);
          return measure();
        });
        results[index] = measured;
        options.onCase?.(measured, results.filter(Boolean).length, selected.length);
      }
    };
    const workers = Array.from({ length: options.jobs ?? 2 }, () =>
      work().catch((error: unknown) => {
        queue.length = 0;
        throw error;
      }),
    );
    // All of them: a mount must not be taken away under one that still works.
    const ended = await Promise.allSettled(workers);
    for (const end of ended) if (end.status === "rejected") throw end.reason;
    return results;
  } finally {
    for (const place of places.values()) await place.close();
  }
}

async function measureCase(
  place: Place,
  brief: CorpusBrief,
  one: CorpusCase,
  tools: BenchTools,
  options: MeasureOptions,
): Promise<Measured> {
  const begun = performance.now();
  const evidence = await gatherEvidence(place, brief, one, tools);
  const { accept, breaks } = brief.brief;
  const question = { accept, breaks };
  const answers: Record<string, Answer> = {};
  const isAsked = evidence.report && hostFindings(evidence, question, { without: options.without }).length === 0;
  for (const name of isAsked ? options.verifiers : []) {
    const model = name === "skeptic" ? options.model : undefined;
    const answer = await askHarness(name, place, brief, evidence, tools, model);
    if (answer) answers[name] = answer;
  }
  return { evidence, question, answers, took: performance.now() - begun };
}
