/**
 * Reads the YAML that people write (JSON is YAML) against a schema. One document, plain: unique string keys, no anchors,
 * aliases, tags, directives or prototype keys, at most 1 MiB and 64 levels. All problems are named at once, each with its line.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import {
  type Document,
  isDocument,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument as parseYaml,
  visit,
  type YAMLMap,
} from "yaml";
import { type ErrorCode, SallyportError } from "../domain/error.ts";
import { explainIssues, type KeyPath, type Problem, type Schema } from "./issues.ts";

export type { KeyPath, Problem, Schema } from "./issues.ts";

/** A document's text with the places of its parts. */
export interface Source {
  file: string;
  /** The document as plain data, before any schema. */
  raw: unknown;
  /** `file:line:column` of the part at a path, or of the nearest part around it that is there. */
  where(path: KeyPath, key?: boolean): string;
}

const bytesMax = 1024 ** 2;
const levelsMax = 64;
const placedMax = 100;
const forbiddenKeys = new Set(["__proto__", "constructor", "prototype"]);
const sources = new WeakMap<object, Source>();

/** Parses and checks a document. Throws a SallyportError with `code` that names every problem as `file:line:column`. */
export function parseDocument<T>(text: string, file: string, schema: Schema<T>, code: ErrorCode): T {
  const source = parseSource(text, file, code);
  return checkSource(source, schema, code);
}

/** Reads a file and parses it as `parseDocument` does. Only a regular file of at most 1 MiB is read. */
export async function loadDocument<T>(path: string, schema: Schema<T>, code: ErrorCode): Promise<T> {
  return parseDocument(await readText(path, code), path, schema, code);
}

/** Where a part of a document that came from `parseDocument` was written; undefined for a value from elsewhere. */
export function whereIn(document: object, path: KeyPath): string | undefined {
  return sources.get(document)?.where(path);
}

/** The text of a document file. A link at its end is followed; a fifo or device is refused without being waited for. */
export async function readText(path: string, code: ErrorCode): Promise<string> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile())
      throw new SallyportError(code, `${path} is not a regular file`, { next: "Name a file.", at: path });
    if (stat.size > bytesMax) throw tooLarge(path, code);
    const bytes = await handle.readFile();
    if (bytes.length > bytesMax) throw tooLarge(path, code);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const reason = (error as NodeJS.ErrnoException).code;
    const missing = reason === "ENOENT" || reason === "ENOTDIR";
    const why = missing
      ? "does not exist"
      : error instanceof TypeError
        ? "is not UTF-8 text"
        : `cannot be read: ${reason ?? String(error)}`;
    throw new SallyportError(code, `${path} ${why}`, {
      next: missing ? "Check the name, or create the file." : "Make it a UTF-8 text file that this process may read.",
      at: path,
      cause: error,
    });
  } finally {
    await handle?.close();
  }
}

/** The plain data of a document and the places of its parts; syntax only, no schema. */
export function parseSource(text: string, file: string, code: ErrorCode): Source {
  if (Buffer.byteLength(text) > bytesMax) throw tooLarge(file, code);
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  let document: Document.Parsed;
  let problems: { offset: number; message: string }[];
  let raw: unknown;
  try {
    document = parseYaml(text, {
      version: "1.2",
      schema: "core",
      strict: true,
      stringKeys: true,
      // Key uniqueness is checked below: the library's check takes time quadratic in the keys.
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
      lineCounter: lines,
      // Not "silent": that would also silence the error about a second document.
      logLevel: "error",
    });
    problems = [...document.errors, ...document.warnings].map(({ pos, message }) => ({ offset: pos[0], message }));
    if (problems.length === 0) problems = plainnessProblems(document);
    raw = problems.length === 0 ? document.toJS({ maxAliasCount: 0 }) : undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SallyportError(code, `${file} is nested too deeply`, {
      next: `Use at most ${levelsMax} levels.`,
      at: file,
    });
  }
  if (problems.length > 0) {
    const found = problems.slice(0, 20).map(({ offset, message }) => `${place(offset)} ${message}`);
    throw problemsError(file, found, problems.length, code);
  }
  return { file, raw, where: (path, key = false) => place(offsetOf(document, path, key)) };
}

/** Checks a parsed document against a schema; `reasons` replaces the message for keys (by dotted path) that it names. */
export function checkSource<T>(
  source: Source,
  schema: Schema<T>,
  code: ErrorCode,
  reasons: Record<string, string> = {},
  more: readonly Problem[] = [],
): T {
  const result = schema.safeParse(source.raw);
  const problems = [
    ...(result.success ? [] : explainIssues(result.error.issues, source.raw, schema, reasons)),
    ...more,
  ];
  if (!result.success || problems.length > 0) throw documentError(source, problems, code);
  if (typeof result.data === "object" && result.data !== null) sources.set(result.data, source);
  return result.data;
}

