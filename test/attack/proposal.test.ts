/** Hostile layers, through the whole daemon: refused with a reason in the ledger, and without any effect (ATTACKS D1–D10, F6–F8). */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Finding } from "../../src/domain/rejection.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import type { TestRepository } from "../e2e/repository.ts";

let host: TestHost;
let repository: TestRepository;
let before: string;
let trees: string;

/** The base trees, by content, type, mode and link target. */
function treeHash(): string {
  const script = 'find . -type f -exec sha256sum {} + | sort; find . -printf "%p %y %m %U %l\\n" | sort';
  return execFileSync("bash", ["-c", script], { cwd: join(host.state, "trees"), maxBuffer: 1 << 26 }).toString();
}

beforeAll(async () => {
  host = await openHost({ policies: { wide: { version: 1, extends: "quick", filesystem: { writable: ["**"] } } } });
  repository = host.repository();
  const twin = await host.turn(repository, { policy: "wide" });
  expect(twin.state, JSON.stringify(twin.attempts)).toBe("approved");
  before = repository.fingerprint();
  trees = treeHash();
}, 600_000);
afterAll(async () => {
  try {
    expect(repository.fingerprint()).toBe(before);
    expect(treeHash()).toBe(trees);
  } finally {
    await host?.close();
  }
});

/** Has the script's layer refused; gives the findings of the ledger. */
async function refused(script: string): Promise<Finding[]> {
  const d = await host.turn(repository, { policy: "wide", instructions: script, budget: { attempts: 1 } });
  expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("rejected");
  const event = host.entries(d.id).find((e) => e.type === "attempt.rejected");
  expect(event?.data).toMatchObject({ by: "host", hard: false });
  expect(d.sandboxes.filter((s) => s.role === "verifier")).toEqual([]);
  expect((await host.api("POST", `/v1/delegations/${d.id}/land`, { onto: "stolen" })).status).toBe(403);
  expect(repository.fingerprint()).toBe(before);
  return event?.type === "attempt.rejected" ? event.data.findings : [];
}

async function approved(script: string): Promise<string[]> {
  const d = await host.turn(repository, { policy: "wide", instructions: script, budget: { attempts: 1 } });
  expect(d.state, JSON.stringify([d.reason, d.attempts])).toBe("approved");
  return d.attempts[0]?.proposal?.changes.map((c) => c.path) ?? [];
}

const node = (script: string) => `node -e '${script}'`;

describe("names", () => {
  it("D1: .git in every spelling and depth", async () => {
    const names = [
      ".GIT",
      ".Git",
      ".git.",
      ".git ",
      "git~1",
      "GIT~1",
      ".g\\u200cit",
      ".git\\u200d",
      ".git::$INDEX_ALLOCATION",
      ".git:x",
      ".git. . ",
      "\\u202e.git",
    ];
    const script = node(
      `const fs = require("fs"); for (const [i, n] of ${JSON.stringify(names).replaceAll("\\\\u", "\\u")}.entries()) { fs.mkdirSync("src/d" + i); fs.writeFileSync("src/d" + i + "/" + n, "x"); }`,
    );
    const findings = await refused(script);
    for (let i = 0; i < names.length; i++) {
      expect([names[i], findings.some((f) => f.path?.startsWith(`src/d${i}/`))]).toEqual([names[i], true]);
    }
    expect(new Set(findings.map((f) => f.reason))).toEqual(new Set(["name-refused"]));
    expect(JSON.stringify(findings)).not.toMatch(/\u200c|\u200d|\u202e/);
  });

  it("D1: a .git of another type or depth", async () => {
    for (const script of [
      "echo gitdir: /etc > src/.git",
      "mkdir -p src/a/.git/hooks && echo x > src/a/.git/hooks/pre-commit",
      "rm -rf .git && echo 'gitdir: /etc' > .git",
      "rm -rf .git && ln -s /etc .git",
    ]) {
      const [first] = await refused(script);
      expect([script, first?.reason]).toEqual([
        script,
        expect.stringMatching(/nested-repository|name-refused|link-refused|file-refused/),
      ]);
    }
  });

  it("the twin: the sandbox's own .git is skipped, whatever was done in it", async () => {
    const paths = await approved(
      "git add -A; git -c user.name=x -c user.email=x@y commit -qm one --allow-empty; git config core.fsmonitor /tmp/evil; echo 1 > .git/hooks/post-commit; sed -i s/floor/round/ src/money.js; echo '# git' > src/git.md",
    );
    expect(paths.sort()).toEqual(["src/git.md", "src/money.js"]);
  });

  it("D6: collisions by case or normal form, controls, newlines, leading dashes, bidi marks", async () => {
    const names = [
      "Money.js",
      "a\\nb.js",
      "-rf",
      "a\\u202eb.js",
      "tab\\tname",
      "a\\u0007.js",
      "back\\\\slash",
      "end.",
      "end ",
    ];
    for (const name of names) {
      const [first] = await refused(node(`require("fs").writeFileSync("src/${name}", "x")`));
      expect([name, first?.reason]).toEqual([name, "name-refused"]);
      expect(first?.path ?? "").not.toMatch(/[\u202e\n\t\x07]/);
    }
    const [pair] = await refused(
      node(
        'const fs = require("fs"); fs.writeFileSync("src/caf\\u00e9.js", "x"); fs.writeFileSync("src/cafe\\u0301.js", "x")',
      ),
    );
    expect(pair?.reason).toBe("name-refused");
    const [bytes] = await refused(node('require("fs").writeFileSync(Buffer.from("src/\\xff\\xfe", "latin1"), "x")'));
    expect(bytes?.reason).toBe("name-refused");
    expect((await approved("echo x > 'src/ein Käse – ☂.md'"))[0]).toBe("src/ein Käse – ☂.md");
  });
});

