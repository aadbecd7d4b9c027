/**
 * What kind of work a delegation is, told from paths alone: an executor that is good at tests may be bad at CSS. Pure.
 * docs/executors.md has the rule in words.
 */
import { extname } from "node:path/posix";

/** Languages by extension. What is not here is `other`. */
const languages: Readonly<Record<string, string>> = {
  ".ts": "typescript",
  ".tsx": "typescript",
  ".mts": "typescript",
  ".cts": "typescript",
  ".js": "javascript",
  ".jsx": "javascript",
  ".mjs": "javascript",
  ".cjs": "javascript",
  ".vue": "javascript",
  ".svelte": "javascript",
  ".py": "python",
  ".pyi": "python",
  ".go": "go",
  ".rs": "rust",
  ".java": "java",
  ".kt": "kotlin",
  ".kts": "kotlin",
  ".scala": "scala",
  ".c": "c",
  ".h": "c",
  ".cc": "c++",
  ".cpp": "c++",
  ".cxx": "c++",
  ".hpp": "c++",
  ".cs": "c#",
  ".fs": "f#",
  ".rb": "ruby",
  ".php": "php",
  ".swift": "swift",
  ".m": "objective-c",
  ".ex": "elixir",
  ".exs": "elixir",
  ".erl": "erlang",
  ".hs": "haskell",
  ".ml": "ocaml",
  ".clj": "clojure",
  ".lua": "lua",
  ".dart": "dart",
  ".r": "r",
  ".jl": "julia",
  ".zig": "zig",
  ".sh": "shell",
  ".bash": "shell",
  ".sql": "sql",
  ".css": "css",
  ".scss": "css",
  ".less": "css",
  ".html": "html",
};
const prose: ReadonlySet<string> = new Set([".md", ".mdx", ".rst", ".adoc", ".txt"]);
const settings: ReadonlySet<string> = new Set([".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".xml"]);

/** `tests`, `docs`, `config`, `source:<language>` or `other`. */
export type WorkKind = string;

/** The kind of one path; a glob counts as the path that it looks like. */
export function kindOfPath(path: string): WorkKind {
  const segments = path.toLowerCase().split("/");
  const name = segments.at(-1) ?? "";
  const folders = segments.slice(0, -1);
  const extension = extname(name.replace(/\*+$/, ""));
  if (
    folders.some((folder) => ["test", "tests", "__tests__", "spec", "specs", "testdata"].includes(folder)) ||
    /(?:^|[._-])(?:test|tests|spec)\.[^.]+$/.test(name) ||
    /^test_/.test(name)
  ) {
    return "tests";
  }
  if (folders.some((folder) => ["doc", "docs"].includes(folder)) || prose.has(extension)) return "docs";
  const language = languages[extension];
  if (language !== undefined) return `source:${language}`;
  return settings.has(extension) ? "config" : "other";
}

/**
 * The kind of a change, or of what a brief lets be written where there is no change yet. Source wins over what goes along
 * with it: a fix with its test is source. Among languages the one with most paths, then the first of the alphabet.
 */
export function kindOfWork(paths: readonly string[]): WorkKind {
  const counts = new Map<WorkKind, number>();
  for (const path of paths) {
    const kind = kindOfPath(path);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const most = (kinds: [WorkKind, number][]) =>
    kinds.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([kind]) => kind)[0];
  const source = most([...counts].filter(([kind]) => kind.startsWith("source:")));
  return source ?? most([...counts].filter(([kind]) => kind !== "other")) ?? "other";
}
