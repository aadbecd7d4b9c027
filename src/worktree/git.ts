/**
 * The one place that starts git. No shell, an allow-listed environment, fixed flags that turn off everything a
 * repository's own configuration could make git execute, an explicit git directory, a time limit and an output cap.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SallyportError } from "../domain/error.ts";
import { showText } from "./names.ts";

/** A uid and gid, as numbers of the host. */
export interface Owner {
  uid: number;
  gid: number;
}

export interface GitOptions {
  /** Absolute path of the git directory; left out only where git has to find it (`cwd` then says where). */
  gitDir?: string;
  workTree?: string;
  /** An index file of our own. */
  indexFile?: string;
  cwd?: string;
  /** Whose rights git has; left out: the daemon's. Supplementary groups are dropped. */
  as?: Owner;
  stdin?: Uint8Array | Readable;
  /** Milliseconds; left out: two minutes. */
  timeout?: number;
  /** Bytes of standard output; left out: 64 MiB. */
  maxBytes?: number;
  /** Exit codes that are an answer and not a failure; left out: 0 alone. */
  accept?: readonly number[];
}

export interface GitResult {
  code: number;
  stdout: Buffer;
  stderr: string;
}

/** Identity and time of the commits git itself dates (reflogs); never the machine's user. */
const identity = { name: "Sallyport", email: "host@sallyport.invalid" };

/** The whole environment of every git we start. Nothing of the daemon's own gets in (GIT_DIR, GIT_CONFIG_*, GIT_SSH, HOME). */
const environment: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "/bin/false",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_GRAFT_FILE: "/dev/null",
  GIT_OPTIONAL_LOCKS: "0",
  // A partial clone would fetch a missing object by running what its config names (CVE-2024-32004).
  GIT_NO_LAZY_FETCH: "1",
  GIT_PAGER: "cat",
  GIT_EDITOR: "/bin/false",
  GIT_AUTHOR_NAME: identity.name,
  GIT_AUTHOR_EMAIL: identity.email,
  GIT_COMMITTER_NAME: identity.name,
  GIT_COMMITTER_EMAIL: identity.email,
};

/** Set before any verb, so they win over the repository's own config and its includes. */
const flags: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.untrackedCache=false",
  "core.attributesFile=/dev/null",
  "core.excludesFile=/dev/null",
  "core.autocrlf=false",
  "core.symlinks=true",
  "core.fileMode=true",
  "core.protectHFS=true",
  "core.protectNTFS=true",
  "core.commitGraph=false",
  "core.alternateRefsCommand=/bin/false",
  "core.sshCommand=/bin/false",
  "core.quotePath=false",
  // What was answered as landed or kept must survive a power cut.
  "core.fsync=committed,loose-object,reference",
  "core.fsyncMethod=batch",
  "credential.helper=",
  "diff.ignoreSubmodules=all",
  "fetch.recurseSubmodules=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "protocol.allow=never",
  "submodule.recurse=false",
  "uploadpack.packObjectsHook=",
].flatMap((setting) => ["-c", setting]);

function argumentsOf(args: readonly string[], options: GitOptions): string[] {
  const where = [
    ...(options.gitDir === undefined ? [] : [`--git-dir=${options.gitDir}`]),
    ...(options.workTree === undefined ? [] : [`--work-tree=${options.workTree}`]),
  ];
  return ["--no-pager", ...flags, ...where, ...args];
}

function start(args: readonly string[], options: GitOptions) {
  return spawn("git", argumentsOf(args, options), {
    cwd: options.cwd ?? "/",
    env: {
      ...environment,
      ...(options.indexFile === undefined ? {} : { GIT_INDEX_FILE: options.indexFile }),
      // Without a git directory, git looks in `cwd` alone: a repository above it was not named.
      ...(options.gitDir === undefined && options.cwd !== undefined
        ? { GIT_CEILING_DIRECTORIES: parentOf(options.cwd) }
        : {}),
    },
    ...(options.as === undefined ? {} : { uid: options.as.uid, gid: options.as.gid }),
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
  }) satisfies ChildProcessByStdio<Writable, Readable, Readable>;
}

