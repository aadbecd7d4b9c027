/** Runs bin/sallyport as a child process, the way people and scripts do. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const program = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

export interface Said {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Standard output as JSON; throws where it is none. */
  json<T = Record<string, unknown>>(): T;
  /** The coded error of a `--json` answer. */
  error(): { code: string; message: string; next: string; at?: string };
}

export interface Running {
  child: ChildProcess;
  done: Promise<Said>;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  seconds?: number;
  cwd?: string;
}

/** Starts it without waiting. It is killed after `seconds`, which then shows as `code: null`. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(program, args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const timer = setTimeout(() => child.kill("SIGKILL"), (options.seconds ?? 60) * 1000);
  const done = new Promise<Said>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      const stdout = Buffer.concat(out).toString("utf8");
      const stderr = Buffer.concat(err).toString("utf8");
      const json = <T>(): T => {
        try {
          return JSON.parse(stdout) as T;
        } catch {
          throw new Error(`no JSON (exit ${code}): ${stdout.slice(0, 1000)}\n${stderr.slice(0, 2000)}`);
        }
      };
      resolve({ code, stdout, stderr, json, error: () => json<{ error: ReturnType<Said["error"]> }>().error });
    });
  });
  return { child, done };
}

/** Runs it to its end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Said> {
  return start(args, options).done;
}