describe("git inside the layer", () => {
  it("D2: nested and bare repositories, .gitmodules", async () => {
    const [nested] = await refused("git init -q src/sub && echo 1 > src/sub/a");
    expect(nested?.reason).toBe("nested-repository");
    const [bare] = await refused("git init -q --bare src/sub.git");
    expect(bare?.reason).toBe("nested-repository");
    const [modules] = await refused("printf '[submodule \"x\"]\\n\\tpath = src/x\\n\\turl = /etc\\n' > .gitmodules");
    expect(["name-refused", "protected"]).toContain(modules?.reason);
    expect(await approved("mkdir -p src/sub && echo 1 > src/sub/a")).toEqual(["src/sub/a"]);
  });

  it("D3: hostile configuration, hooks, filters and includes in the layer run nowhere on the host", async () => {
    const canary = join(host.directory, "canary-d3");
    const command = `touch ${canary}; id > ${canary}`;
    const paths = await approved(`
      for h in pre-commit post-checkout post-index-change reference-transaction post-update; do printf '#!/bin/sh\\n${command}\\n' > .git/hooks/$h; chmod 755 .git/hooks/$h; done
      printf '[core]\\n\\tfsmonitor = ${command}\\n\\thooksPath = /workspace/.git/hooks\\n\\tsshCommand = ${command}\\n[filter "x"]\\n\\tclean = ${command}\\n\\tsmudge = ${command}\\n[diff "x"]\\n\\ttextconv = ${command}\\n\\tcommand = ${command}\\n[includeIf "gitdir:/"]\\n\\tpath = /etc/shadow\\n' >> .git/config
      mkdir -p .git/info; echo '* filter=x diff=x' > .git/info/attributes
      sed -i s/floor/round/ src/money.js`);
    expect(paths).toEqual(["src/money.js"]);
    expect(existsSync(canary)).toBe(false);
  });

  it("D4, D7, F8: what configures git, tests, builds, editors or agents, also where it was not there", async () => {
    const paths = [
      ".gitattributes",
      ".gitignore",
      "package.json",
      "package-lock.json",
      ".npmrc",
      ".github/workflows/x.yml",
      ".gitlab-ci.yml",
      ".claude/settings.json",
      "CLAUDE.md",
      "AGENTS.md",
      ".codex/config.toml",
      ".mcp.json",
      ".vscode/tasks.json",
      ".envrc",
      ".husky/pre-commit",
      ".cursor/rules/x.md",
      "vitest.config.ts",
      "tsconfig.json",
      "Makefile",
      "node_modules/x/index.js",
      "src/.vscode/settings.json",
      "src/CLAUDE.md",
      "src/package.json",
    ];
    const findings = await refused(
      `${paths.map((p) => `mkdir -p "$(dirname '${p}')" && echo '{}' > '${p}'`).join("\n")}`,
    );
    for (const path of paths) {
      const found = findings.find((f) => f.path === path);
      expect([path, found?.reason]).toEqual([path, expect.stringMatching(/^(protected|name-refused)$/)]);
    }
    const [spelled] = await refused("mkdir .CLAUDE && echo '{}' > .CLAUDE/settings.json");
    expect(spelled?.reason).toBe("protected");
    const [collides] = await refused("echo '{}' > Package.json");
    expect(collides?.reason).toBe("name-refused");
    const [deleted] = await refused("rm package.json");
    expect([deleted?.reason, deleted?.path]).toEqual(["protected", "package.json"]);
    const [moved] = await refused("mv package.json src/p.json");
    expect(moved?.reason).toBe("protected");
    const [mode] = await refused("chmod 755 package.json");
    expect(mode?.reason).toBe("protected");
    expect(
      await approved(
        "echo 1 > src/settings.json; touch package.json; cp package.json /tmp/p && cp /tmp/p package.json",
      ),
    ).toEqual(["src/settings.json"]);
  });

  it("D10: replace refs, grafts and alternates of the layer change nothing", async () => {
    const script = `sed -i s/floor/round/ src/money.js
      git -c user.name=x -c user.email=x@y commit -qam two
      git replace -f HEAD HEAD~1 2>/dev/null || git replace --graft HEAD
      echo /etc > .git/objects/info/alternates; git rev-parse HEAD > .git/info/grafts; git update-ref refs/replace/$(git rev-parse HEAD:src) $(git rev-parse HEAD~1:src 2>/dev/null || git rev-parse HEAD:test)`;
    const d = await host.turn(repository, { policy: "wide", instructions: script, budget: { attempts: 1 } });
    expect(d.state, JSON.stringify(d.attempts)).toBe("approved");
    const plain = await host.turn(repository, {
      policy: "wide",
      instructions: "sed -i s/floor/round/ src/money.js",
      budget: { attempts: 1 },
    });
    expect(d.attempts[0]?.proposal?.tree).toBe(plain.attempts[0]?.proposal?.tree);
  });
});

