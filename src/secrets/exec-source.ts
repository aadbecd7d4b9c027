/** Runs a program whose output is a secret, such as a vault's command line. No shell, bounded in time and output. */
import { spawn } from "node:child_process";
import { lstat, realpath } from "node:fs/promises";
import { faultAround } from "./file-source.ts";

/** Bytes of output that are taken. */
const outputBytes = 64 * 1024;

/**
 * The standard output of the command, or what is wrong. What it says on standard error is dropped: it may quote what
 * it failed on. `time` in milliseconds; when it is over, the program and all that it started in its group are killed.
 */
export async function runSecretProgram(
  command: readonly [string, ...string[]],
  environment: Readonly<Record<string, string | undefined>>,
  time: number,
  owner: number,
): Promise<{ text: string } | { fault: string }> {
  const [program, ...args] = command;
  // What is checked is what is run: links are followed once, here.
  const real = await realpath(program).catch((error: NodeJS.ErrnoException) => error);
  if (real instanceof Error) return { fault: `the program is not there (${real.code ?? "unknown"})` };
  const found = await lstat(real);
  // It runs with the daemon's rights: whoever can change it has them.
  if (!found.isFile()) return { fault: "the program is not a regular file" };
  if (found.uid !== owner && found.uid !== 0) return { fault: `the program belongs to uid ${found.uid}` };
  if ((found.mode & 0o022) !== 0) return { fault: "the program can be written by others" };
  const link = await lstat(program);
  if (link.uid !== owner && link.uid !== 0) return { fault: `the link to the program belongs to uid ${link.uid}` };
  const around = (await faultAround(program, owner, true)) ?? (await faultAround(real, owner));
  if (around) return { fault: around };

  const { promise, resolve } = Promise.withResolvers<{ text: string } | { fault: string }>();
  // A group of its own: a program that leaves a child holding the pipe must not outlive its time.
  const child = spawn(real, args, {
    argv0: program,
    cwd: "/",
    env: { ...environment },
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = (result: { text: string } | { fault: string }) => {
    clearTimeout(timer);
    child.stdout.destroy();
    if (child.pid !== undefined && (child.exitCode === null || "fault" in result)) killGroup(child.pid);
    resolve(result);
  };
  const timer = setTimeout(() => end({ fault: `the program gave no answer within ${time} ms` }), time);
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > outputBytes) end({ fault: `the program printed more than ${outputBytes} bytes` });
    else chunks.push(chunk);
  });
  child.once("error", (error: NodeJS.ErrnoException) =>
    end({ fault: `the program does not start (${error.code ?? "unknown"})` }),
  );
  child.once("close", (code, signal) => {
    if (code === 0) end({ text: Buffer.concat(chunks).toString("latin1") });
    else end({ fault: `the program ended with ${signal ?? code}` });
  });
  return promise;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
