/** Prints the images that the bench of the gate needs: the verifier's, and those that the corpus' policies test in. */

import { loadCorpus } from "../../test/gate-corpus/load.ts";
import { modelChoice } from "./model-choice.ts";

const names = (await loadCorpus()).map(({ policy }) => policy.tests?.image ?? "base");
const model = modelChoice(process.env) ? ["skeptic"] : [];
console.log([...new Set([...names, "skeptic-rules", ...model])].join(" "));
