/**
 * JSON that every parser reads alike. A key that is there twice is read as the first by some and as the last by others
 * (RFC 8259 4), so a body that was checked as one could be obeyed as the other; it is refused, as is deep nesting.
 */

export type StrictJson = { ok: true; value: unknown } | { ok: false; why: string };

/**
 * Parses a text as `JSON.parse` does, and refuses doubled keys, `__proto__` as a key, more than `depth` levels, and more
 * than `parts` brackets, keys and strings: a text of nothing but brackets would take many times its bytes in memory.
 */
export function parseStrictJson(text: string, depth: number, parts = Number.POSITIVE_INFINITY): StrictJson {
  // Before the parser: it has no bound of its own on nesting.
  const fault = scan(text, depth, parts);
  if (fault !== undefined) return { ok: false, why: fault };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, why: "the body is not JSON" };
  }
}

/** The next character that matters, or a whole string. What is between them is for the parser to judge. */
const token = /["{}[\]:]/g;

/** What is wrong with the keys or the nesting of a text; undefined for a text that is no JSON, which the parser refuses. */
function scan(text: string, depth: number, parts: number): string | undefined {
  let count = 0;
  const keys: (Set<string> | undefined)[] = [];
  /** The last string, which is a key if a colon follows. */
  let last = "";
  token.lastIndex = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const at = found.index;
    count += 1;
    if (count > parts) return `more than ${parts} parts`;
    switch (text.charCodeAt(at)) {
      case 0x22: {
        const end = closing(text, at + 1);
        if (end < 0) return "the body is not JSON";
        token.lastIndex = end + 1;
        last = text.slice(at, end + 1);
        break;
      }
      case 0x3a: {
        const known = keys.at(-1);
        if (!known) break;
        const key = plainKey(last);
        if (key === undefined) return "the body is not JSON";
        if (key === "__proto__") return "the key __proto__ is not taken";
        if (known.has(key)) return `the key ${JSON.stringify(key.slice(0, 60))} is there twice in one object`;
        known.add(key);
        break;
      }
      case 0x7b:
      case 0x5b:
        if (keys.length >= depth) return `more than ${depth} levels of nesting`;
        keys.push(text.charCodeAt(at) === 0x7b ? new Set() : undefined);
        break;
      default:
        keys.pop();
    }
  }
  return undefined;
}

/** The place of a string's closing quote, or -1: the first quote behind an even number of backslashes. */
function closing(text: string, from: number): number {
  for (let at = from; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return -1;
    let run = quote;
    while (run > from && text.charCodeAt(run - 1) === 0x5c) run -= 1;
    if ((quote - run) % 2 === 0) return quote;
    at = quote + 1;
  }
}

function plainKey(written: string): string | undefined {
  if (!written.includes("\\")) return written.slice(1, -1);
  try {
    return JSON.parse(written) as string;
  } catch {
    return undefined;
  }
}
