/**
 * Which names may be in a proposal. Pure: no I/O. One canonical form per class, so that a new spelling of an old attack
 * meets the same rule (git's own is_hfs_dotgit and is_ntfs_dotgit; CVE-2014-9390, CVE-2019-1352, CVE-2019-1353).
 */
import type { RejectionReason } from "../domain/rejection.ts";

export interface NameFault {
  reason: Extract<RejectionReason, "name-refused" | "nested-repository">;
  message: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a name, or null where the bytes are not UTF-8. */
export function decodeName(name: Uint8Array | string): string | null {
  if (typeof name === "string") return name.isWellFormed() ? name : null;
  try {
    return utf8.decode(name);
  } catch {
    return null;
  }
}

// Format characters that change what a reader sees: bidi marks, embeddings, isolates (CVE-2021-42574), and the rest of Cf.
const invisible = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** What the most forgiving file system takes a name for: ignorables gone, folded, without stream, dots and spaces at the end. */
function forgivingName(text: string): string {
  const folded = foldName(text.replace(invisible, "").normalize("NFKC"));
  return folded.replace(/:.*$/su, "").replace(/[. ]+$/u, "");
}

/** True for `.git` in any spelling that git or a file system would take for it. */
export function isDotGit(text: string): boolean {
  return forgivingName(text)
    .split("\\")
    .some((part) => /^(?:\.git|git~\d+)$/u.test(part.replace(/[. ]+$/u, "")));
}

// NTFS short names of .gitmodules, .gitattributes, .gitignore and .mailmap, as git's verify_path knows them.
const special: Record<string, RegExp> = {
  ".gitmodules": /^(?:\.gitmodules|gitmod~\d+|gi7eba~\d+)$/u,
  ".gitattributes": /^(?:\.gitattributes|gitatt~\d+|gi7d29~\d+)$/u,
  ".gitignore": /^(?:\.gitignore|gitign~\d+|gi250a~\d+)$/u,
  ".mailmap": /^(?:\.mailmap|mailma~\d+|maba30~\d+)$/u,
};

/** The fault of a name that git would take for its own, whoever wrote it; null where there is none. */
export function checkGitName(name: Uint8Array | string): NameFault | null {
  const text = typeof name === "string" ? name : Buffer.from(name).toString("utf8");
  if (text === ".git")
    return { reason: "nested-repository", message: "a `.git` inside the tree makes a repository of its own" };
  if (isDotGit(text))
    return { reason: "name-refused", message: "a spelling of `.git` that some file system takes for it" };
  return null;
}

/** The fault of one name of a path that a proposal adds or changes; null where there is none. */
export function checkSegment(name: Uint8Array | string): NameFault | null {
  const refuse = (message: string): NameFault => ({ reason: "name-refused", message });
  const text = decodeName(name);
  if (text === null) return refuse("the name is not UTF-8");
  if (text === "" || text === "." || text === "..") return refuse("an empty or relative path segment");
  const git = checkGitName(text);
  if (git) return git;
  const plain = forgivingName(text);
  for (const [canonical, spellings] of Object.entries(special)) {
    if (!spellings.test(plain)) continue;
    if (canonical === ".gitmodules") return refuse("submodules cannot be proposed");
    if (text !== canonical) return refuse(`a spelling of \`${canonical}\` that some file system takes for it`);
  }
  if (control.test(text)) return refuse("a control character or line break in the name");
  if (text.search(invisible) !== -1) return refuse("an invisible or bidirectional mark in the name");
  if (text.startsWith("-")) return refuse("a name that starts with `-` reads as an option");
  if (text.includes("\\")) return refuse("a backslash in the name");
  if (text.includes("/") || text.includes("\0")) return refuse("a separator in the name");
  if (/[. ]$/u.test(text)) return refuse("a name that ends in a dot or a space");
  if (Buffer.byteLength(text) > 255) return refuse("a name of more than 255 bytes");
  return null;
}

/** The first fault of a path, given as its segments; null where it may be in a proposal. Paths end at 4096 bytes. */
export function checkName(segments: readonly (Uint8Array | string)[]): NameFault | null {
  let bytes = -1;
  for (const segment of segments) {
    const fault = checkSegment(segment);
    if (fault) return fault;
    bytes += 1 + Buffer.byteLength(segment as Uint8Array);
  }
  if (segments.length === 0) return { reason: "name-refused", message: "an empty path" };
  return bytes > 4096 ? { reason: "name-refused", message: "a path of more than 4096 bytes" } : null;
}

/**
 * The fault of a path that a proposal takes away. Getting rid of an ugly name is welcome; what cannot be written in a
 * report without loss, or is git's own, is not.
 */
export function checkRemovedName(segments: readonly (Uint8Array | string)[]): NameFault | null {
  for (const segment of segments) {
    const text = decodeName(segment);
    if (text === null) return { reason: "name-refused", message: "the name is not UTF-8" };
    const git = checkGitName(text);
    if (git) return git;
    if (special[".gitmodules"]?.test(forgivingName(text)))
      return { reason: "name-refused", message: "submodules cannot be changed" };
    if (control.test(text)) return { reason: "name-refused", message: "a control character or line break in the name" };
  }
  return null;
}

/** One form for all names that a case-folding or normalising file system takes for the same (NTFS, APFS, HFS+). */
export function foldName(text: string): string {
  // Upper case first: it joins what lower case alone keeps apart (ß and ss, dotless i, final sigma).
  return text.normalize("NFD").toUpperCase().toLowerCase().normalize("NFC");
}

/** True where two different names would be one file on a case-folding or normalising file system. */
export function collides(a: string, b: string): boolean {
  return a !== b && foldName(a) === foldName(b);
}

/** Text for display: what could move a cursor, hide or reorder is escaped. Newlines too. */
export function showText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu, (c) => {
    const code = c.codePointAt(0) ?? 0;
    if (c === "\n") return "\\n";
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** A path for display: escaped as `showText` does, bytes that are not UTF-8 and backslashes as `\xNN`. */
export function showPath(path: Uint8Array | string): string {
  const text = decodeName(path);
  if (text !== null) return showText(text.replaceAll("\\", "\\\\"));
  let shown = "";
  for (const byte of Buffer.from(path as Uint8Array)) {
    shown +=
      byte < 0x20 || byte > 0x7e || byte === 0x5c
        ? `\\x${byte.toString(16).padStart(2, "0")}`
        : String.fromCharCode(byte);
  }
  return shown;
}
