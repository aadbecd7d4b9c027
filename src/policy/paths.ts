/**
 * What a policy's path patterns mean. Paths are relative to the repository's root, with `/` and without a leading one.
 *
 * In `visible`, `writable`, `evidence` and the like a pattern is anchored at the root: `*.md` is the Markdown at the root and
 * not below it, `src/**` what is below `src`. In `protected` a pattern without a slash holds at every depth.
 */
import { SallyportError } from "../domain/error.ts";
import { compileGlob, type Glob, globProblem, isLiteral } from "./glob.ts";

/** Why a path pattern is refused, as a phrase; undefined where it is fine. */
export function pathPatternProblem(pattern: string): string | undefined {
  if (pattern.startsWith("/")) return "a leading `/`: patterns start at the repository's root without it";
  if (pattern.endsWith("/")) return "a `/` at the end: write `dir/**` for what is below a directory";
  const problem = globProblem(pattern);
  if (problem !== undefined) return problem;
  if (emptySegment(pattern)) return "braces that leave a segment empty";
  // They are not seen, and without them the pattern may mean something else: a `*` on each side of one would be `**`.
  if (pattern.replace(ignorable, "") !== pattern)
    return "a character that file systems leave out when they compare names";
  return globProblem(fold(pattern)) === undefined && !emptySegment(fold(pattern))
    ? undefined
    : "dots or spaces at an end that file systems leave out when they compare names";
}

/** Whether an alternative of a sound pattern has an empty segment, which no path of a repository has. */
function emptySegment(pattern: string): boolean {
  return compileGlob(pattern).some(({ segments }) => segments.includes(""));
}

/**
 * Whether a path matches one of the patterns; no patterns match nothing. `nocase` ignores case on both sides.
 * Throws `policy-invalid` for a pattern outside of the language, so that a broken rule never silently matches nothing.
 */
export function pathMatcher(
  patterns: readonly string[],
  options: { nocase?: boolean } = {},
): (path: string) => boolean {
  const globs = patterns.flatMap((pattern) => compile(pattern, options.nocase ?? false));
  return (path) => {
    const text = options.nocase ? path.toLowerCase() : path;
    return globs.some((glob) => glob.matches(text));
  };
}

/**
 * Whether a path is protected. Wider than `pathMatcher` in every direction that an attack could use:
 * - a pattern without a slash holds at every depth (`CLAUDE.md` also protects `docs/CLAUDE.md`);
 * - a match protects what is below it (`.husky` protects `.husky/pre-commit`), and `dir/**` protects `dir` itself: a link
 *   named `dir` would put other files in its place;
 * - a file or link in the place of a protected path's parent directory is protected for the same reason;
 * - case, Unicode normal form, ignorable code points and trailing dots or spaces make no difference: on file systems that
 *   fold them `.GITHUB/x`, `.g\u200ciThub/x` and `.github./x` are the protected file (compare CVE-2014-9390).
 */
export function protectedMatcher(patterns: readonly string[]): (path: string) => boolean {
  const globs: Glob[] = [];
  const parents = new Set<string>();
  for (const pattern of patterns) {
    const deep = pattern.includes("/") || pattern === "**" ? pattern : `**/${pattern}`;
    for (const glob of compile(fold(deep), false)) {
      globs.push(glob);
      for (const parent of literalParents(glob.segments)) parents.add(parent);
    }
    const below = deep.endsWith("/**") ? deep.slice(0, -3) : deep === "**" ? deep : `${deep}/**`;
    globs.push(...compile(fold(below), false));
  }
  const parentMatchers = [...parents].flatMap((parent) => compile(parent, false));
  return (path) => {
    const text = fold(path);
    return globs.some((glob) => glob.matches(text)) || parentMatchers.some((glob) => glob.matches(text));
  };
}

/** The directories above a pattern whose names are written out, with a leading `**` kept. */
function literalParents(segments: readonly string[]): string[] {
  const parents: string[] = [];
  const start = segments[0] === "**" ? 1 : 0;
  for (let end = start; end < segments.length - 1; end++) {
    if (!isLiteral(segments[end] ?? "*")) break;
    parents.push(segments.slice(0, end + 1).join("/"));
  }
  return parents;
}

/** Code points that HFS+ leaves out of names when it compares them. */
const ignorable = /\u034f|[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad\u180e]/g;

function fold(path: string): string {
  const flat = path.normalize("NFC").replace(ignorable, "").toLowerCase().normalize("NFC");
  return flat
    .split("/")
    .map((segment) => (/^[. ]*$/.test(segment) ? segment : segment.replace(/[. ]+$/, "")))
    .join("/");
}

function compile(pattern: string, nocase: boolean): Glob[] {
  const problem = pathPatternProblem(pattern);
  if (problem) {
    throw new SallyportError("policy-invalid", `the path pattern ${JSON.stringify(pattern)} holds ${problem}`, {
      next: "Write the pattern with `*`, `?`, `**`, `[a-z]` and `{a,b}` only.",
    });
  }
  return compileGlob(pattern, { nocase });
}
