/** Where a secret comes from, as a policy writes it: `env:NAME`, `file:/path`, `exec:/path args` or `credential:name`. */
import { SallyportError } from "../domain/error.ts";

export type Reference =
  | { kind: "env"; name: string }
  | { kind: "file"; path: string }
  /** An argument vector; no shell reads it. */
  | { kind: "exec"; command: readonly [string, ...string[]] }
  /** A file of systemd's `$CREDENTIALS_DIRECTORY`. */
  | { kind: "credential"; name: string };

/** Reads a reference. Throws `secret-unavailable` where it is none. */
export function parseReference(text: string): Reference {
  const colon = text.indexOf(":");
  const kind = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (/[\0\r\n]/.test(text)) throw unreadable(text, "it holds a line break or a NUL byte");
  if (kind === "env" && /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) return { kind, name: rest };
  if (kind === "file" && isPlainPath(rest)) return { kind, path: rest };
  // `.` and `..` would name the credentials' directory and what is around it.
  if (kind === "credential" && /^[A-Za-z0-9._-]+$/.test(rest) && !/^\.{1,2}$/.test(rest)) return { kind, name: rest };
  if (kind === "exec") {
    const [program, ...args] = splitWords(text, rest);
    if (program !== undefined && isPlainPath(program)) return { kind, command: [program, ...args] };
  }
  throw unreadable(
    text,
    "expected env:NAME, file:/path, exec:/path args or credential:name, with a plain absolute path",
  );
}

/** An absolute path that is spelled as the kernel will report it. */
function isPlainPath(path: string): boolean {
  return (
    path.startsWith("/") &&
    path
      .slice(1)
      .split("/")
      .every((part) => part !== "" && part !== "." && part !== "..")
  );
}

/** Words between spaces; quotes of either kind keep spaces together. Nothing else means anything. */
function splitWords(reference: string, text: string): string[] {
  const words: string[] = [];
  const word = /\s*((?:"[^"]*"|'[^']*'|[^\s"'])+)/y;
  while (word.lastIndex < text.length) {
    const at = word.lastIndex;
    const found = word.exec(text)?.[1];
    if (found === undefined) {
      if (text.slice(at).trim() === "") break;
      throw unreadable(reference, "a quote is not closed");
    }
    words.push(found.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ""));
  }
  return words;
}

function unreadable(reference: string, why: string): SallyportError {
  return new SallyportError("secret-unavailable", `${reference.slice(0, 200)}: ${why}`, {
    next: "Correct `from` of the secret in the policy.",
  });
}
