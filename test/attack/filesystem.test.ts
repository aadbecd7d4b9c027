/** From inside an executor's sandbox: the base tree, the host's mounts and the gateway's socket (ATTACKS F2–F4, F9). */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { containersOf, until } from "../e2e/leftovers.ts";
import type { TestRepository } from "../e2e/repository.ts";
import { inside } from "./inside.ts";

let host: TestHost;
let repository: TestRepository;
beforeAll(async () => {
  host = await openHost();
  repository = host.repository();
}, 600_000);
afterAll(() => host?.close());

// The time of `base.json` beside a tree is the host's own: when the tree was asked for last.
const treeHash = () =>
  execFileSync(
    "bash",
    [
      "-c",
      'find . -type f -exec sha256sum {} + | sort; find . -name base.json -printf "%p %y %m %U\\n" -o -printf "%p %y %m %U %T@ %l\\n" | sort',
    ],
    { cwd: join(host.state, "trees") },
  ).toString();

describe("the base tree", () => {
  it("F2: nothing writes to it, by any path to it", async () => {
    await host.turn(repository);
    const trees = treeHash();
    const before = repository.fingerprint();
    const program = `
const fs = require("fs");
const attempt = (name, act) => { try { act(); console.log("DID", name); } catch (e) { console.log(e.code || "EUNKNOWN", name); } };
const file = "/worktree/src/money.js";
attempt("write", () => fs.writeFileSync(file, "x"));
attempt("append", () => fs.appendFileSync(file, "x"));
attempt("create", () => fs.writeFileSync("/worktree/new", "x"));
attempt("truncate", () => fs.truncateSync(file, 0));
attempt("rename", () => fs.renameSync(file, "/worktree/src/other.js"));
attempt("unlink", () => fs.unlinkSync(file));
attempt("mkdir", () => fs.mkdirSync("/worktree/d"));
attempt("rmdir", () => fs.rmSync("/worktree/src", { recursive: true }));
attempt("chmod", () => fs.chmodSync(file, 0o777));
attempt("chown", () => fs.chownSync(file, 10001, 10001));
attempt("utimes", () => fs.utimesSync(file, 1, 1));
attempt("link", () => fs.linkSync(file, "/worktree/hard"));
attempt("symlink", () => fs.symlinkSync("/etc", "/worktree/soft"));
attempt("root", () => fs.writeFileSync("/proc/self/root" + file, "x"));
attempt("cwd", () => { process.chdir("/worktree"); fs.writeFileSync("/proc/self/cwd/src/money.js", "x"); });
const fd = fs.openSync(file, "r");
attempt("fd", () => fs.openSync("/proc/self/fd/" + fd, "r+"));
attempt("ftruncate", () => fs.ftruncateSync(fd, 0));
attempt("fchmod", () => fs.fchmodSync(fd, 0o777));
attempt("hard link out", () => fs.linkSync(file, "/workspace/src/hard.js"));
`;
    const { text } = await inside(
      host,
      repository,
      `cat > /tmp/p.cjs <<'END'\n${program}\nEND\nnode /tmp/p.cjs; setfattr -n user.x -v y /worktree/src/money.js; mount -o remount,rw /worktree; touch /worktree/x && echo DID`,
    );
    expect(text).not.toContain("DID");
    expect(text.match(/^E[A-Z_]+ .*$/gm), text).toHaveLength(19);
    expect(treeHash()).toBe(trees);
    expect(repository.fingerprint()).toBe(before);
  });

  it("F2: the workspace is a private copy: the twin writes there, and the base tree stays", async () => {
    const trees = treeHash();
    const { text } = await inside(
      host,
      repository,
      "echo '// mine' >> src/money.js; tail -1 src/money.js; tail -1 /worktree/src/money.js; ls -A /worktree",
    );
    expect(text.split("\n").slice(0, 2)).toEqual(["// mine", "}"]);
    expect(treeHash()).toBe(trees);
  });

  it("holds no history, no remote and nothing of the host repository's .git", async () => {
    repository.git("config", "user.secret", "canary-7391");
    repository.git("tag", "hidden");
    const { text } = await inside(
      host,
      repository,
      "git log --oneline | wc -l; git tag; git remote; grep -r canary-739[1] /worktree/.git /workspace/.git; git cat-file -p HEAD | grep parent",
    );
    expect(text.trim()).toBe("1\nend");
  });

  it("F6: a link that the base has to a host file shows no byte of the host's", async () => {
    const secret = join(host.directory, "outside.txt");
    writeFileSync(secret, "canary-outside-5518\n");
    const linked = host.repository("linked", { "src/money.js": "export const x = Math.floor(1);\n" });
    execFileSync("ln", ["-s", secret, join(linked.path, "src/secret.txt")]);
    linked.git("add", "-A");
    linked.git("commit", "-qm", "link");
    const { text } = await inside(
      host,
      linked,
      "cat src/secret.txt /worktree/src/secret.txt; rm src/secret.txt; cat src/money.js",
    );
    expect(text).not.toContain("canary-outside");
    expect(text).toContain("Math.floor");
  });
});

