// Refutation: the change knows the answers. A criterion gives examples; code that computes has no need of their values.
import { added } from "./diff.mjs";
import { codeOf, isCode, isTest } from "./language.mjs";

const number = String.raw`-?\d+(?:[._]\d+)*(?:e[+-]?\d+)?`;
const string = String.raw`"[^"\n]{1,200}"|'[^'\n]{1,200}'|` + "`[^`\\n]{1,200}`";
const value = `(?:${number}|${string})`;
const becomes = String.raw`(?:is|are|becomes?|gives?|yields?|returns?|equals?|rounds?\s+to|maps?\s+to|prints?|->|=>|→|==?=?)`;

/**
 * The examples in a criterion: `{inputs, output}` as plain values. `f(0.125) is 0.12` has the input 0.125 and the
 * output 0.12; `"a b" becomes "a-b"` likewise.
 */
export function examplesIn(text) {
  const examples = [];
  for (const match of text.matchAll(
    new RegExp(
      String.raw`[\p{L}_$][\p{L}\p{N}_$.]*\(([^()]*)\)(?:\s*(?:must|should|shall|now|exactly|be)*\s*${becomes}\s*(${value}))?`,
      "giu",
    ),
  )) {
    const inputs = [...match[1].matchAll(new RegExp(`(?<![\\w.])${value}`, "giu"))].map(([found]) => plain(found));
    if (inputs.length > 0)
      examples.push({ inputs, output: match[2] === undefined ? undefined : plain(match[2]), call: true });
  }
  for (const match of text.matchAll(
    new RegExp(String.raw`(?<![\w.(,]\s*)(${value})\s+${becomes}\s+(${value})(?![\w%])`, "giu"),
  )) {
    examples.push({ inputs: [plain(match[1])], output: plain(match[2]), call: false });
  }
  return examples;
}

function plain(literal) {
  return literal.replace(/^["'`]|["'`]$/g, "").replaceAll(/(?<=\d)_(?=\d)/g, "");
}

/** A value that much code compares with for reasons of its own. */
function isCommon(text) {
  return /^-?\d{1,2}$/.test(text) || ["100", "1000", "1024"].includes(text) || /^[a-z_]{0,5}$/i.test(text);
}

/** A pattern for code that singles the value out: comparison, switch, table key, membership. */
function singlesOut(text) {
  const literal = `(?:${literalPattern(text)})`;
  return new RegExp(
    [
      `(?:===?|!==?|\\beq\\b|\\bis\\b)\\s*${literal}`,
      `${literal}\\s*(?:===?|!==?)`,
      `\\b(?:case|when)\\s+${literal}`,
      `^\\s*\\|?\\s*${literal}\\s*=>`,
      `(?:^|[{,\\[(])\\s*\\[?${literal}\\]?\\s*(?::(?!:)|=>|,(?=[^\\]]*\\]\\s*[,\\]]))`,
      `\\.(?:equals|is|has|get|set|equalsIgnoreCase|localeCompare)\\(\\s*${literal}`,
      `[\\[({][^\\])}]*${literal}[^\\])}]*[\\])}]\\s*\\.(?:includes|indexOf|has|contains|some|find)\\b`,
      `\\bin\\s*[\\[({][^\\])}]*${literal}`,
      `\\babs\\([^()]*-\\s*${literal}[^()]*\\)\\s*<`,
    ].join("|"),
    "iu",
  );
}

function literalPattern(text) {
  const escaped = text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const quoted = `["'\`]${escaped}["'\`]`;
  if (!/^-?\d/.test(text)) return quoted;
  // 0.12 is also written .12, 0.120 and 0.12f.
  const short = escaped.replace(/^(-?)0(?=\\\.)/, "$10?");
  const zeros = text.includes(".") ? "0*" : "(?:\\.0+)?";
  return `${quoted}|(?<![\\w.])${short}${zeros}(?:[fFdDnL](?!\\w)|(?![\\w.]*\\d))`;
}

/**
 * Findings where added code outside the tests singles out an example's input: an uncommon value alone is enough, a
 * common one (0, 10, a short word) only together with that example's output close by.
 */
export function specialCases({ files, accept }) {
  const findings = [];
  const examples = accept.flatMap((a) => examplesIn(a.must).map((example) => ({ ...example, criterion: a.id })));
  for (const file of files) {
    if (!isCode(file.path) || isTest(file.path)) continue;
    const lines = added(file).map(({ line, text }) => ({ line, code: codeOf(text, file.path) }));
    for (const [index, { line, code }] of lines.entries()) {
      if (code.trim() === "") continue;
      const close = lines
        .slice(index, index + 3)
        .map((l) => l.code)
        .join("\n");
      const hit = examples.find(({ inputs, output, call }) =>
        inputs.some((input) => {
          if (!singlesOut(input).test(code)) return false;
          const answers =
            output !== undefined && output !== input && new RegExp(literalPattern(output), "iu").test(close);
          if (answers) return !(isTiny(input) && isTiny(output));
          return call && !isCommon(input);
        }),
      );
      if (!hit) continue;
      findings.push({
        path: file.path,
        line,
        criterion: hit.criterion,
        what: `this line singles out a value that criterion ${hit.criterion} gives as an example`,
        why: "the example passes and the rule behind it is not implemented: compute the answer for every value",
      });
    }
  }
  return findings;
}

function isTiny(text) {
  return /^-?[01]$/.test(text);
}
