/**
 * Looks for placeholders where none may be: in the request line, in headers, in a body, in any encoding that a value
 * is looked for in. One that was found is refused and named, so that a client learns where it belongs.
 */
import { namesIn } from "../secrets/masker.ts";
import type { Search } from "../secrets/search.ts";
import type { Carried } from "./secret-request.ts";
import type { BodyScan, Refusal } from "./transform.ts";

/** A placeholder's name and where it is, or undefined. */
export function findPlaceholder(
  search: Search,
  { headers, target }: Carried,
): { name: string; where: string } | undefined {
  const inTarget = namesInText(search, target);
  if (inTarget !== undefined) return { name: inTarget, where: "the URL" };
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const field = headers[at] ?? "";
    const value = headers[at + 1] ?? "";
    // What is inside of Basic may be encoded once more.
    const basic = /^basic +([A-Za-z0-9+/_=-]+)$/i.exec(value)?.[1];
    const name =
      namesInText(search, field) ??
      namesInText(search, value) ??
      (basic === undefined ? undefined : namesInText(search, Buffer.from(basic, "base64").toString("latin1")));
    if (name !== undefined) return { name, where: `the header ${field.slice(0, 64)}` };
  }
  return undefined;
}

/** As it stands, and decoded once and twice: servers behind servers decode again. */
function namesInText(search: Search, text: string): string | undefined {
  // Decoding only makes it shorter.
  if (text.length < search.shortest) return undefined;
  let read = text;
  for (let turn = 0; turn < 3; turn++) {
    const [name] = namesIn(search, Buffer.from(read, "latin1"));
    if (name !== undefined || !read.includes("%")) return name;
    const decoded = read.replace(/%([0-9a-f]{2})/gi, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
    if (decoded === read) return undefined;
    read = decoded;
  }
  return undefined;
}

/** Watches a body go by in bounded memory; what could be the beginning of a placeholder waits for what follows. */
export function scanBody(search: Search, refuse: (name: string) => Refusal): BodyScan {
  const none = Buffer.alloc(0);
  let held = none;
  return {
    push(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const found = search.next(bytes, 0);
      if (found) return { refuse: refuse(found.name) };
      const keep = search.unfinished(bytes, 0);
      held = keep < bytes.length ? Buffer.from(bytes.subarray(keep)) : none;
      return bytes.subarray(0, keep);
    },
    end() {
      const rest = held;
      held = none;
      return rest;
    },
  };
}
