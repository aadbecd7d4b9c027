/** Errors of the command line: what, where, and the next step; exit codes; nothing of it coloured where no terminal is. */
import { execFile, spawn } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wholeId } from "../../src/cli/ids.ts";
import { unreachable } from "../../src/cli/unreachable.ts";
import type { SallyportError } from "../../src/domain/error.ts";
import { stateDirectory } from "../../src/host/state-directory.ts";
import { program } from "../e2e/cli.ts";
import { run } from "./run.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-errors-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("what the parser finds", () => {
  it.each([
    [["lst"], /unknown command 'lst'/, "Did you mean list?"],
    [["list", "--limt", "3"], /unknown option '--limt'/, "Did you mean --limit?"],
    [["policy", "explian"], /unknown command 'explian'/, "Did you mean explain?"],
    [["show"], /missing required argument 'id'/, "Name it"],
    [["gate", "open"], /required option '--reason <text>' not specified/, "--help"],
  ])("%j", async (args, what, next) => {
    const { code, stderr, stdout } = await run(args);
    expect([code, stdout]).toEqual([2, ""]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^error: /);
    expect(lines[0]).toMatch(what);
    expect(lines[1]).toMatch(/^ {2}next: /);
    expect(lines[1]).toContain(next);
    expect(lines.at(-1)).toBe("  code: usage");
  });

  it("is JSON where JSON is asked for", async () => {
    const { code, stdout } = await run(["lst", "--json"]);
    expect([code, JSON.parse(stdout).error.code]).toEqual([2, "usage"]);
  });
});

describe("names", () => {
  it("a policy and a harness that are almost there are named", async () => {
    const policy = await run(["policy", "check", "node-libary", "--state", directory]);
    expect([policy.code, policy.stderr]).toEqual([2, expect.stringContaining("next: Did you mean node-library?")]);
    const harness = await run(["image", "build", "scriptd", "--state", directory]);
    expect([harness.code, harness.stderr]).toEqual([2, expect.stringContaining("next: Did you mean scripted?")]);
  });

  it("a state that is almost one is named", async () => {
    const { code, stderr } = await run(["list", "--only", "aproved", "--state", directory]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("next: Did you mean approved?")]);
  });

  it("where a fault is stands on a line of its own", async () => {
    const policy = join(directory, "broken.yaml");
    await writeFile(policy, "version: 1\nextends: base\nnetwrk: []\n");
    const { stderr } = await run(["policy", "check", policy, "--state", directory]);
    expect(stderr).toMatch(new RegExp(`^ {2}at ${policy}:3:1$`, "m"));
  });
});

describe("ids by their first letters", () => {
  const page = (ids: string[]) => ({ total: ids.length, summaries: ids.map((id) => ({ id })) });
  let server: Server;
  const socket = () => join(directory, "ids.sock");
  beforeAll(async () => {
    // The daemon's answer for a list; the daemon itself is asked in the test of the terminal.
    const body = JSON.stringify(page(["d-abcdefgh23456722", "d-abczzzzz23456722", "d-xyzzzzzz23456722"]));
    server = createServer((connection) => {
      connection.on("error", () => undefined);
      connection.once("data", () =>
        connection.end(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(socket(), resolve));
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  const whole = (text: string) => wholeId(stateDirectory(directory, socket()), text);

  it("finds the one that they begin, and asks nobody about a whole one", async () => {
    expect(await whole("d-x")).toBe("d-xyzzzzzz23456722");
    expect(await whole("d-abcd")).toBe("d-abcdefgh23456722");
    expect(await wholeId(stateDirectory(directory), "p-abcdefgh23456722")).toBe("p-abcdefgh23456722");
  });

  it.each([
    ["d-abc", "not-found", /begins 2 ids: d-abcdefgh23456722, d-abczzzzz23456722/],
    ["d-xyy", "not-found", /no id begins with d-xyy/],
    ["hello", "usage", /is no id/],
    ["d-", "usage", /is no id/],
  ])("%s is refused: %s", async (text, code, message) => {
    const error = (await whole(text).catch((thrown: unknown) => thrown)) as SallyportError;
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    expect(error.next).not.toBe("");
  });

  it("names the one that was probably meant", async () => {
    expect(((await whole("d-xyy").catch((thrown: unknown) => thrown)) as SallyportError).next).toContain(
      "Did you mean d-xyzzzzzz23456722?",
    );
  });
});

describe("a daemon that cannot be reached", () => {
  const fault = (code: string) => Object.assign(new Error(code), { code });

  it("says how to start one", () => {
    expect(unreachable(join(directory, "none.sock"), fault("ENOENT")).next).toContain("systemctl start sallyport");
    const gone = unreachable(join(directory, "none.sock"), fault("ECONNREFUSED"));
    expect([gone.message, gone.next]).toEqual([
      expect.stringContaining("nobody answers"),
      expect.stringContaining("is gone"),
    ]);
  });

  it("says which socket and which group, where it is permission that lacks", async () => {
    const open = join(directory, "open.sock");
    await writeFile(open, "");
    await chmod(open, 0o660);
    const group = unreachable(open, fault("EACCES"));
    expect(group.message).toContain(`may not open ${open}, which is root:root 660`);
    expect(group.next).toContain("Be in the group root");
    await chmod(open, 0o600);
    expect(unreachable(open, fault("EACCES")).next).toContain("Run it as root (sudo)");
  });

  it("names the directory that is in the way, as another user meets it", async () => {
    const closed = join(directory, "closed");
    const { mkdir } = await import("node:fs/promises");
    await mkdir(closed, { mode: 0o700 });
    await chmod(directory, 0o755);
    const said = await new Promise<string>((resolve) => {
      const script = `import("${join(program, "../../src/cli/unreachable.ts")}").then(({ unreachable }) => console.log(unreachable("${closed}/host.sock", { code: "EACCES" }).message));`;
      execFile(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script],
        { uid: 65534, gid: 65534, cwd: "/", timeout: 30_000 },
        (_, stdout, stderr) => resolve(stdout + stderr),
      );
    });
    expect(said).toContain(`may not open ${closed}, which is root:root 700`);
  });
});

it("a reader that leaves is no fault", { timeout: 60_000 }, async () => {
  const child = spawn(
    "sh",
    ["-c", `"${program}" policy schema | head -n 1; "${program}" lst 2>&1 >/dev/null | head -c 1`],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  child.stdout.resume();
  await new Promise((resolve) => child.once("close", resolve));
  expect(stderr).toBe("");
});

describe("colour", () => {
  const sequence = "\u001b[";
  it("is for terminals; FORCE_COLOR asks for it, NO_COLOR and a dumb terminal never have it", async () => {
    expect((await run(["lst"])).stderr).not.toContain(sequence);
    expect((await run(["lst"], { FORCE_COLOR: "1", NO_COLOR: "" })).stderr).toContain(`${sequence}31merror: `);
    expect((await run(["lst"], { NO_COLOR: "1" })).stderr).not.toContain(sequence);
  });
});
