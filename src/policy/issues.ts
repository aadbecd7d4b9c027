/** Schema issues as sentences: what was found, what was expected, and the key that was probably meant. */
import type { policyFile } from "../domain/policy.ts";

/** What a schema says is wrong, in the words of the schema library. */
export type Issue = Extract<ReturnType<typeof policyFile.safeParse>, { success: false }>["error"]["issues"][number];

/** A schema, as far as reading documents needs to know it. */
export interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: Issue[] } };
}

type Path = KeyPath;

export type KeyPath = readonly (string | number)[];

/** One thing wrong with a document: where, and what. */
export interface Problem {
  path: KeyPath;
  message: string;
  /** Whether the position is that of the key rather than of its value. */
  key?: boolean;
}

/** The problems behind a failed parse of `raw`; `reasons` gives keys (by dotted path) a message of their own. */
export function explainIssues(
  issues: readonly Issue[],
  raw: unknown,
  schema: Schema<unknown>,
  reasons: Record<string, string>,
): Problem[] {
  return issues.flatMap((issue) => explain(issue, [], raw, schema, reasons));
}

function explain(
  issue: Issue,
  above: Path,
  raw: unknown,
  schema: Schema<unknown>,
  reasons: Record<string, string>,
): Problem[] {
  const path = [...above, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))];
  const value = valueAt(raw, path);
  const name = showPath(path);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, path);
    return issue.keys.map((key, index) => {
      const full = [...path, key];
      const dotted = full.filter((part) => typeof part === "string").join(".");
      const own = Object.hasOwn(reasons, dotted) ? reasons[dotted] : undefined;
      // A hint for each of very many keys would take longer than anyone reads.
      const meant = index < 50 ? nearest(key, known) : undefined;
      const hint = meant
        ? `; did you mean \`${meant}\`?`
        : known.length > 0
          ? `; expected one of ${known.join(", ")}`
          : "";
      return {
        path: full,
        key: true,
        message: own ? `${showPath(full)}: ${own}` : `unknown key \`${showPath(full)}\`${hint}`,
      };
    });
  }
  if (issue.code === "invalid_union") {
    const branch = bestBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => explain(inner, path, raw, schema, reasons));
    const types = issue.errors.flatMap((errors) =>
      errors.map((inner) => ("expected" in inner ? inner.expected : inner.message)),
    );
    return [{ path, message: `${name}: found ${show(value)}, expected ${[...new Set(types)].join(" or ")}` }];
  }
  if (issue.code === "invalid_type" && value === undefined) {
    return [{ path, message: `${name || "the document"}: missing, expected ${article(issue.expected)}` }];
  }
  // A rule of our own that is a whole sentence: "found a mapping, expected ..." would not be one with it.
  if (issue.code === "custom" && !issue.message.startsWith("expected "))
    return [{ path, message: `${name ? `${name}: ` : ""}${issue.message}` }];
  return [
    {
      path,
      message: `${name ? `${name}: ` : ""}found ${show(value)}, expected ${expected(issue)}`,
      key: issue.code === "invalid_key",
    },
  ];
}

function expected(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return article(issue.expected);
    case "invalid_value":
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return `at least ${issue.minimum}${counted(issue.origin)}`;
    case "too_big":
      return `at most ${issue.maximum}${counted(issue.origin)}`;
    case "invalid_key":
      return issue.issues.map((inner) => inner.message.replace(/^expected /, "")).join("; ");
    case "invalid_format":
      return issue.format === "starts_with" && "prefix" in issue
        ? `a text that starts with ${JSON.stringify(issue.prefix)}`
        : issue.message.replace(/^(?:expected |Invalid string: must )/, "").replace(/^Invalid /, "a valid ");
    default:
      return issue.message.replace(/^expected /, "").replace(/, found .*$/s, "");
  }
}

/** The branch of a union that was meant: one that got past the type, with the fewest problems. */
function bestBranch(errors: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const inside = errors.filter(
    (branch) => !branch.some(({ code, path }) => code === "invalid_type" && path.length === 0),
  );
  const cost = (branch: readonly Issue[]) =>
    branch.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 1), 0);
  return inside.toSorted((a, b) => cost(a) - cost(b))[0];
}

function counted(origin: string): string {
  return origin === "string" ? " characters" : origin === "array" || origin === "set" ? " entries" : "";
}

function article(type: string): string {
  const words: Record<string, string> = {
    array: "a list",
    object: "a mapping",
    record: "a mapping",
    string: "a text",
    int: "a whole number",
    boolean: "true or false",
  };
  return words[type] ?? `a ${type}`;
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** A path as people write it: `network[0].methods[1]`. */
export function showPath(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text ? `${text}.${part}` : part),
    "",
  );
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** The keys that the schema knows at a path; empty where it takes any. */
function knownKeys(schema: Schema<unknown>, path: Path): string[] {
  let candidates: Definition[] = unwrap(schema as unknown as Typed);
  for (const part of path) {
    candidates = candidates.flatMap((def): Definition[] => {
      const next =
        def.type === "object" ? def.shape?.[String(part)] : def.type === "array" ? def.element : def.valueType;
      return next ? unwrap(next) : [];
    });
  }
  return [...new Set(candidates.flatMap((def) => Object.keys(def.shape ?? {})))];
}

interface Typed {
  def: Definition;
}
interface Definition {
  type: string;
  shape?: Record<string, Typed>;
  element?: Typed;
  valueType?: Typed;
  innerType?: Typed;
  in?: Typed;
  options?: Typed[];
}

function unwrap({ def }: Typed): Definition[] {
  if (def.options) return def.options.flatMap(unwrap);
  const inner = def.innerType ?? def.in;
  return inner ? unwrap(inner) : [def];
}

/** The known word within a small edit distance of what was written: a slip, not another word. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  const limit = written.length <= 4 ? 1 : 2;
  return known
    .map((word) => ({ word, distance: editDistance(written.toLowerCase().slice(0, 64), word.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .toSorted((a, b) => a.distance - b.distance)[0]?.word;
}

/** Levenshtein distance, with a swap of neighbours as one edit. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const up = rows[i - 1] ?? [];
      let best = Math.min((up[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (up[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (rows[i - 2]?.[j - 2] ?? best) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
