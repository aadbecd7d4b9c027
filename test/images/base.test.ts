/** The base image from inside: the forwarder, the executor's word to its host, and the planner's `absent` checks. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bodyOf, hostSocket, image, run, scratch } from "./engine.ts";

let base: string;
let folder: ReturnType<typeof scratch>;
let servers: Server[];

beforeAll(async () => {
  base = (await image("base")).digest;
}, 300_000);
beforeEach(() => {
  folder = scratch();
  servers = [];
});
afterEach(() => {
  for (const server of servers) server.close().closeAllConnections();
  folder.drop();
});

async function socket(listener: Parameters<typeof hostSocket>[1]): Promise<string[]> {
  const { directory, server } = await hostSocket(folder.path, listener);
  servers.push(server);
  return [`${directory}:/run/sallyport:ro`];
}

describe("the entry", () => {
  it("forwards loopback port 3128 to the host's socket, before the command's first request", async () => {
    const seen: string[] = [];
    const binds = await socket((request, answer) => {
      seen.push(`${request.method} ${request.url}`);
      answer.end("from the host");
    });
    const done = await run(base, ["/opt/sallyport/entry", "curl", "-sS", "http://127.0.0.1:3128/hello"], { binds });
    expect(done).toEqual({ exit: 0, output: "from the host" });
    expect(seen).toEqual(["GET /hello"]);
  });

  it("carries many connections at once and a large body whole", async () => {
    const binds = await socket((_request, answer) => answer.end("x".repeat(5_000_000)));
    const fetchAll =
      "const all = await Promise.all(Array.from({length: 40}, () => fetch('http://127.0.0.1:3128/').then((r) => r.text()))); console.log(all.length, all.every((t) => t.length === 5e6))";
    const done = await run(base, ["/opt/sallyport/entry", "node", "--input-type=module", "-e", fetchAll], { binds });
    expect(done).toEqual({ exit: 0, output: "40 true\n" });
  });

  it("listens on loopback alone, and nothing else of a network is there", async () => {
    const binds = await socket((_request, answer) => answer.end());
    const script =
      "cat /proc/net/tcp /proc/net/tcp6 | grep ' 0A ' | awk '{print $2}'; tail -n +3 /proc/net/dev | cut -d: -f1";
    const done = await run(base, ["/opt/sallyport/entry", "sh", "-c", script], { binds });
    expect(done.output.split("\n").map((line) => line.trim())).toEqual(["0100007F:0C38", "lo", ""]);
  });

  it("starts no forwarder where there is no socket, and keeps directory, arguments and exit status", async () => {
    const done = await run(
      base,
      ["/opt/sallyport/entry", "sh", "-c", 'pwd; echo "$1|$2"; pgrep socat; exit 7', "sh", "a b", "*"],
      { directory: "/worktree" },
    );
    expect(done).toEqual({ exit: 7, output: "/worktree\na b|*\n" });
  });

  it("fails, and does not run the command, when the forwarder cannot listen", async () => {
    const binds = await socket((_request, answer) => answer.end());
    // Without socat on the PATH nothing will ever listen.
    const command = ["/usr/bin/env", "PATH=/nowhere", "/opt/sallyport/entry", "/bin/echo", "ran"];
    const done = await run(base, command, { binds });
    expect(done.exit).toBe(125);
    expect(done.output).toContain("did not start");
    expect(done.output).not.toContain("ran");
  });
});

describe("the files for the home", () => {
  it("are there, and the sandbox's own, before the command starts", async () => {
    const home = join(folder.path, "home");
    mkdirSync(join(home, ".config/tool"), { recursive: true });
    writeFileSync(join(home, ".config/tool/settings.json"), "{}");
    const script =
      "cat .config/tool/settings.json && echo more >> .config/tool/settings.json && cat .config/tool/settings.json";
    const binds = [`${home}:/run/sallyport-home:ro`];
    const done = await run(base, ["/opt/sallyport/entry", "sh", "-c", script], { binds, directory: "/home/sandbox" });
    expect(done).toEqual({ exit: 0, output: "{}{}more\n" });
  });

  it("must all get there, else the command does not run", async () => {
    const home = join(folder.path, "home");
    mkdirSync(home);
    writeFileSync(join(home, "large"), "x".repeat(100));
    const binds = [`${home}:/run/sallyport-home:ro`];
    const done = await run(base, ["/opt/sallyport/entry", "echo", "ran"], { binds, env: ["HOME=/proc"] });
    expect(done.exit).toBe(125);
    expect(done.output).not.toContain("ran");
  });
});

describe("report", () => {
  it("posts the executor's word, unescaped by any shell, and prints the answer", async () => {
    const seen: unknown[] = [];
    const binds = await socket(async (request, answer) => {
      seen.push([request.method, request.url, request.headers["content-type"], JSON.parse(await bodyOf(request))]);
      answer.end('{"ok":true}');
    });
    const env = ["HTTP_PROXY=http://127.0.0.1:9", "http_proxy=http://127.0.0.1:9"];
    const done = await run(base, ["/opt/sallyport/entry", "report", "stuck", 'needs "x"', "$HOME `id`"], {
      binds,
      env,
    });
    expect(done).toEqual({ exit: 0, output: '{"ok":true}\n' });
    expect(seen).toEqual([["POST", "/report/stuck", "application/json", { text: 'needs "x" $HOME `id`' }]]);
  });

  it("posts a planner's plan with the files of its checks, and its summary from a file", async () => {
    const seen: unknown[] = [];
    const binds = await socket(async (request, answer) => {
      seen.push([request.url, JSON.parse(await bodyOf(request))]);
      answer.end("{}");
    });
    const plan = { briefs: [{ accept: [{ checks: [{ run: "x", files: ["c.mjs"] }] }] }] };
    const script = `cd /tmp; echo '${JSON.stringify(plan)}' > p.json; echo check > c.mjs; report plan p.json; report summary c.mjs; echo no > bad.json; report plan bad.json; test $? = 2`;
    expect((await run(base, ["/opt/sallyport/entry", "sh", "-c", script], { binds })).exit).toBe(0);
    expect(seen).toEqual([
      ["/plan", { plan, checkFiles: { "c.mjs": Buffer.from("check\n").toString("base64") } }],
      ["/report/summary", { text: "check\n" }],
    ]);
  });

  it("fails when the host refuses, when nobody answers, and when it is called wrongly", async () => {
    const binds = await socket((_request, answer) => {
      answer.statusCode = 422;
      answer.end('{"error":"text is too long"}');
    });
    const refused = await run(base, ["/opt/sallyport/entry", "report", "note", "x"], { binds });
    expect(refused).toEqual({ exit: 1, output: '{"error":"text is too long"}\n' });
    expect((await run(base, ["report", "note", "x"])).exit).toBe(1);
    expect((await run(base, ["report", "land", "x"])).exit).toBe(2);
    expect((await run(base, ["report", "stuck"])).exit).toBe(2);
  });
});

describe("check-absent", () => {
  beforeEach(() => mkdirSync(join(folder.path, "tree")));
  const check = async (checks: object[], changed: string[] = []): Promise<unknown> => {
    const tree = join(folder.path, "tree");
    writeFileSync(join(folder.path, "input.json"), JSON.stringify({ root: "/worktree", changed, checks }));
    const binds = [`${tree}:/worktree:ro`, `${join(folder.path, "input.json")}:/checks/input.json:ro`];
    const done = await run(base, ["node", "/opt/sallyport/check-absent.mjs", "/checks/input.json"], { binds });
    expect(done.exit, done.output).toBe(0);
    return JSON.parse(done.output);
  };

  it("passes where no line matches and names the lines where one does", async () => {
    mkdirSync(join(folder.path, "tree/src"));
    writeFileSync(join(folder.path, "tree/src/a.ts"), "one\r\nMath.round(x)\nlast Math.round(");
    writeFileSync(join(folder.path, "tree/src/b.ts"), "nothing here\n");
    const files = ["src/a.ts", "src/b.ts"];
    const found = await check([
      { id: "A1.1", absent: "Math\\.round\\(", files },
      { id: "A1.2", absent: "^one$", files: ["src/b.ts"] },
      { id: "A1.3", absent: "^one$", files },
    ]);
    expect(found).toEqual([
      {
        id: "A1.1",
        ok: false,
        found: [
          { path: "src/a.ts", line: 2 },
          { path: "src/a.ts", line: 3 },
        ],
        detail: "2 lines match",
      },
      { id: "A1.2", ok: true, found: [], detail: "absent from 1 files" },
      { id: "A1.3", ok: false, found: [{ path: "src/a.ts", line: 1 }], detail: "1 lines match" },
    ]);
  });

  it("names at most 20 places and says how many there are", async () => {
    writeFileSync(join(folder.path, "tree/many"), "x\n".repeat(1000));
    const [answer] = (await check([{ id: "A1.1", absent: "x", files: ["many"] }])) as {
      found: unknown[];
      detail: string;
    }[];
    expect(answer?.found).toHaveLength(20);
    expect(answer?.detail).toBe("1000 lines match");
  });

  it("fails closed: a link, a missing file, a pattern that is none", async () => {
    symlinkSync("/etc/passwd", join(folder.path, "tree/link"));
    const asked = [
      { id: "A1.1", absent: "root", files: ["link"] },
      { id: "A1.2", absent: "root", files: ["gone"] },
      { id: "A1.3", absent: "(", files: [] },
    ];
    const answers = (await check(asked, ["link"])) as { ok: boolean; found: unknown[]; detail: string }[];
    expect(answers.map((a) => a.ok)).toEqual([false, false, false]);
    expect(answers.map((a) => a.found)).toEqual([[], [], []]);
    expect(answers.map((a) => a.detail).join()).toMatch(/ELOOP.*ENOENT.*not a regular expression/);
    // A link that the base already had is passed over.
    expect(((await check(asked.slice(0, 1), [])) as { ok: boolean }[]).map((a) => a.ok)).toEqual([true]);
  });
});

describe("the tools", () => {
  it("has the fixed user, npm, git and no way up", async () => {
    const script =
      "id -u; id -un; node -p 'os.userInfo().homedir'; npm --version >/dev/null && npx --version >/dev/null && echo npm; git init -q /tmp/r && echo git; find / -xdev -perm /6000 2>/dev/null | wc -l";
    const done = await run(base, ["sh", "-c", script]);
    expect(done.output).toBe("10001\nsandbox\n/home/sandbox\nnpm\ngit\n0\n");
  });
});
