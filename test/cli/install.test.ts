/** Installing into a root of its own; the manual page and the completion as a system reads them. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { program, run } from "../e2e/cli.ts";

const root = mkdtempSync(join(tmpdir(), "sp-install-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
interface Step {
  path: string;
  what: string;
}
const install = async (...args: string[]) => {
  const said = await run(["install", "--root", root, "--json", ...args], { seconds: 60 });
  expect(said.code, said.stderr).toBe(0);
  return said.json<{ steps: Step[] }>().steps;
};
const whats = (steps: Step[]) => [...new Set(steps.map(({ what }) => what))].sort();
const at = (path: string) => join(root, path);

it("a dry run changes nothing; a second install changes nothing; state and configuration are kept", {
  timeout: 240_000,
}, async () => {
  expect(whats(await install("--dry-run"))).toEqual(["made"]);
  expect(() => statSync(at("etc"))).toThrow(/ENOENT/);
  expect(whats(await install())).toEqual(["made"]);
  expect(statSync(at("var/lib/sallyport")).mode & 0o777).toBe(0o700);
  expect(statSync(at("var/lib/sallyport/config.yaml")).mode & 0o777).toBe(0o600);
  const unit = readFileSync(at("etc/systemd/system/sallyport.service"), "utf8");
  expect(unit).toContain(`ExecStart=${program} daemon --state /var/lib/sallyport\n`);
  expect(whats(await install())).toEqual(["kept", "unchanged"]);
  const config = at("var/lib/sallyport/config.yaml");
  writeFileSync(config, "version: 1\n");
  writeFileSync(at("etc/logrotate.d/sallyport"), "# ours\n");
  expect((await install()).filter(({ what }) => what === "changed").map(({ path }) => path)).toEqual([
    at("etc/logrotate.d/sallyport"),
  ]);
  expect(readFileSync(config, "utf8")).toBe("version: 1\n");
  writeFileSync(at("etc/logrotate.d/sallyport"), "# ours\n");
  const removed = await install("--uninstall");
  expect(whats(removed)).toEqual(["kept", "removed"]);
  expect(readFileSync(config, "utf8")).toBe("version: 1\n");
  expect(readFileSync(at("etc/logrotate.d/sallyport"), "utf8")).toBe("# ours\n");
  expect(() => statSync(at("etc/systemd/system/sallyport.service"))).toThrow(/ENOENT/);
  expect((await run(["install", "--root", root, "--program", "/a b", "--json"])).error().code).toBe("usage");
});

it("the logrotate file is one that logrotate reads", () => {
  const state = at("status");
  const said = spawnSync(
    "logrotate",
    ["--debug", "--state", state, join(program, "../../packaging/logrotate/sallyport")],
    {
      encoding: "utf8",
    },
  );
  expect([said.status, said.stderr.match(/^error.*$/m)]).toEqual([0, null]);
});

it("the manual page formats without a warning, and names every command", { timeout: 120_000 }, async () => {
  const page = (await run(["man"])).stdout;
  const file = at("sallyport.1");
  writeFileSync(file, page);
  const warned = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-z", file], { encoding: "utf8" });
  expect([warned.status, warned.stderr]).toEqual([0, ""]);
  const read = execFileSync("man", ["--local-file", file], {
    encoding: "utf8",
    env: { ...process.env, MANWIDTH: "100" },
  });
  const commands = buildProgram().commands.map((one) => one.name());
  expect(commands.length).toBeGreaterThan(20);
  for (const name of commands) expect(read).toMatch(new RegExp(`^ {3}${name}\\b`, "m"));
  // The twin: a broken request is seen.
  writeFileSync(file, `${page}\n.TP\n.EE\n\\[nonsense]\n`);
  expect(spawnSync("groff", ["-man", "-Tutf8", "-ww", "-z", file], { encoding: "utf8" }).stderr).not.toBe("");
});

describe("completion", () => {
  const offered: Record<string, string[]> = {};
  beforeAll(async () => {
    writeFileSync(at("c.bash"), (await run(["completion", "bash"])).stdout);
  });
  /** What a real bash offers for a line that ends where the cursor is. */
  const complete = (line: string): string[] => {
    const words = line.split(" ");
    const script = `source ${at("c.bash")}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _sallyport; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const found = execFileSync("bash", ["--noprofile", "--norc", "-u", "-c", script], { encoding: "utf8", cwd: root });
    offered[line] = found.split("\n").filter(Boolean);
    return offered[line] ?? [];
  };

  it("offers commands, their own, and options, in a real bash", () => {
    expect(complete("sallyport ")).toEqual(expect.arrayContaining(["doctor", "gate", "audit", "--help"]));
    expect(complete("sallyport do")).toEqual(["doctor"]);
    expect(complete("sallyport gate ")).toEqual(expect.arrayContaining(["status", "open", "close", "calibrate"]));
    expect(complete("sallyport gate status --j")).toEqual(["--json"]);
    expect(complete("sallyport gc --")).toEqual(expect.arrayContaining(["--dry-run", "--older", "--state"]));
    expect(complete("sallyport nothing-of-ours x")).toEqual([]);
  });

  it("leaves a value to the shell: files, with nothing of a name run as a command", () => {
    writeFileSync(at("brief $(touch pwned).yaml"), "");
    expect(complete("sallyport delegate --state brief").join(" ")).toContain("brief");
    expect(() => statSync(at("pwned"))).toThrow(/ENOENT/);
  });

  it.each(["bash", "zsh", "fish"])("of %s is one that the shell reads, where it is here", async (shell) => {
    const text = (await run(["completion", shell])).stdout;
    expect(text).toContain("doctor");
    const file = at(`check.${shell}`);
    writeFileSync(file, text);
    const read = spawnSync(shell, ["-n", file], { encoding: "utf8" });
    if ((read.error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return;
    expect([read.status, read.stderr]).toEqual([0, ""]);
  });

  it("there is none for another shell", async () => {
    const said = await run(["completion", "tcsh"]);
    expect(said.code).not.toBe(0);
    expect(said.stderr).toContain("bash, zsh or fish");
  });
});