/** One error for all problems of a document, in the order of their lines. */
export function documentError(source: Source, problems: readonly Problem[], code: ErrorCode): SallyportError {
  // Finding a place takes time in the keys around it: a document of nothing but wrong keys must not take their square.
  const placed = problems.slice(0, placedMax).map((problem) => {
    const at = source.where(problem.path, problem.key ?? false);
    return { at, order: at.split(":").slice(-2).map(Number), text: `${at} ${problem.message}` };
  });
  placed.sort((a, b) => (a.order[0] ?? 0) - (b.order[0] ?? 0) || (a.order[1] ?? 0) - (b.order[1] ?? 0));
  return problemsError(
    source.file,
    placed.slice(0, 20).map(({ text }) => text),
    problems.length,
    code,
  );
}

function problemsError(file: string, found: readonly string[], count: number, code: ErrorCode): SallyportError {
  const more = count > found.length ? [`and ${count - found.length} more`] : [];
  const [first = file] = found;
  const message = count === 1 ? first : `${count} problems in ${file}:\n  ${[...found, ...more].join("\n  ")}`;
  return new SallyportError(code, message, {
    next: "Correct the lines named above; what a key may hold is in the schema.",
    at: first.split(" ")[0] ?? file,
  });
}

function tooLarge(file: string, code: ErrorCode): SallyportError {
  return new SallyportError(code, `${file} is larger than 1 MiB`, {
    next: "Split it, or remove what does not belong there.",
    at: file,
  });
}

/** What YAML can say beyond plain data, and this house does not read. */
function plainnessProblems(document: Document.Parsed): { offset: number; message: string }[] {
  const problems: { offset: number; message: string }[] = [];
  const report = (node: unknown, message: string) =>
    problems.push({ offset: (node as Node | null)?.range?.[0] ?? 0, message });
  if (document.directives.yaml.explicit)
    report(document.contents, "found a %YAML directive: this is YAML 1.2 without one");
  visit(document, (key, node, ancestors) => {
    if (node === null || isDocument(node)) return undefined;
    if (ancestors.reduce((levels, above) => levels + (isMap(above) || isSeq(above) ? 1 : 0), 0) > levelsMax) {
      report(node, `found more than ${levelsMax} levels`);
      return visit.BREAK;
    }
    const marks = node as { anchor?: string; tag?: string; source?: unknown };
    if (marks.anchor) report(node, `found the anchor &${marks.anchor}: write the value out where it is needed`);
    if (marks.tag) report(node, `found the tag ${marks.tag}: values are plain`);
    if (isScalar(node) && typeof node.value === "string") {
      if (!node.value.isWellFormed()) report(node, "found half of a surrogate pair");
      if (key === "key" && forbiddenKeys.has(node.value))
        report(node, `found the key ${node.value}, which no file may use`);
    }
    if (isMap(node)) {
      const seen = new Set<unknown>();
      for (const { key: name } of node.items) {
        const text = isScalar(name) ? name.value : name;
        if (seen.has(text)) report(name, `found the key ${String(text)} twice`);
        seen.add(text);
      }
    }
    return problems.length > 100 ? visit.BREAK : undefined;
  });
  visit(document, { Alias: (_, node) => void report(node, `found the alias *${node.source}: write the value out`) });
  return problems;
}

function offsetOf(document: Document.Parsed, path: KeyPath, key: boolean): number {
  let node: unknown = document.contents;
  let offset = (node as Node | null)?.range?.[0] ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isMap(node)) {
      const pair = pairsOf(node).get(part);
      if (!pair) break;
      const onKey =
        (key && depth === path.length - 1) || (isMap(pair.value) && !pair.value.flow) || !isScalar(pair.value);
      offset = ((onKey ? pair.key : pair.value) as Node | null)?.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

/** A mapping's entries by key, kept: a search for each of many problems would take time quadratic in the keys. */
const pairsOf = (() => {
  const known = new WeakMap<YAMLMap, Map<unknown, Pair>>();
  return (node: YAMLMap): Map<unknown, Pair> => {
    let pairs = known.get(node);
    if (!pairs) {
      pairs = new Map(node.items.map((pair) => [isScalar(pair.key) ? pair.key.value : undefined, pair]));
      known.set(node, pairs);
    }
    return pairs;
  };
})();
