/** One shell that lives as long as a page: what one block sets, the next one has. Bounded in time. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";

export interface Said {
  output: string;
  code: number;
}

export interface Session {
  run(command: string, seconds: number): Promise<Said>;
  close(): void;
}

/** Opens it in a directory; standard error comes with standard output, in order. */
export function openSession(directory: string, environment: NodeJS.ProcessEnv): Session {
  const child: ChildProcess = spawn("bash", ["--noprofile", "--norc"], {
    cwd: directory,
    env: environment,
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  let said = "";
  let heard: () => void = () => undefined;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    heard();
  });
  child.stdin?.write("exec 2>&1\n");
  const end = () => {
    try {
      // Its whole group: a command that hangs ends with its shell.
      if (child.pid) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It is gone.
    }
  };
  return {
    async run(command, seconds) {
      const mark = `end-${randomBytes(8).toString("hex")}`;
      said = "";
      child.stdin?.write(`${command}\nprintf '%s %d\\n' ${mark} $?\n`);
      const pattern = new RegExp(`${mark} (\\d+)\\n`);
      const deadline = Date.now() + seconds * 1000;
      for (;;) {
        const found = pattern.exec(said);
        if (found) return { output: said.slice(0, found.index), code: Number(found[1]) };
        if (child.exitCode !== null) throw new Error(`the shell ended at: ${command}\n${said}`);
        if (Date.now() > deadline) {
          end();
          throw new Error(`not within ${seconds} s: ${command}\n${said}`);
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 500);
          heard = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    close: end,
  };
}