describe("links and special files", () => {
  it("D5, F6: links that leave the tree, by themselves or through another", async () => {
    const targets = [
      "/etc/shadow",
      "../../../../etc/shadow",
      "/proc/self/environ",
      "a/../../../x",
      ".git/config",
      "../.git/hooks",
      "C:\\\\x",
    ];
    for (const target of targets) {
      const [first] = await refused(`ln -s '${target}' src/link`);
      expect([target, first?.reason]).toEqual([target, "link-refused"]);
    }
    const [through] = await refused("mkdir -p src/a && ln -s .. src/a/up && ln -s a/up/../../x src/b");
    expect(through?.reason).toBe("link-refused");
    const shadow = "root:";
    expect(JSON.stringify(host.entries())).not.toContain(`${shadow}*:`);
    expect(await approved("ln -s money.js src/alias.js")).toEqual(["src/alias.js"]);
  });

  it("D5: a directory swapped for a link, and a write through it", async () => {
    const [first] = await refused("mv src /tmp/src && ln -s /tmp src && echo evil > src/evil.js");
    expect(["link-refused", "file-refused"]).toContain(first?.reason);
    expect(existsSync("/tmp/evil.js")).toBe(false);
  });

  it("F7: fifos, sockets and hard links never block, and are named", async () => {
    const begun = performance.now();
    const cases: [string, string][] = [
      ["mkfifo src/fifo", "src/fifo"],
      [
        node('require("net").createServer().listen("src/sock", () => process.exit(0))').replace(
          "process.exit(0)",
          "process.kill(process.pid, 9)",
        ),
        "src/sock",
      ],
      ["echo 1 > src/one.js && ln src/one.js src/two.js", "src/"],
    ];
    for (const [script, path] of cases) {
      const [first] = await refused(script);
      expect([script, first?.reason, first?.path?.startsWith(path)]).toEqual([script, "file-refused", true]);
    }
    const devices = await host.turn(repository, {
      policy: "wide",
      instructions: "mknod src/dev c 1 3 || echo 'export const denied = 1;' > src/denied.js",
      budget: { attempts: 1 },
    });
    expect(devices.attempts[0]?.proposal?.changes.map((c) => c.path)).toEqual(["src/denied.js"]);
    expect(performance.now() - begun).toBeLessThan(60_000);
  });

  it("modes: setuid and sticky bits do not come through", async () => {
    const [first] = await refused("cp /bin/true src/up && chmod 4755 src/up");
    expect(first?.reason).toBe("file-refused");
    expect(await approved("echo '#!/bin/sh' > src/run.sh && chmod 755 src/run.sh")).toEqual(["src/run.sh"]);
  });
});

describe("sizes and time", () => {
  it("D8: a huge file, a long line and a long patch are cut at the cap", async () => {
    const [huge] = await refused("truncate -s 100M src/huge.bin");
    expect(["file-refused", "layer-too-large"]).toContain(huge?.reason);
    const [line] = await refused("head -c 1000000 /dev/zero | tr '\\0' x > src/line.js");
    expect(line?.reason).toBe("patch-too-large");
    expect(await approved("seq 1000 > src/numbers.txt")).toEqual(["src/numbers.txt"]);
  });

  it("D9: what a process left behind writes later is no part of it", async () => {
    const paths = await approved(
      "sed -i s/floor/round/ src/money.js; (setsid sh -c 'while :; do echo late > src/late.js; rm -f src/late.js; sleep 0.01; done' &) ; (setsid sh -c 'sleep 1; echo later > src/later.js' &)",
    );
    expect(paths).not.toContain("src/later.js");
  });

  it("nothing at all is a rejection that says so", async () => {
    const [first] = await refused("true");
    expect(first?.reason).toBe("no-change");
  });
});
