/** The places that heads of the ledger are handed to, and read back from: a file, a git ref, a command. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { type AnchorPlace, anchorName, type SignedHead } from "../domain/anchor.ts";
import { asSallyportError, SallyportError } from "../domain/error.ts";
import { visibleLine } from "../domain/visible.ts";
import { type Anchor, readAnchor } from "../ledger/anchor.ts";
import { appendToRef, messagesOfRef } from "../worktree/anchor-ref.ts";
import { openHostRepository } from "../worktree/host-repository.ts";

/** Milliseconds until a place is given up on. */
export const anchorPatience = 30_000;
/** Heads that are read back, the newest: a later one vouches for all before it. */
const headsMax = 100_000;
const faultsShown = 5;

const failed = (message: string, cause?: unknown) =>
  new SallyportError("anchor-failed", message, {
    next: "Mend the place, or take it out of `anchors` in the configuration. Decisions do not wait for it.",
    cause,
  });

/** Hands one head, a line without its newline, to a place. Rejects with the reason where it did not get there. */
export async function handOut(place: AnchorPlace, line: string): Promise<void> {
  if ("file" in place) return appendLine(place.file, line);
  if ("ref" in place) {
    const repository = await openHostRepository(place.ref.repository, { empty: true });
    return appendToRef(repository, place.ref.ref, line);
  }
  return tellCommand(place.command, line);
}

async function appendLine(path: string, line: string): Promise<void> {
  // No link is followed and no pipe waited for; a hard link could be another's file, such as /etc/passwd.
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags, 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw failed(`${path} cannot be opened: ${cause.code ?? cause.message}`, cause);
  });
  try {
    const { size, nlink, uid, mode } = await file.stat();
    if (!(await file.stat()).isFile() || nlink !== 1) throw failed(`${path} is no plain file with one name`);
    if (uid !== process.geteuid?.() || (mode & 0o022) !== 0)
      throw failed(`${path} belongs to another user, or can be written by others`);
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    // A line that a crash tore is ended first: it stays one bad line, and takes none with it.
    const torn = size > 0 && last[0] !== 10 ? "\n" : "";
    await file.appendFile(`${torn}${line}\n`);
    await file.datasync();
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw failed(`${path} cannot be written: ${(cause as NodeJS.ErrnoException).code ?? cause}`, cause);
  } finally {
    await file.close();
  }
}

async function tellCommand([program = "", ...args]: readonly string[], line: string): Promise<void> {
  const child = spawn(program, args, {
    cwd: "/",
    // Nothing of the daemon's own gets in.
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" },
    stdio: ["pipe", "ignore", "pipe"],
    // A group of its own, so that its end is also that of what it started.
    detached: true,
  });
  const end = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It is gone.
    }
  };
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (said.length < 1000) said += chunk.toString("utf8");
  });
  child.stdin.on("error", () => {});
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once("error", (cause) => reject(failed(`${program} cannot be started: ${cause.message}`, cause)));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, anchorPatience);
  child.stdin.end(`${line}\n`);
  try {
    const code = await ended;
    if (late) throw failed(`${program} did not end within ${anchorPatience / 1000} s`);
    if (code !== 0) throw failed(`${program} ended with ${code}: ${visibleLine(said.trim().slice(0, 500))}`);
  } finally {
    clearTimeout(timer);
    end();
  }
}

/** What was read back of a place: signed heads only. */
export type PlaceRead = Omit<Anchor, "heads"> & { heads: readonly SignedHead[] };

/** What a place holds. Never rejects: what cannot be read is said. */
export async function readPlace(
  place: AnchorPlace | { file: string } | { ref: { repository: string; ref: string } },
): Promise<PlaceRead> {
  const name = "command" in place || "every" in place ? anchorName(place as AnchorPlace) : nameOf(place);
  const heads: SignedHead[] = [];
  const malformed: { line: number; problem: string }[] = [];
  let malformedTotal = 0;
  let line = 0;
  const take = (text: string) => {
    line += 1;
    if (text.trim() === "") return;
    const head = readAnchor(text);
    if (typeof head !== "string") {
      heads.push(head);
      if (heads.length >= 2 * headsMax) heads.splice(0, headsMax);
      return;
    }
    malformedTotal += 1;
    if (malformed.length < faultsShown) malformed.push({ line, problem: head });
  };
  const anchor = (missing?: string): PlaceRead => ({
    name,
    heads,
    malformed,
    malformedTotal,
    ...(missing === undefined ? {} : { missing }),
  });
  if ("command" in place) return anchor("what a command was given cannot be read back here: give it with --anchor");
  try {
    if ("file" in place) for await (const text of linesOf(place.file)) take(text);
    else {
      const repository = await openHostRepository(place.ref.repository, { empty: true });
      for (const text of await messagesOfRef(repository, place.ref.ref, headsMax)) take(text);
    }
    return anchor();
  } catch (error) {
    return anchor(`it cannot be read: ${asSallyportError(error).message}`);
  }
}

const nameOf = (place: { file: string } | { ref: { repository: string; ref: string } }) =>
  "file" in place ? `file:${place.file}` : `git:${place.ref.repository}#${place.ref.ref}`;

/** The lines of a plain file; one of a gigabyte without an end is not read on. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile())
      throw new SallyportError("usage", `${path} is no file`, { next: "Name a file." });
    let held = 0;
    const input = handle.createReadStream({ autoClose: false });
    input.on("data", (chunk) => {
      held = chunk.includes(10 as never) ? 0 : held + chunk.length;
      if (held > 16 * 1024 ** 2) input.destroy(new Error("a line of more than 16 MiB"));
    });
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) yield line;
  } finally {
    await handle.close();
  }
}
