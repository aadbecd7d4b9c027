/**
 * Globs over paths, matched in time linear in pattern times path. A name chosen by an executor meets these patterns on
 * the host, so there is no backtracking expression behind them: `*a*a*a*b` against 255 letters costs a regular
 * expression seconds, and this loop microseconds.
 *
 * The language: `*` any run within one segment, `?` one character, `**` as a whole segment any number of segments (at the
 * end: at least one, so `src/**` is what lies below `src`, not `src`), `[a-z_]` one of, `{a,b}` either, `[*]` and `[(]` these
 * characters themselves. The rest is literal.
 */

const alternativesMax = 128;

type Token = { kind: "literal"; text: string } | { kind: "one" } | { kind: "run" } | { kind: "class"; test: RegExp };
type Segment =
  | { kind: "globstar" }
  | { kind: "any" }
  | { kind: "literal"; text: string }
  | { kind: "tokens"; tokens: Token[] };

/** One way to read a pattern after its braces are expanded: the texts of its segments, and how to match them. */
export interface Glob {
  readonly segments: readonly string[];
  matches(path: string): boolean;
  /** The same for a path that is split at its slashes already. */
  matchesParts(parts: readonly string[]): boolean;
}

/** Why a pattern is not in the language above, as a phrase; undefined where it is. */
export function globProblem(pattern: string): string | undefined {
  const flat = [
    { bad: /[\u0000-\u001f\u007f]/, why: "a control character" },
    { bad: /\\/, why: "a backslash: write `?` for a character that has a meaning here" },
    { bad: /[!@+*?]\(/, why: "an extended glob: write `{a,b}` for alternatives" },
    { bad: /(?:^|\/)\.{1,2}(?:\/|$)/, why: "a `.` or `..` segment" },
    { bad: /\/\//, why: "an empty segment (`//`)" },
    { bad: /(?:^|\/)\*\*\/\*\*(?:\/|$)/, why: "`**/**`: one `**` says the same" },
    { bad: /[^/]\*\*|\*\*[^/]/, why: "`**` beside other characters: it stands alone between slashes" },
    { bad: /^!/, why: "a leading `!`: what a list does not name is already left out" },
  ];
  const hit = flat.find(({ bad }) => bad.test(pattern));
  if (hit) return hit.why;
  if (!pattern.isWellFormed()) return "half of a surrogate pair";
  const bare = pattern.replace(/\[[^\]]*\]/g, (group) => (classTest(group) ? "x" : group));
  if (/[[\]]/.test(bare)) return "a bracket that is not a set such as [a-z0-9_.-]";
  if (/[{}]/.test(bare.replace(/\{[^{},/]*(?:,[^{},/]*)+\}/g, "x"))) {
    return "braces that are not alternatives such as {a,b} within one segment";
  }
  const expanded = expandBraces(pattern);
  if (expanded === undefined) return `braces that expand to more than ${alternativesMax} patterns`;
  const segments = pattern.split("/");
  for (const text of expanded) {
    const broken = expanded.length > 1 ? flat.find(({ bad }) => bad.test(text)) : undefined;
    if (broken) return `braces that expand to ${broken.why}`;
    if (text === "") return "braces that expand to nothing";
    // `*{a,}*` would be `**`: everything, where somebody meant a part of one name.
    const star = text.split("/").some((segment, index) => segment === "**" && segments[index] !== "**");
    if (star) return "braces that expand to `**`";
  }
  return undefined;
}

/** Why a pattern over a plain text (a query's value) is refused, as a phrase; undefined where it is fine. */
export function textGlobProblem(pattern: string): string | undefined {
  // Where segments mean nothing, a slash is a letter; what else the language says stays.
  if (pattern.includes("**")) return "`**`: one `*` is any run of characters here";
  return pattern === "" ? undefined : globProblem(pattern.replaceAll("/", "x").replace(/^\.{1,2}$/, "x"));
}

/** Matches a whole text: `*` is any run of characters, slashes too. Throws RangeError for a pattern outside of the language. */
export function compileTextGlob(pattern: string): (text: string) => boolean {
  const problem = textGlobProblem(pattern);
  if (problem) throw new RangeError(`the pattern ${JSON.stringify(pattern)} holds ${problem}`);
  const alternatives = (expandBraces(pattern) ?? []).map(tokensOf);
  return (text) => {
    const characters = [...text];
    return alternatives.some((tokens) => greedy(tokens, characters, (token) => token.kind === "run", matchToken));
  };
}

/** The pattern that matches exactly this text; undefined where the language cannot say one of its characters. */
export function exactGlob(text: string): string | undefined {
  return /[?[\]{}\\]/.test(text) ? undefined : text.replace(/[*(]/g, "[$&]");
}

/** The pattern's alternatives, each ready to match. Throws RangeError for a pattern outside of the language. */
export function compileGlob(pattern: string, options: { nocase?: boolean } = {}): Glob[] {
  const problem = globProblem(pattern);
  if (problem) throw new RangeError(`the pattern ${JSON.stringify(pattern)} holds ${problem}`);
  return (expandBraces(pattern) ?? []).map((text) => compileOne(options.nocase ? text.toLowerCase() : text));
}

/** Whether a text holds nothing that is special in a pattern. */
export function isLiteral(text: string): boolean {
  return !/[*?[\]{}]/.test(text);
}

function compileOne(text: string): Glob {
  const segments = text.split("/");
  const compiled: Segment[] = segments.flatMap((segment, index): Segment[] => {
    if (segment !== "**") return [compileSegment(segment)];
    return index === segments.length - 1 ? [{ kind: "globstar" }, { kind: "any" }] : [{ kind: "globstar" }];
  });
  const matchesParts = (parts: readonly string[]) => matchSegments(compiled, parts);
  return { segments, matches: (path) => matchesParts(path.split("/")), matchesParts };
}

function compileSegment(text: string): Segment {
  return isLiteral(text) ? { kind: "literal", text } : { kind: "tokens", tokens: tokensOf(text) };
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const part of text.match(/\[[^\]]*\]|[\s\S]/gu) ?? []) {
    if (part === "*") tokens.push({ kind: "run" });
    else if (part === "?") tokens.push({ kind: "one" });
    else if (classTest(part)) tokens.push({ kind: "class", test: classTest(part) as RegExp });
    else tokens.push({ kind: "literal", text: part });
  }
  return tokens;
}

