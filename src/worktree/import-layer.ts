/** A walked layer becomes a commit: its files are streamed, each at its exact length, into `git fast-import`. */
import { createHash } from "node:crypto";
import { closeSync, read } from "node:fs";
import { promisify } from "node:util";
import { SallyportError } from "../domain/error.ts";
import type { Finding } from "../domain/rejection.ts";
import { type GitProcess, gitLine, startGit } from "./git.ts";
import { showPath } from "./names.ts";
import { message, person, type Quarantine } from "./quarantine.ts";
import { closeDirectory, type OpenDirectory, openDirectory, openFile, openRoot, statBelow } from "./safe-open.ts";
import type { Candidate, Walked } from "./walk.ts";

const readAt = promisify(read);
const chunkBytes = 256 * 1024;

/** A path as fast-import reads one in quotes; every byte that could mean something is an octal escape. */
function quote(path: Uint8Array): string {
  let quoted = '"';
  for (const byte of path) {
    const character = String.fromCharCode(byte);
    quoted += /[A-Za-z0-9/._-]/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  }
  return `${quoted}"`;
}

const send = (git: GitProcess, bytes: string | Uint8Array) =>
  new Promise<void>((resolve, reject) => {
    git.stdin.write(bytes, (error) => (error ? git.done.then(() => reject(error), reject) : resolve()));
  });

export interface ImportPlan {
  quarantine: Quarantine;
  parent: string;
  /** The frozen layer's upper directory. */
  upper: string;
  /** In full. */
  ref: string;
  message: string;
  author: { name: string; email: string };
  date: Date;
}

/**
 * Writes what a walk found as one commit on `parent`. A file that ends early is a finding, and then nothing is kept.
 * Errors: `git-failed`, `worktree-failed` where a file is not the one that was walked.
 */
export async function importLayer(
  plan: ImportPlan,
  walked: Pick<Walked, "removed" | "candidates">,
): Promise<{ commit: string } | { finding: Finding }> {
  const { quarantine, ref } = plan;
  const git = startGit(["fast-import", "--quiet", "--done", "--force", "--date-format=raw"], {
    gitDir: quarantine.gitDir,
    timeout: 600_000,
  });
  git.stdout.resume();
  const root = openRoot(plan.upper);
  try {
    const stamp = `${person(plan.author)} ${Math.floor(plan.date.getTime() / 1000)} +0000`;
    const text = Buffer.from(message(plan.message));
    await send(git, `commit ${ref}\nauthor ${stamp}\ncommitter ${stamp}\ndata ${text.length}\n`);
    await send(git, text);
    await send(git, `from ${plan.parent}\n`);
    for (const path of walked.removed) await send(git, `D ${quote(path)}\n`);
    for (const candidate of walked.candidates) {
      const size = candidate.target?.length ?? Number(candidate.stat.size);
      await send(git, `M ${candidate.mode} inline ${quote(candidate.path)}\ndata ${size}\n`);
      if (candidate.target) await send(git, candidate.target);
      else for await (const chunk of contentOf(root, candidate)) await send(git, chunk);
      await send(git, "\n");
    }
    await send(git, "done\n");
    git.stdin.end();
    await git.done;
  } catch (error) {
    git.kill();
    await git.done.catch(() => {});
    if (error instanceof ShortRead)
      return {
        finding: {
          reason: "file-refused",
          path: showPath(error.path),
          message: "the file could not be read to its end",
        },
      };
    throw error;
  } finally {
    closeDirectory(root);
  }
  return { commit: await gitLine(["rev-parse", "--verify", "--end-of-options", ref], { gitDir: quarantine.gitDir }) };
}

class ShortRead extends Error {
  readonly path: Buffer;
  constructor(path: Buffer) {
    super("short read");
    this.path = path;
  }
}

/** Reads exactly the bytes that were walked, from a file opened step by step below the layer and checked to be that one. */
async function* contentOf(root: OpenDirectory, candidate: Candidate): AsyncGenerator<Buffer> {
  const segments = candidate.path.toString("latin1").split("/");
  const names = segments.map((segment) => Buffer.from(segment, "latin1"));
  const name = names.pop() as Buffer;
  const open: OpenDirectory[] = [];
  try {
    let parent = root;
    for (const segment of names) {
      const next = openDirectory(parent, segment);
      if (!next) throw changed(candidate.path);
      open.push(next);
      parent = next;
    }
    if (!statBelow(parent, name)) throw changed(candidate.path);
    const fd = openFile(parent, name, candidate.stat);
    try {
      const size = Number(candidate.stat.size);
      for (let at = 0; at < size; ) {
        const length = Math.min(chunkBytes, size - at);
        const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(length), 0, length, at);
        if (bytesRead === 0) throw new ShortRead(candidate.path);
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      closeSync(fd);
    }
  } finally {
    for (const directory of open.reverse()) closeDirectory(directory);
  }
}

/** The id that git gives to the content of a file or link of a frozen layer. */
export async function contentId(upper: string, candidate: Candidate, format: "sha1" | "sha256"): Promise<string> {
  const hash = createHash(format).update(`blob ${candidate.target?.length ?? candidate.stat.size}\0`);
  if (candidate.target) return hash.update(candidate.target).digest("hex");
  const root = openRoot(upper);
  try {
    for await (const chunk of contentOf(root, candidate)) hash.update(chunk);
  } finally {
    closeDirectory(root);
  }
  return hash.digest("hex");
}

function changed(path: Buffer): SallyportError {
  return new SallyportError("worktree-failed", `${showPath(path)} changed in a frozen layer`);
}
