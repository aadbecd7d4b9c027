/** Writes a case's difference into a workspace as an executor would: a process of the sandbox's uid, in its directory. */
import { spawn } from "node:child_process";
import { gzipSync } from "node:zlib";
import { sandboxOwner } from "../../src/sandbox/engine.ts";
import type { Entry } from "../../test/gate-corpus/tree.ts";

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The difference as a shell script. Every name is quoted, and content goes by base64. */
function script(changed: ReadonlyMap<string, Entry | null>): string {
  const lines = [...changed].flatMap(([path, entry]) => {
    const name = quote(`./${path}`);
    if (entry === null) return [`rm -f -- ${name}`];
    const folder = `mkdir -p -- ${quote(`./${path}`.slice(0, path.lastIndexOf("/") + 2) || ".")}`;
    if ("link" in entry) return [folder, `ln -sfn -- ${quote(entry.link)} ${name}`];
    const body = gzipSync(entry.content)
      .toString("base64")
      .replace(/.{1,200}/g, "$&\n");
    return [
      folder,
      `base64 -d <<'END_OF_FILE' | gunzip >${name}`,
      `${body}END_OF_FILE`,
      `chmod ${entry.mode.toString(8)} -- ${name}`,
    ];
  });
  return `${lines.join("\n")}\n`;
}

/** Runs it. What cannot be written (a full layer) stays unwritten, as it would for an executor. */
export async function writeLayer(workspace: string, changed: ReadonlyMap<string, Entry | null>): Promise<void> {
  const child = spawn("bash", ["-s"], {
    cwd: workspace,
    uid: sandboxOwner.uid,
    gid: sandboxOwner.gid,
    env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent", LC_ALL: "C.UTF-8", TMPDIR: "/tmp" },
    stdio: ["pipe", "ignore", "ignore"],
    timeout: 60_000,
  });
  child.stdin.on("error", () => {});
  child.stdin.end(script(changed));
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    // Written by half, a case would be another one.
    child.once("close", (_, signal) =>
      signal ? reject(new Error(`the layer was not written: ${signal}`)) : resolve(),
    );
  });
}
