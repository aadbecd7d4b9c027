/**
 * The role's verbs: small JSON messages to the host. Their meaning is the daemon's; here it is only settled that the
 * lane has the verb and that the body is one well-formed, bounded JSON value.
 */

import type { IncomingMessage } from "node:http";
import type { DenialCode } from "../domain/denial.ts";
import { headerValues } from "./check-request.ts";
import type { Denial } from "./denial.ts";
import { verbBodyTime, verbBytes, verbDepth } from "./limits.ts";

const paths = new Map([
  ["/report/propose", "propose"],
  ["/report/stuck", "stuck"],
  ["/report/note", "note"],
  ["/verdict", "verdict"],
  ["/plan", "plan"],
  ["/report/summary", "summary"],
]);

/** The names a lane's `verbs` may hold. */
export const verbNames: ReadonlySet<string> = new Set(paths.values());

const denied = (status: number, code: DenialCode, why: string, next: string): Denial => ({
  status,
  code,
  rule: "verbs",
  why,
  next,
});

/** Whether a path is a verb's, of this lane or of another role. */
export function isVerbPath(path: string): boolean {
  return paths.has(path);
}

/** The lane's verb that a request calls, or why there is none. */
export function findVerb(
  method: string,
  path: string,
  verbs: readonly string[],
  rawHeaders: readonly string[],
): { verb: string } | { denial: Denial } {
  const verb = paths.get(path);
  if (verb === undefined || !verbs.includes(verb)) {
    const known = [...paths].filter(([, name]) => verbs.includes(name)).map(([one]) => `POST ${one}`);
    return {
      denial: denied(
        404,
        "verb-unknown",
        "this lane has no such verb",
        `This lane's verbs: ${known.join(", ") || "none"}.`,
      ),
    };
  }
  if (method !== "POST")
    return { denial: denied(405, "method-refused", `${path} takes no ${method}`, `Use POST ${path}.`) };
  const types = headerValues(rawHeaders, "content-type");
  if (types.length !== 1 || !/^application\/json(?:\s*;\s*charset="?utf-8"?)?$/i.test(types[0] ?? "")) {
    return {
      denial: denied(415, "content-type", "the body is not declared as JSON", "Send Content-Type: application/json."),
    };
  }
  if (headerValues(rawHeaders, "content-encoding").length > 0) {
    return { denial: denied(415, "content-encoding", "the body is encoded", "Send it without Content-Encoding.") };
  }
  return { verb };
}

/** Reads and checks a verb's body. Resolves to the value, to the denial, or to undefined where the client has gone. */
export function readVerbBody(
  request: IncomingMessage,
  time = verbBodyTime,
): Promise<{ value: unknown } | { denial: Denial } | undefined> {
  const { promise, resolve } = Promise.withResolvers<{ value: unknown } | { denial: Denial } | undefined>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const settle = (found: { value: unknown } | { denial: Denial } | undefined) => {
    clearTimeout(timer);
    request.off("data", more);
    // What still comes is dropped unread; the connection ends with the answer.
    request.resume();
    resolve(found);
  };
  const timer = setTimeout(
    () => settle({ denial: denied(408, "body-late", "the body did not arrive in time", "Send it at once.") }),
    time,
  );
  const more = (chunk: Buffer) => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes <= verbBytes) return;
    chunks.length = 0;
    settle({ denial: denied(413, "body-too-large", `the body is larger than ${verbBytes} bytes`, "Send less.") });
  };
  request.on("data", more);
  request.on("end", () => settle(parseVerbBody(Buffer.concat(chunks))));
  request.on("error", () => settle(undefined));
  request.on("close", () => settle(undefined));
  return promise;
}

/** Bytes as one JSON value that is safe to pass on: well-formed text, bounded nesting, no prototype keys. */
export function parseVerbBody(bytes: Buffer): { value: unknown } | { denial: Denial } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return { denial: denied(422, "body-invalid", "the body is not JSON in UTF-8", "Send one JSON object.") };
  }
  const found = findFault(value);
  return found ? { denial: denied(422, "body-invalid", found, "Mend the body and send it again.") } : { value };
}

const prototypeKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

function findFault(root: unknown): string | undefined {
  // A list, not recursion: the nesting is the attacker's.
  const open: Array<{ value: unknown; depth: number }> = [{ value: root, depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === "string" && !value.isWellFormed()) return "a string holds a lone surrogate";
    if (typeof value !== "object" || value === null) continue;
    if (depth >= verbDepth) return `the body is nested more than ${verbDepth} deep`;
    for (const key of Array.isArray(value) ? [] : Object.keys(value)) {
      if (prototypeKeys.has(key)) return `the key ${key} is not taken`;
      if (!key.isWellFormed()) return "a key holds a lone surrogate";
    }
    for (const inner of Object.values(value)) open.push({ value: inner, depth: depth + 1 });
  }
  return undefined;
}
