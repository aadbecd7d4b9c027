// Refutations on the text itself: words meant for the verifier, and characters that show one thing and are another.
import { added } from "./diff.mjs";
import { bareCodeOf, isCode } from "./language.mjs";

const addressed = [
  /\b(?:ignore|disregard|forget|override)\b[^.\n]{0,30}\b(?:previous|prior|above|earlier|your)\b[^.\n]{0,30}\b(?:instructions?|rules?|prompts?|guidelines?)\b/i,
  /\b(?:approve|accept|merge|land|lgtm|rubber.?stamp)\s+(?:this|the|my)\s+(?:diff|change|changes|patch|pull request|pr|proposal|commit|submission)\b/i,
  /\b(?:dear|attention|hey|hello|hi|note (?:to|for)(?: the| any| all)?|message (?:to|for)(?: the)?)[\s,:]+(?:code\s+)?(?:reviewers?|verifiers?|auditors?|skeptics?|graders?|llms?|ai\b|language model|assistant)\b/i,
  /\b(?:reviewers?|verifiers?|skeptics?|graders?)\b\s*[:,]\s*(?:please|you|approve|accept|mark|do not|don't|this)\b/i,
  /\bmark\s+(?:all|every|each)\b[^.\n]{0,20}\bcriteri(?:a|on)\b|\ball (?:acceptance )?criteria (?:are|have been) (?:met|verified|satisfied)\b/i,
  /\bverdict\b["'\s]*[:=]\s*["'`]?approve\b|["']decision["']\s*:\s*["']approve["']/i,
  /\b(?:you are|act as|you're)\s+(?:now\s+)?(?:an?|the)\s+(?:helpful\s+|ai\s+|code\s+)*(?:assistant|language model|reviewer|verifier|skeptic|judge)\b/i,
  /<\|(?:im_start|im_end|system|assistant)\|>|\[\/?INST\]|<\/?(?:system|assistant)(?:[\s_-]?(?:prompt|message|instructions?))?>/i,
];

/** Findings where the diff, a file's name or the tests' output talks to whoever judges it. */
export function wordsForTheVerifier({ files, report }) {
  const speaks = (text) => addressed.some((pattern) => pattern.test(text));
  const findings = files.flatMap((file) => {
    const lines = added(file)
      .filter(({ text }) => speaks(text))
      .map(({ line }) => ({ path: file.path, line }));
    if (speaks(file.path.replaceAll(/[-_/.]/g, " "))) lines.push({ path: file.path });
    return lines;
  });
  for (const run of [report.proposal, report.proven]) if (run && speaks(run.tail)) findings.push({});
  return findings.map((place) => ({
    ...place,
    hard: true,
    what: place.path === undefined ? "the tests' output speaks to the verifier" : "this text speaks to the verifier",
    why: "a change is judged by what it does: it has no business with its judge",
  }));
}

// Bidirectional controls, zero-width characters, soft hyphens, fillers, and the invisible tag alphabet.
const invisible =
  /\u034F|[\u00AD\u061C\u115F\u1160\u17B4\u17B5\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\u3164\uFEFF\uFFA0]|[\u{E0000}-\u{E007F}]/u;
/** Where such a character belongs: joined emoji, and the joiners inside words of scripts that need them. */
const belongs =
  /(?<=\p{Extended_Pictographic}|\uFE0F|[\u{1F3FB}-\u{1F3FF}])\u200D(?=\p{Extended_Pictographic})|(?<=[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Tamil}\p{Script=Malayalam}\p{Script=Telugu}\p{Script=Kannada}\p{M}])[\u200C\u200D](?=[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Tamil}\p{Script=Malayalam}\p{Script=Telugu}\p{Script=Kannada}]|\s|$)/gu;
const mixedWord =
  /(?:\p{Script=Latin}[\p{L}\p{N}_$]*[\p{Script=Cyrillic}\p{Script=Greek}]|[\p{Script=Cyrillic}\p{Script=Greek}][\p{L}\p{N}_$]*\p{Script=Latin})/u;

/** Findings where a reader sees other text than the compiler (CVE-2021-42574, CVE-2021-42694). */
export function deceptiveCharacters({ files }) {
  return files.flatMap((file) => {
    const findings = added(file)
      .filter(({ line, text }) => {
        const rest = (line === 1 ? text.replace(/^\uFEFF/, "") : text).replaceAll(belongs, "");
        return invisible.test(rest) || (isCode(file.path) && mixedWord.test(bareCodeOf(text, file.path)));
      })
      .map(({ line }) => ({ path: file.path, line }));
    if (file.status !== "deleted" && (invisible.test(file.path) || mixedWord.test(file.path)))
      findings.push({ path: file.path });
    return findings.map((place) => ({
      ...place,
      what: "there are invisible, direction-changing or look-alike characters here",
      why: "what is read is not what runs: write it with plain characters or escapes",
    }));
  });
}