describe("the way out of the sandbox", () => {
  it("F3, F4: mounts, namespaces, devices, other processes and the kernel's switches", async () => {
    const tries = [
      "unshare -Ur true",
      "unshare -m true",
      "mount --bind /etc /workspace",
      "umount /worktree",
      "umount -l /tmp",
      "mknod /tmp/d b 254 0",
      "chroot / true",
      "nsenter -t 1 -m true",
      "kill -9 1 && ! kill -0 1",
      "echo x > /proc/sysrq-trigger",
      "echo x > /proc/sys/kernel/core_pattern",
      "echo x > /proc/1/oom_score_adj",
      "dd if=/dev/mem bs=1 count=1",
      "cat /proc/kcore | head -c 1 | grep -q .",
      "cat /proc/1/mem",
      "ls /proc/1/root/root",
      "echo -1000 > /proc/self/oom_score_adj",
      "hostname other",
      "date -s 2001-01-01",
      "su -c true",
      "dmesg",
      "sysctl -w kernel.hostname=x",
      "swapoff -a",
      "ip link add d0 type dummy",
    ];
    const script = tries.map((t, i) => `( ${t} ) >/dev/null 2>&1 && echo "DID ${i}"`).join("\n");
    const { text } = await inside(
      host,
      repository,
      `${script}\nfind / -xdev -perm /6000 -type f 2>/dev/null; echo still here`,
    );
    const did = [...text.matchAll(/DID (\d+)/g)].map(([, i]) => tries[Number(i)]);
    expect(did).toEqual([]);
    expect(text.trim()).toBe("still here\nend");
  });

  it("F9: the gateway's socket cannot be replaced, removed or changed, and goes on", async () => {
    const script = `cd /run/sallyport
      rm -f host.sock && echo DID rm; mv host.sock x && echo DID mv; chmod 000 host.sock && echo DID chmod; ln -sf /tmp/x host.sock && echo DID ln; touch other && echo DID touch
      echo x > host.sock && echo DID write; mv /run/sallyport /run/old && echo DID dir; cd /workspace; report note "still there" && echo fine`;
    const { text, record } = await inside(host, repository, script);
    expect(text).not.toContain("DID");
    expect(text).toContain("fine");
    expect(host.entries(record.id).find((e) => e.type === "verb")?.data).toMatchObject({
      verb: "note",
      text: "still there",
      status: 200,
    });
  });

  it("has only the mounts it was given, and each is what the ledger says", async () => {
    const id = await host.send(repository, { instructions: "sleep 6; sed -i s/floor/round/ src/money.js" });
    const started = await host.seen(id, "sandbox.started");
    const [container] = await until("the container", () => {
      const found = containersOf(host.directory);
      return found.length > 0 ? found : undefined;
    });
    const inspected = JSON.parse(execFileSync("docker", ["inspect", container?.Id ?? ""]).toString())[0];
    const mounts = inspected.Mounts.filter((m: { Type: string }) => m.Type === "bind")
      .map((m: { Destination: string; RW: boolean }) => `${m.Destination}:${m.RW}`)
      .sort();
    expect(mounts).toEqual([
      "/brief:false",
      "/etc/hosts:false",
      "/run/sallyport:false",
      "/workspace:true",
      "/worktree:false",
    ]);
    expect(JSON.stringify(inspected)).not.toContain("docker.sock");
    expect((started as Entry & { type: "sandbox.started" }).data.controls.network).toBe("none");
    expect((await host.rest(id)).state).toBe("approved");
  });

  it("the host's own files are the daemon's alone", () => {
    const open = (path: string) => (statSync(path).mode & 0o077).toString(8);
    mkdirSync(join(host.directory, "x"), { recursive: true });
    expect(open(host.state)).toBe("0");
    expect(open(join(host.state, "keys/host.key"))).toBe("0");
    expect(open(host.socket)).toBe("0");
    for (const name of readdirSync(join(host.state, "ledger")))
      expect([name, open(join(host.state, "ledger", name))]).toEqual([name, "0"]);
    expect(readFileSync(join(host.state, "keys/host.pub"), "utf8")).toContain("PUBLIC KEY");
  });
});