const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";

const stderrCap = 16 * 1024;

/** The failure of a git verb, with what it said cut, masked and escaped: it can quote paths and URLs of others. */
function failure(args: readonly string[], what: string, stderr: string): SallyportError {
  const verb = args.find((a) => /^[a-z][a-z-]*$/.test(a)) ?? "git";
  const said = showText(stderr.replace(/\/\/[^/@\s]*@/g, "//***@").trim()).slice(0, 2000);
  return new SallyportError("git-failed", `git ${verb} ${what}${said ? `: ${said}` : ""}`, {
    next: "Check that the repository is whole (`git fsck`) and that its disk has room, then try again.",
  });
}

/** A running git with its three streams; `done` settles when it has ended and rejects where it failed. */
export interface GitProcess {
  stdin: Writable;
  stdout: Readable;
  /** Resolves when git ended with an accepted exit code; else rejects with `git-failed`. */
  done: Promise<{ code: number; stderr: string }>;
  /** Ends this git at once; `done` then rejects. */
  kill(): void;
}

/** Starts git and leaves its streams to the caller, who must read `stdout` and await `done`. */
export function startGit(args: readonly string[], options: Omit<GitOptions, "stdin" | "maxBytes">): GitProcess {
  const child = start(args, options);
  let stderr = "";
  let timedOut = false;
  const timeout = options.timeout ?? 120_000;
  // A reader that stopped reading would keep the pipe, and with it the end of the process, open for ever.
  const end = () => {
    child.kill("SIGKILL");
    child.stdout.destroy();
  };
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, timeout);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (stderr.length < stderrCap) stderr += text.slice(0, stderrCap - stderr.length);
  });
  // git may end before it has read all; that is told by its exit code, not by EPIPE.
  child.stdin.on("error", () => {});
  const done = new Promise<{ code: number; stderr: string }>((resolve, reject) => {
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(failure(args, "could not be started", error.message));
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (timedOut) reject(failure(args, `was ended after ${timeout} ms`, stderr));
      else if (code === null) reject(failure(args, `was ended by ${signal}`, stderr));
      else if (!(options.accept ?? [0]).includes(code)) reject(failure(args, `exited with ${code}`, stderr));
      else resolve({ code, stderr });
    });
  });
  // The caller awaits `done` after the streams; until then a rejection must not count as unhandled.
  done.catch(() => {});
  return { stdin: child.stdin, stdout: child.stdout, done, kill: end };
}

/** Runs git to its end. Errors: `git-failed` on another exit code, a passed time limit, or output beyond the cap. */
export async function runGit(args: readonly string[], options: GitOptions): Promise<GitResult> {
  const git = startGit(args, options);
  const maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const feeding =
    options.stdin instanceof Readable
      ? pipeline(options.stdin, git.stdin)
      : Promise.resolve(void git.stdin.end(options.stdin ?? Buffer.alloc(0)));
  // A broken input must not end as a shorter one: git is ended, and the input's own error is told.
  let broken: unknown;
  feeding.catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || error.code === "ERR_STREAM_PREMATURE_CLOSE") return;
    broken = error;
    git.kill();
  });
  git.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) git.kill();
    else chunks.push(chunk);
  });
  try {
    const { code, stderr } = await git.done;
    if (bytes > maxBytes) throw failure(args, `printed more than ${maxBytes} bytes`, "");
    return { code, stdout: Buffer.concat(chunks), stderr };
  } catch (error) {
    if (broken !== undefined) throw broken;
    if (bytes > maxBytes) throw failure(args, `printed more than ${maxBytes} bytes`, "");
    throw error;
  }
}

/** The first line of what git prints, without the line end. */
export async function gitLine(args: readonly string[], options: GitOptions): Promise<string> {
  const { stdout } = await runGit(args, options);
  return stdout.toString("utf8").replace(/\n[\s\S]*$/, "");
}

/** Pieces of `-z` output, without the NULs. */
export function splitNul(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, from)) {
    pieces.push(bytes.subarray(from, at));
    from = at + 1;
  }
  return pieces;
}