/** Sets hold letters, digits, `_`, `.`, `-` and ranges of one kind: no set can then match a slash. */
function classTest(group: string): RegExp | undefined {
  if (group === "[*]" || group === "[(]") return new RegExp(`^${group}$`);
  if (!/^\[(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_.])*-?\]$/.test(group) || group === "[]") return undefined;
  try {
    return new RegExp(`^${group}$`);
  } catch {
    return undefined; // a range that runs backwards
  }
}

/** Greedy matching that goes back to the last `**` only: correct because `**` takes anything, and never exponential. */
function matchSegments(pattern: readonly Segment[], path: readonly string[]): boolean {
  return greedy(pattern, path, (segment) => segment.kind === "globstar", matchSegment);
}

function matchSegment(segment: Segment, text: string): boolean {
  if (segment.kind === "literal") return segment.text === text;
  if (segment.kind === "any") return true;
  if (segment.kind === "globstar" || text === "") return false;
  return greedy(segment.tokens, [...text], (token) => token.kind === "run", matchToken);
}

function matchToken(token: Token, character: string): boolean {
  if (token.kind === "literal") return token.text === character;
  return token.kind === "class" ? token.test.test(character) : token.kind === "one";
}

function greedy<P, T>(
  pattern: readonly P[],
  text: readonly T[],
  isStar: (part: P) => boolean,
  matches: (part: P, piece: T) => boolean,
): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    const part = pattern[p];
    if (part !== undefined && isStar(part)) {
      star = p++;
      resume = t;
    } else if (part !== undefined && matches(part, text[t] as T)) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (p < pattern.length && isStar(pattern[p] as P)) p++;
  return p === pattern.length;
}

function expandBraces(pattern: string): string[] | undefined {
  let texts = [""];
  for (const part of pattern.match(/\{[^{}]*\}|[^{]+|\{/g) ?? []) {
    const choices = part.startsWith("{") && part.endsWith("}") ? part.slice(1, -1).split(",") : [part];
    if (texts.length * choices.length > alternativesMax) return undefined;
    texts = texts.flatMap((text) => choices.map((choice) => text + choice));
  }
  return texts;
}
