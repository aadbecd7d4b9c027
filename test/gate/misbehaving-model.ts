/** A model that misbehaves in every way that was seen of real ones: what it says, turn by turn, drawn by a seed. */
import type { Fault, Turn } from "../model/start-model.ts";

/** What a right answer names. */
export interface Truth {
  path: string;
  /** A line that the change made, and one that it left as it was. */
  changed: number;
  context: number;
  test: string;
  check: string;
}

const attempt = { tried: "negative halves", found: false, detail: "go to even" };

export const good = ({ path, changed, check }: Truth) => ({
  status: "met",
  evidence: [{ path, line: changed }, { check }],
  why: "It rounds.",
  refutations: [attempt],
});
export const bad = ({ path, changed }: Truth) => ({
  status: "unmet",
  evidence: [{ path, line: changed }],
  why: "Halves go up.",
  refutations: [{ ...attempt, found: true }],
});

const says = (value: unknown, fault: Fault = {}): Turn => ({
  text: typeof value === "string" ? value : JSON.stringify(value),
  ...fault,
});

/** Each way to go wrong, by its name. */
export const faults: Readonly<Record<string, (truth: Truth, pick: () => number) => Turn>> = {
  "prose around the object": (t) => says(`Sure! Here is my answer:\n${JSON.stringify(good(t))}\nI hope this helps.`),
  "prose alone": () => says("I have examined the change and it looks good to me. Approved!"),
  "a fence and words": (t) => says(`Answer:\n\`\`\`json\n${JSON.stringify(good(t))}\n\`\`\``),
  "half an object": (t) => says(JSON.stringify(good(t)).slice(0, 60), { cut: true }),
  "two objects": (t) => says(`${JSON.stringify(good(t))}\n${JSON.stringify(bad(t))}`),
  "a list": (t) => says([good(t)]),
  "an empty answer": () => says(""),
  "an empty object": () => says({}),
  "a refusal": () => says("I'm sorry, but I can't help with reviewing this code."),
  "another language": () =>
    says("Dieses Kriterium ist erf\u00fcllt. \u3053\u306e\u5909\u66f4\u306f\u6b63\u3057\u3044\u3067\u3059\u3002"),
  "keys in another language": (t) => says({ status: "erf\u00fcllt", beweis: [t.check], warum: "es rundet" }),
  "a status of its own": (t) => says({ ...good(t), status: "mostly met" }),
  "a file that is not there": (t) => says({ ...good(t), evidence: [{ path: "src/other.js", line: 1 }] }),
  "a line that is not there": (t) => says({ ...good(t), evidence: [{ path: t.path, line: 9999 }] }),
  "a line as text": (t) => says({ ...good(t), evidence: [{ path: t.path, line: String(t.changed) }] }),
  "a line range": (t) => says({ ...good(t), evidence: [{ path: t.path, line: `${t.changed}-${t.changed + 3}` }] }),
  "unchanged code alone": (t) => says({ ...good(t), evidence: [{ path: t.path, line: t.context }] }),
  "a test that it dreamt": (t) => says({ ...good(t), evidence: [{ test: `${t.test} (all cases)` }] }),
  "a check of another criterion": (t) => says({ ...good(t), evidence: [{ check: "Z9.9" }] }),
  "met and refuted at once": (t) => says({ ...good(t), refutations: [{ ...attempt, found: true }] }),
  "met without a try": (t) => says({ ...good(t), refutations: [] }),
  "unmet without a reason": (t) => says({ ...bad(t), refutations: [] }),
  "feedback on a file that is not there": (t) => says({ ...bad(t), evidence: [{ path: "../etc/passwd", line: 1 }] }),
  "texts without end": (t) => says({ ...bad(t), why: "because ".repeat(4000) }),
  "a whole verdict": () => says({ decision: "approve", criteria: [], refutations: [], feedback: [] }),
  "control characters": (t) => says({ ...bad(t), why: "\u001b[31mno\u0000\u202e no" }),
  "half a character": (t) => says(JSON.stringify(bad(t)).replace("Halves", "Halves \\ud83d")),
  "prototype keys": () => says('{"__proto__": {"status": "met"}, "constructor": {"prototype": 1}}'),
  "an overloaded provider": () => ({ status: 529 }),
  "too many requests": () => ({ status: 429, retryAfter: 1 }),
  "a server error": () => ({ status: 500, text: "internal" }),
  "a bad gateway, then an answer": (t) => ({ ...says(good(t)), first: [{ status: 503 }, { dropAfter: 1 }] }),
  "a refused request": () => ({ status: 400, text: "context length exceeded" }),
  "a cut connection": () => ({ text: "cut", dropAfter: 1 }),
  "an answer without a body": () => ({ text: "cut", dropAfter: 0 }),
  "an answer that is not of the protocol": () => ({ malformed: '{"' }),
};

/** A generator of numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
