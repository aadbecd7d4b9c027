/**
 * One spelling for a path, and the other ways in which a server may read it. A path rule allows a request only when
 * every reading is allowed, so that `/public/..%2fprivate` never passes as something below `/public`.
 */
import { globProblem } from "./glob.ts";

/** The canonical path and query, or why there is none. */
export type CanonicalTarget = { ok: true; path: string; query: string } | { ok: false; why: string };

const targetMax = 16 * 1024;
const readingsMax = 16;
const unreserved = /[A-Za-z0-9._~-]/;
/** What may stand in a path as it is (RFC 3986 `pchar` without `%`). */
const plain = /[A-Za-z0-9._~!$&'()*+,;=:@-]/;

/**
 * A path with nothing in it that any server reads in two ways: no escape, no parameter, no empty segment, and no segment
 * that begins with a dot. It is its own canonical form and its only reading; most paths are such.
 */
const settledPath = /^\/(?:[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*(?:\/|$))*$/;

/**
 * The canonical form of a request target in origin form: unreserved characters decoded, other escapes in upper case,
 * characters that must be escaped escaped, `.`/`..` and empty segments removed. `%2F` stays as it is: it is data in one
 * server and a slash in another (see `pathReadings`). Refused: backslash, NUL and control characters, also escaped; escapes
 * that are malformed or not UTF-8 (overlong forms); raw spaces and non-ASCII; a fragment; more than 16 KiB.
 */
export function canonicalTarget(target: string): CanonicalTarget {
  if (target.length > targetMax) return { ok: false, why: `the target is longer than ${targetMax} characters` };
  if (!target.startsWith("/")) return { ok: false, why: "the path does not begin with `/`" };
  if (/[^\u0021-\u007e]/.test(target))
    return { ok: false, why: "the target holds a control, space or non-ASCII character" };
  if (target.includes("#")) return { ok: false, why: "the target holds a fragment" };
  const mark = target.indexOf("?");
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark + 1);
  if (/%(?:0[0-9a-f]|1[0-9a-f]|7f)/i.test(query))
    return { ok: false, why: "the query holds an escaped control character" };
  if (settledPath.test(rawPath)) return { ok: true, path: rawPath, query };
  if (rawPath.includes("\\") || /%5c/i.test(rawPath)) return { ok: false, why: "the path holds a backslash" };
  if (/%(?![0-9a-f]{2})/i.test(rawPath)) return { ok: false, why: "the path holds a malformed escape" };
  if (/%(?:0[0-9a-f]|1[0-9a-f]|7f)/i.test(rawPath))
    return { ok: false, why: "the path holds an escaped control character" };
  try {
    decodeURIComponent(rawPath);
  } catch {
    return { ok: false, why: "the path's escapes are not UTF-8" };
  }
  const spelled = rawPath.replace(/%[0-9a-f]{2}|[^%]/gi, (part) => {
    if (part.length === 3) {
      const character = String.fromCharCode(Number.parseInt(part.slice(1), 16));
      return unreserved.test(character) ? character : part.toUpperCase();
    }
    return part === "/" || plain.test(part)
      ? part
      : `%${part.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
  const path = removeDots(spelled);
  // `..;x` is a parent directory to servers that know path parameters, and a name to all others.
  if (/(?:^|\/)\.{1,2}(?:;|%3B)/.test(path))
    return { ok: false, why: "the path hides a dot segment behind a parameter" };
  return { ok: true, path, query };
}

/**
 * Every path that some server reads a canonical path as: itself; its escapes decoded, once and again (`%252e`);
 * `;parameters` dropped; each then without dot segments. The first is the path itself.
 */
export function pathReadings(path: string): string[] {
  if (settledPath.test(path)) return [path];
  const readings = new Set([path]);
  const waiting = [path];
  for (let reading = waiting.pop(); reading !== undefined; reading = waiting.pop()) {
    // A path that keeps on changing has no settled meaning: the empty reading is matched by no pattern.
    if (readings.size > readingsMax) return [path, ""];
    for (const other of [decodeOnce(reading), reading.replace(/(?:;|%3B)[^/]*/gi, "")]) {
      const settled = removeDots(other);
      if (!readings.has(settled)) {
        readings.add(settled);
        waiting.push(settled);
      }
    }
  }
  return [...readings];
}

/** Decodes the escapes that change a path's meaning; others (UTF-8, spaces) mean one thing to every server. */
function decodeOnce(path: string): string {
  return path.replace(/%(25(?=[0-9a-f]{2})|(?!25)[0-9a-f]{2})/gi, (part, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return character === "/" || character === "\\"
      ? "/"
      : character === "%" || plain.test(character)
        ? character
        : part;
  });
}

/** RFC 3986 5.2.4 on a path whose empty segments are collapsed first; a trailing slash stays. */
function removeDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/");
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
    if (last && kept.length > 0 && (segment === "" || segment === "." || segment === "..")) kept.push("");
  });
  return `/${kept.join("/")}`;
}

/** Why a pattern over canonical paths is refused, as a phrase; undefined where it is fine. */
export function urlPatternProblem(pattern: string): string | undefined {
  if (!pattern.startsWith("/")) return "no leading `/`";
  const problem = globProblem(pattern);
  if (problem) return problem;
  if (/\?.*[=&]/.test(pattern)) return "a query: rules speak of paths only";
  const literal = pattern
    .replace(/\[[^\]]*\]|\{[^}]*\}|[*?]/g, "x")
    .replace(/%[0-9A-F]{2}/g, (hex) =>
      unreserved.test(String.fromCharCode(Number.parseInt(hex.slice(1), 16))) ? "%" : "x",
    );
  const strange = [...literal].find((character) => character !== "/" && !plain.test(character));
  if (strange === "%")
    return "an escape that canonical paths do not have: unreserved characters plain, others as upper-case hex";
  return strange === undefined
    ? undefined
    : `${JSON.stringify(strange)}, which no canonical path holds: write its escape`;
}
