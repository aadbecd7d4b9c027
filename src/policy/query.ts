/**
 * A rule's `query`: each named parameter is there exactly once with a value that matches, and no other is there. Servers
 * disagree on how to read a query (RFC 3986 gives it no form), so what two of them could read as two things is refused:
 * `;` as a separator, a name under escapes, a value that means something else when it is decoded again.
 */
import { compileTextGlob, textGlobProblem } from "./glob.ts";
import type { KeyPath, Problem } from "./issues.ts";

/** Whether a canonical request's query (without its `?`) is one that the rule allows. */
export type QueryTest = (query: string) => boolean;

const readingsMax = 8;
const unreserved = /[A-Za-z0-9._~-]/;

/** Makes a rule's `query` ready. Throws RangeError for a pattern outside of the language. */
export function compileQuery(wanted: Readonly<Record<string, string>>): QueryTest {
  const tests = new Map(Object.entries(wanted).map(([name, pattern]) => [name, compileTextGlob(pattern)]));
  return (query) => {
    const found = readQuery(query);
    if (found === undefined || found.size !== tests.size) return false;
    return [...tests].every(([name, test]) => found.get(name)?.every(test) ?? false);
  };
}

/**
 * The parameters of a query by name, each with every reading of its value; undefined where the query has no one meaning:
 * a parameter twice (parameter pollution), an empty one, a name in disguise, a malformed escape.
 */
export function readQuery(query: string): Map<string, string[]> | undefined {
  const found = new Map<string, string[]>();
  if (query === "") return found;
  if (query.includes(";")) return undefined;
  for (const piece of query.split("&")) {
    const equals = piece.indexOf("=");
    const name = readName(equals < 0 ? piece : piece.slice(0, equals));
    const values = readValue(equals < 0 ? "" : piece.slice(equals + 1));
    if (name === undefined || values === undefined || found.has(name)) return undefined;
    found.set(name, values);
  }
  return found;
}

/** Everything that is wrong with a rule's `query`. */
export function queryProblems(query: Readonly<Record<string, string>> | undefined, path: KeyPath): Problem[] {
  return Object.entries(query ?? {}).flatMap(([name, pattern]) => {
    const at = (message: string, key: boolean): Problem[] => [{ path: [...path, name], message, key }];
    if (!/^[^\u0000-\u001f\u007f&;=+%#]+$/u.test(name) || !name.isWellFormed())
      return at(
        `query parameter ${JSON.stringify(name)}: write its name as it is when decoded, without & ; = + % #`,
        true,
      );
    const problem = textGlobProblem(pattern);
    return problem ? at(`query parameter ${name}: the value ${JSON.stringify(pattern)} holds ${problem}`, false) : [];
  });
}

/** A name that every server reads alike: no `+`, and escapes only where a character needs one. */
function readName(raw: string): string | undefined {
  if (raw === "" || raw.includes("+")) return undefined;
  for (const [, hex = ""] of raw.matchAll(/%([0-9a-f]{2})/gi)) {
    if (unreserved.test(String.fromCharCode(Number.parseInt(hex, 16)))) return undefined;
  }
  const name = decode(raw);
  // `%2561` is `%61` to one server and `a` to another.
  return name === undefined || name.includes("%") ? undefined : name;
}

/** Every value that some server reads: `+` as itself and as a space, escapes decoded once, and again while there are any. */
function readValue(raw: string): string[] | undefined {
  const first = [decode(raw), decode(raw.replaceAll("+", " "))];
  const readings = new Set<string>();
  for (const reading of first) {
    if (reading === undefined) return undefined;
    for (let again: string | undefined = reading; again !== undefined && !readings.has(again); again = decode(again)) {
      readings.add(again);
      if (readings.size > readingsMax) return undefined;
    }
  }
  return [...readings];
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
