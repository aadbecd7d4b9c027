/** A real terminal for tests: tmux with a server of its own. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether there is one. Where tests may not be skipped, its absence is an error. */
export function hasTmux(): boolean {
  try {
    execFileSync("tmux", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env.SALLYPORT_CI) throw new Error("tmux is missing: apt-get install tmux");
    process.stderr.write(
      "SKIPPED: no tmux, so the command line is not tried in a real terminal: apt-get install tmux\n",
    );
    return false;
  }
}

export interface Terminal {
  /** Types a line and Enter. */
  type(line: string): void;
  /** Presses a key by tmux's name, such as C-c. */
  press(key: string): void;
  resize(columns: number, rows?: number): void;
  /** What is seen, without empty lines at the end. */
  seen(): string;
  /** All lines, also those that have scrolled away; one that was wrapped is one. */
  all(): string;
  /** Whether the cursor is shown. */
  cursor(): boolean;
  close(): void;
}

/** Opens one of that size, with a plain shell in it. */
export function openTerminal(columns: number, environment: Record<string, string>, rows = 24): Terminal {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-tmux-"));
  const socket = join(directory, "tmux");
  const tmux = (...args: string[]) =>
    execFileSync("tmux", ["-S", socket, "-f", "/dev/null", ...args], { encoding: "utf8", timeout: 20_000 });
  const { TMUX: _tmux, NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env;
  // Said to the shell itself: tmux has a word of its own on PATH and TERM.
  const variables = Object.entries({ PS1: "$ ", ...environment }).map(([name, value]) => `${name}='${value}'`);
  execFileSync(
    "tmux",
    [
      "-S",
      socket,
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      "-x",
      String(columns),
      "-y",
      String(rows),
      `exec env ${variables.join(" ")} bash --norc --noprofile`,
    ],
    { env: inherited, timeout: 20_000 },
  );
  return {
    type: (line) => void tmux("send-keys", "-l", line) + tmux("send-keys", "Enter"),
    press: (key) => void tmux("send-keys", key),
    resize: (width, height = rows) => void tmux("resize-window", "-x", String(width), "-y", String(height)),
    seen: () => tmux("capture-pane", "-p").trimEnd(),
    all: () => tmux("capture-pane", "-p", "-J", "-S", "-").trimEnd(),
    cursor: () => tmux("display-message", "-p", "#{cursor_flag}").trim() === "1",
    close() {
      try {
        tmux("kill-server");
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}
