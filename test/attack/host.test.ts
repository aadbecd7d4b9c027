/** The daemon's own door: who may talk to it, what it takes, and what it never runs (ATTACKS A1–A4). */
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultBrief, openHost, type TestHost } from "../e2e/daemon.ts";
import { processesOf } from "../e2e/leftovers.ts";
import { library, owner } from "../e2e/repository.ts";
import { inside } from "./inside.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({ refs: ["refs/heads/fix/**"] });
}, 600_000);
afterAll(() => host?.close());

/** Writes bytes to the API's socket and reads the first line of the answer; a reset after it is no matter. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(host.socket, () => socket.write(bytes));
    let text = "";
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("data", (chunk) => {
      text += String(chunk);
    });
    socket.on("close", () => resolve(text.split("\r\n")[0] ?? ""));
    socket.on("error", () => {});
    setTimeout(() => socket.end(), 500);
  });
}
const errorOf = (body: string) => (JSON.parse(body) as { error: { code: string; next: string } }).error;

describe("who may talk to it", () => {
  it("A1: another uid may not, root may", async () => {
    const script = `require("net").connect(process.argv[1]).on("connect", () => { console.log("CONNECTED"); process.exit(); }).on("error", (e) => console.log(e.code))`;
    for (const uid of ["10001", "10002", "65534", String(owner.uid)]) {
      const { stdout } = await promisify(execFile)(
        "setpriv",
        [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", process.execPath, "-e", script, host.socket],
        { timeout: 15_000, cwd: "/" },
      );
      expect([uid, stdout.trim()]).toEqual([uid, "EACCES"]);
    }
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", script, host.socket], { timeout: 15_000 });
    expect(stdout.trim()).toBe("CONNECTED");
  });

  it("A1: there is no TCP listener, of the daemon's or of its parts'", () => {
    const pids = processesOf(host.directory).map((p) => p.pid);
    expect(pids.length).toBeGreaterThanOrEqual(3);
    const listening = execFileSync("ss", ["-Hltnup"]).toString();
    for (const pid of pids) expect(listening).not.toContain(`pid=${pid},`);
  });

  it("A1: a sandbox finds neither the socket nor the engine's", async () => {
    const { text } = await inside(
      host,
      host.repository(),
      `for s in ${host.socket} /var/run/docker.sock /run/docker.sock; do [ -e $s ] && echo THERE $s; done; for p in /v1/status /v1/delegations; do curl -s -o /dev/null -w '%{http_code}\\n' --noproxy '*' http://127.0.0.1:3128$p; curl -s -o /dev/null -w '%{http_code}\\n' -x http://127.0.0.1:3128 --noproxy '' http://sallyport$p; done`,
      {},
      { onto: "fix/look" },
    );
    expect(text).not.toContain("THERE");
    expect(text.match(/^4\d\d$/gm)).toHaveLength(4);
  });

  it("A1: a request that a browser's page could have sent is refused", async () => {
    for (const origin of ["http://evil.example", "null", "http://localhost"]) {
      const answer = await host.api("GET", "/v1/delegations", undefined, { origin });
      expect([origin, answer.status, errorOf(answer.body).code]).toEqual([origin, 400, "request-invalid"]);
    }
    expect((await host.api("GET", "/v1/delegations")).status).toBe(200);
  });
});

describe("what it takes", () => {
  it("A2: unknown fields, prototype keys, wrong types, other methods and paths: 4xx with a code, and it goes on", async () => {
    const { path } = host.repository();
    const body = { repository: path, onto: "fix/x", brief: defaultBrief };
    const text = JSON.stringify(body);
    const bad: [string, unknown][] = [
      ["an unknown field", { ...body, extra: 1 }],
      ["__proto__", text.replace("{", '{"__proto__":{"admin":true},')],
      ["__proto__ deep", text.replace('"brief":{', '"brief":{"__proto__":{"title":"x"},')],
      ["constructor", text.replace("{", '{"constructor":{"prototype":{"admin":true}},')],
      ["an unknown field of the brief", { ...body, brief: { ...defaultBrief, privileged: true } }],
      ["an array", []],
      ["a number", 7],
      ["null", "null"],
      ["no JSON", "{"],
      ["deep JSON", `${"[".repeat(200_000)}${"]".repeat(200_000)}`],
      ["a relative repository", { ...body, repository: "../x" }],
      ["a NUL", { ...body, repository: `${path}\0x` }],
      ["a shell's characters in a ref", { ...body, onto: "fix/$(touch x)`id`" }],
      ["an option as a ref", { ...body, onto: "--upload-pack=x" }],
      ["an option as a base", { ...body, base: "--output=/tmp/x" }],
      ["a revision walk as a base", { ...body, base: "main..main" }],
      ["a template in the policy's name", { ...body, brief: { ...defaultBrief, policy: "../../../etc/passwd" } }],
      ["a template in the executor's name", { ...body, brief: { ...defaultBrief, executor: "{{x}}" } }],
      ["a control character in the title", { ...body, brief: { ...defaultBrief, title: "a\nb: c" } }],
      ["a very long text", { ...body, brief: { ...defaultBrief, instructions: "x".repeat(60_000) } }],
      ["check files that are no base64", { ...body, checkFiles: { "a.js": "%%%" } }],
    ];
    for (const [name, value] of bad) {
      const answer = await host.api("POST", "/v1/delegations", value);
      expect([name, answer.status >= 400 && answer.status < 500, answer.body.length < 5000]).toEqual([
        name,
        true,
        true,
      ]);
      expect([name, errorOf(answer.body).code]).toEqual([name, expect.stringMatching(/-invalid$|not-found$|usage/)]);
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    for (const [method, url] of [
      ["GET", "/v1/nothing"],
      ["DELETE", "/v1/delegations"],
      ["GET", "/v1/delegations/..%2f..%2fetc"],
      ["GET", "/v1/delegations/d-1"],
      ["POST", "/v1/delegations/d-aaaaaaaaaaaaaaaa/land"],
      ["GET", "/v1/delegations/__proto__"],
    ] as const) {
      const answer = await host.api(method, url);
      expect([url, answer.status >= 400 && answer.status < 500]).toEqual([url, true]);
    }
    expect(host.entries().filter((e) => e.type === "delegation.accepted" && e.data.repository === path)).toEqual([]);
    expect((await host.turn({ path }, {}, { onto: "fix/x" })).state).toBe("approved");
  });

  it("A2: a body that is too large, and bytes that are no HTTP", async () => {
    const huge = await host
      .api("POST", "/v1/delegations", "x".repeat(50 * 1024 * 1024))
      .catch((error: Error) => ({ status: 413, body: error.message }));
    expect([huge.status >= 400, huge.status < 500]).toEqual([true, true]);
    expect(await raw("GARBAGE\r\n\r\n")).toContain("400");
    expect(await raw("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")).toMatch(
      / 4\d\d /,
    );
    expect(await raw(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}\r\n\r\n`)).toMatch(/ 4\d\d /);
    expect((await host.api("GET", "/v1/status")).status).toBe(200);
  });

  it("A2: a shell's characters in names and texts stay text", async () => {
    const canary = join(host.directory, "canary-shell");
    const evil = `$(touch ${canary}); \`touch ${canary}\`; '"; touch ${canary} #`;
    const files = { ...library, [`src/${"$(touch x); 'a' \"b\""}.js`]: "1\n" };
    const repository = host.repository("r; touch canary $(id)", files);
    const d = await host.turn(
      repository,
      { title: `Fix ${evil}`.slice(0, 120), accept: [{ id: "A1", must: evil }] },
      { onto: "fix/shell" },
    );
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    expect((await host.cli("land", d.id)).code).toBe(0);
    expect(repository.git("log", "-1", "--format=%s", "fix/shell")).toContain("$(touch");
    expect(existsSync(canary)).toBe(false);
  });

  it("A3: there is no verb that weakens a policy, mounts something or turns a control off", async () => {
    const { path } = host.repository();
    for (const field of [
      { sandbox: { memory: "1GiB" } },
      { protected: [] },
      { verifier: { harness: "scripted" } },
      { tests: { run: "true" } },
      { mounts: ["/"] },
      { image: "x" },
      { runtime: "runc" },
      { environment: { A: "b" } },
    ]) {
      const answer = await host.api("POST", "/v1/delegations", {
        repository: path,
        onto: "fix/x",
        brief: { ...defaultBrief, ...field },
      });
      expect([field, answer.status, errorOf(answer.body).code]).toEqual([field, 400, "brief-invalid"]);
    }
    for (const verb of ["approve", "policy", "config", "exec", "verdict", "report"]) {
      for (const url of [`/v1/${verb}`, `/v1/delegations/d-aaaaaaaaaaaaaaaa/${verb}`])
        expect([url, (await host.api("POST", url, {})).status]).toEqual([url, 404]);
    }
  });

  it("V8: a harness without the verifier's role is no verifier, nor a verifier an executor", async () => {
    const answer = await host.api("POST", "/v1/delegations", {
      repository: host.repository().path,
      onto: "fix/x",
      brief: { ...defaultBrief, executor: "verifier-script" },
    });
    expect([answer.status, errorOf(answer.body).code]).toEqual([400, "brief-invalid"]);
  });
});

describe("whose repositories", () => {
  it("A4: a repository or ref outside the operator's list, also by a link to it", async () => {
    const outside = join(host.directory, "outside");
    execFileSync("cp", ["-a", host.repository().path, outside]);
    execFileSync("ln", ["-s", outside, join(host.directory, "r/link")]);
    for (const path of [outside, join(host.directory, "r/link"), `${host.directory}/r/../outside`, "/", "/etc"]) {
      const answer = await host.api("POST", "/v1/delegations", {
        repository: path,
        onto: "fix/x",
        brief: defaultBrief,
      });
      expect([path, errorOf(answer.body).code]).toEqual([
        path,
        expect.stringMatching(/^repository-(refused|invalid)$/),
      ]);
    }
    const { path } = host.repository();
    for (const onto of ["main", "release", "refs/heads/main", "fix", "refs/tags/v1", "refs/heads/fix/../main"]) {
      const answer = await host.api("POST", "/v1/delegations", { repository: path, onto, brief: defaultBrief });
      expect([onto, errorOf(answer.body).code]).toEqual([onto, expect.stringMatching(/^ref-(refused|invalid)$/)]);
    }
    expect(
      (await host.api("POST", "/v1/delegations", { repository: path, brief: defaultBrief, onto: "fix/twin" })).status,
    ).toBe(201);
  });

  it("A4: nothing of a host repository's configuration or hooks runs", async () => {
    const canary = join(host.directory, "canary-hooks");
    mkdirSync(canary);
    chmodSync(canary, 0o777);
    const repository = host.repository("hooked", {
      ...library,
      ".gitattributes": "*.js filter=evil diff=evil merge=evil\n",
    });
    const hooks = join(repository.path, ".git/hooks");
    for (const hook of [
      "reference-transaction",
      "pre-receive",
      "update",
      "post-receive",
      "post-update",
      "pre-commit",
      "commit-msg",
      "post-commit",
      "post-checkout",
      "post-merge",
      "pre-push",
      "post-index-change",
      "fsmonitor-watchman",
      "pre-auto-gc",
      "proc-receive",
      "push-to-checkout",
    ]) {
      const file = join(hooks, hook);
      writeFileSync(file, `#!/bin/sh\ntouch ${canary}/${hook}\n`);
      chmodSync(file, 0o755);
      execFileSync("chown", [`${owner.uid}:${owner.gid}`, file]);
    }
    const run = (name: string) => `touch ${canary}/${name}; cat`;
    const git = (key: string, value: string) =>
      execFileSync("git", ["config", "--file", join(repository.path, ".git/config"), key, value]);
    for (const [key, name] of [
      ["core.fsmonitor", "fsmonitor"],
      ["core.sshCommand", "ssh"],
      ["core.pager", "pager"],
      ["core.editor", "editor"],
      ["filter.evil.clean", "clean"],
      ["filter.evil.smudge", "smudge"],
      ["diff.evil.textconv", "textconv"],
      ["diff.evil.command", "diff"],
      ["diff.external", "external"],
      ["uploadpack.packObjectsHook", "pack"],
      ["gpg.program", "gpg"],
      ["credential.helper", "credential"],
      ["merge.evil.driver", "merge"],
      ["alias.rev-parse", "alias"],
    ] as const) {
      git(key, run(name));
    }
    git("core.hooksPath", hooks);
    git("commit.gpgSign", "true");
    const d = await host.turn(repository, {}, { onto: "fix/hooked" });
    expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("approved");
    const landed = await host.cli("land", d.id);
    expect(landed.code, landed.stdout).toBe(0);
    expect(execFileSync("ls", ["-A", canary]).toString()).toBe("");
    // And the objects that came are the owner's, not root's.
    const foreign = execFileSync("find", [join(repository.path, ".git"), "!", "-user", String(owner.uid)]).toString();
    expect(foreign.replace(`${join(repository.path, ".git/config")}\n`, "")).toBe("");
  });
});
