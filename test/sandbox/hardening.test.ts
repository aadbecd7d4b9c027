/** Every control of src/sandbox/hardening.ts, read back from inside a running sandbox. */
import { execFile, execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { socketFamilies } from "../../src/sandbox/seccomp.ts";
import { type Bench, folder, openBench } from "./engine.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
}, 600_000);
afterAll(() => bench?.close());

const EPERM = 1;
const ENOSYS = 38;

describe("the kernel's word, from inside", () => {
  it("no capability, no new privileges, a filter, and one unprivileged user", async () => {
    const { text } = await bench.sh("cat /proc/self/status; id -u; id -G");
    const fields = Object.fromEntries(text.split("\n").map((line) => line.split(/:\s+/) as [string, string]));
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect([set, fields[set]]).toEqual([set, "0".repeat(16)]);
    expect(fields).toMatchObject({ NoNewPrivs: "1", Seccomp: "2" });
    expect(fields.Uid).toBe("10001\t10001\t10001\t10001");
    expect(fields.Gid).toBe("10001\t10001\t10001\t10001");
    expect(text).toMatch(/\n10001\n10001\n$/);
  });

  it("no interface but loopback, no route, no name server of the host's, and a name that says nothing", async () => {
    const script =
      "tail -n +3 /proc/net/dev | cut -d: -f1; echo --; tail -n +2 /proc/net/route; echo --; cat /etc/resolv.conf; echo --; hostname; echo $HOSTNAME";
    const [interfaces, routes, resolver, names] = (await bench.sh(script)).text.split("--\n");
    expect(interfaces?.trim()).toBe("lo");
    expect(routes).toBe("");
    expect((resolver ?? "").replace(/^nameserver 127\.0\.0\.1$/m, "").trim()).toBe("");
    expect(names).toBe("sandbox\nsandbox\n");
  });

  it("resolves localhost, which programs and tests rely on", async () => {
    const { text } = await bench.run([
      "node",
      "-e",
      'require("dns").lookup("localhost", (e, a) => console.log(e?.code ?? a))',
    ]);
    expect(text.trim()).toBe("127.0.0.1");
  });

  it("a read-only root, and bounded places to write without devices, setuid or programs", async () => {
    const { text } = await bench.sh(
      "cat /proc/mounts; for d in / /etc /usr/bin /opt/sallyport /root /var/tmp /run /dev /sys /proc/sys/kernel; do touch $d/x 2>/dev/null && echo WROTE $d; done; touch /tmp/x $HOME/x && echo fine",
    );
    const mounts = new Map(text.split("\n").map((line) => [line.split(" ")[1], line.split(" ")]));
    const options = (at: string) => (mounts.get(at)?.[3] ?? "").split(",");
    expect(options("/")).toContain("ro");
    for (const at of ["/sys", "/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq"])
      expect([at, options(at)[0]]).toEqual([at, "ro"]);
    for (const [at, size] of [
      ["/tmp", "262144k"],
      ["/home/sandbox", "65536k"],
      ["/dev/shm", "65536k"],
    ] as const) {
      expect([at, ...options(at)]).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev", "noexec", `size=${size}`]));
    }
    expect(options("/tmp")).toContain("nr_inodes=65536");
    expect(text).not.toContain("WROTE");
    expect(text).toContain("fine");
  });

  it("masks what tells of the host or acts on it", async () => {
    const masked =
      "/proc/kcore /proc/keys /proc/key-users /proc/timer_list /proc/interrupts /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap";
    const script = `for p in ${masked}; do [ -e $p ] || continue; if [ -d $p ]; then ls -A $p; else cat $p; fi; done | head -c 100; echo end
      for p in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper /sys/fs/cgroup/*/release_agent /proc/sys/kernel/modprobe; do (echo x >$p) 2>/dev/null && echo WROTE $p; done
      for p in /dev/mem /dev/kmem /dev/kmsg /dev/fuse /dev/kvm /dev/loop-control /dev/vda /dev/sda /dev/net/tun; do [ -e $p ] && echo DEVICE $p; done; true`;
    expect((await bench.sh(script)).text).toBe("end\n");
  });

  it("shows no process, socket or environment of the host's", async () => {
    const script =
      "ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -v -E '^(PATH|HOME|USER|LOGNAME|LANG|TZ|TMPDIR|CI|NO_COLOR|NPM_CONFIG_[A-Z_]+|HOSTNAME|PWD|OLDPWD|SHLVL|_|TINI_VERSION)=' ; ls /var/run/docker.sock /run/docker.sock /run/sallyport/* 2>/dev/null; tail -n +2 /proc/net/unix";
    const [processes, ...rest] = (await bench.sh(script)).text.trim().split("\n");
    expect(Number(processes)).toBeLessThan(10);
    expect(rest).toEqual([]);
  });

  it("cannot reach an abstract socket of the host's", async () => {
    const name = `sallyport-test-${process.pid}`;
    const server = createServer((socket) => socket.end("reached"));
    await new Promise<void>((resolve) => server.listen(`\0${name}`, resolve));
    try {
      const script = `const s = require("net").connect("\\0${name}"); s.on("data", (d) => console.log("REACHED", String(d))); s.on("error", (e) => console.log(e.code));`;
      expect((await bench.run(["node", "-e", script])).text.trim()).toBe("ECONNREFUSED");
      // The benign twin: the same client on this side of the wall.
      const twin = await promisify(execFile)(process.execPath, ["-e", script], { timeout: 10_000 });
      expect(twin.stdout.trim()).toBe("REACHED reached");
    } finally {
      server.close();
    }
  });

  it("has the files, memory, processes and time it was given, and no more", async () => {
    const script =
      "cat /proc/self/limits; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us /sys/fs/cgroup/cpu.max 2>/dev/null; echo; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null";
    const { text } = await bench.sh(script, { cpus: 0.5 });
    expect(text).toMatch(/Max open files\s+4096\s+4096/);
    expect(text).toMatch(/Max core file size\s+0\s+0/);
    expect(text).toMatch(/Max file size\s+33554432\s+33554432/);
    expect(text).toMatch(/^50000\s+100000$/m);
    expect(text).toMatch(/^268435456$/m);
    expect(text).toMatch(/^64$/m);
  });
});

describe("system calls", () => {
  let answers: Map<string, string>;
  beforeAll(async () => {
    const probe = folder(bench, "probe");
    execFileSync("cc", ["-O1", "-static", "-o", join(probe, "syscalls"), join(import.meta.dirname, "syscalls.c")], {
      timeout: 60_000,
    });
    const mounts = [{ source: probe, target: "/probe", writable: false }];
    const { text } = await bench.run(["/probe/syscalls"], { mounts });
    answers = new Map(
      text
        .trim()
        .split("\n")
        .map((line) => [line.split(" ")[0] ?? "", line.slice(line.indexOf(" ") + 1)]),
    );
  });

  it("opens four socket families and refuses the others", () => {
    const allowed = new Set<number>(Object.values(socketFamilies));
    const families = [...answers].filter(([name]) => name.startsWith("socket:"));
    expect(families).toHaveLength(48);
    for (const [name, errno] of families) {
      expect([name, errno]).toEqual([name, allowed.has(Number(name.slice(7))) ? "0" : String(EPERM)]);
    }
    expect(answers.get("raw-inet")).toBe(String(EPERM));
    expect(answers.get("raw-inet6")).toBe(String(EPERM));
  });

  it("refuses everything that acts on the kernel, on namespaces or on other processes", () => {
    const fine = /^(socket:|socketpair-unix|raw-|personality-query|getpid|clone$|clone3|x32|int80)/;
    const refused = [...answers].filter(([name]) => !fine.test(name));
    expect(refused.length).toBeGreaterThan(60);
    expect(refused.filter(([, errno]) => errno !== String(EPERM))).toEqual([]);
  });

  it("answers ENOSYS to clone3, so that libc takes the clone that can be filtered", () => {
    expect(answers.get("clone3")).toBe(String(ENOSYS));
  });

  // The 32-bit and x32 entries to the kernel are of this architecture alone.
  it.runIf(process.arch === "x64")("kills a call of another architecture (looked at on x64 only)", () => {
    for (const name of ["x32", "int80-getpid", "int80-socketcall"])
      expect([name, answers.get(name)]).toEqual([name, "signal 31"]);
  });

  it("leaves what programs need", () => {
    for (const name of ["socketpair-unix", "personality-query", "getpid", "clone"])
      expect([name, answers.get(name)]).toEqual([name, "0"]);
  });

  it("lets node, git, threads, pipes and subprocesses work", async () => {
    const script = `cd $HOME && git init -q r && cd r && echo 1 > a && git add a && git -c user.name=a -c user.email=a@b.c commit -qm x && git status --short && ls | sort | wc -l
      node -e 'new (require("worker_threads").Worker)("process.stdout.write(String(require(\\"crypto\\").randomBytes(2).length))", { eval: true })'`;
    const { text, exit } = await bench.sh(script);
    expect([exit, text]).toEqual([0, "1\n2"]);
  });
});

describe("limits that hold", () => {
  it("processes", async () => {
    const { text } = await bench.sh("i=0; while [ $i -lt 100 ]; do sleep 5 & i=$((i+1)); done 2>&1; echo never", {
      wall: 20_000,
    });
    expect(text).toMatch(/fork|Resource temporarily unavailable|Cannot fork/i);
    expect(text).not.toContain("never");
  });

  it("memory", async () => {
    const result = await bench.run(["node", "-e", "const a = []; for (;;) a.push(Buffer.alloc(1 << 24, 1))"], {
      memory: 96 * 1024 * 1024,
    });
    expect(result.end).toBe("memory");
  });

  it("the size of a file, and of the temporary folder", async () => {
    const { text } = await bench.sh(
      "head -c 40000000 /dev/zero > /tmp/big; wc -c < /tmp/big; i=0; while head -c 30000000 /dev/zero > /tmp/f$i; do i=$((i+1)); done 2>/dev/null; echo $i",
      { memory: 400 * 1024 * 1024 },
    );
    const [size, files] = text.trim().split("\n").slice(-2);
    expect(Number(size)).toBe(32 * 1024 * 1024);
    expect(Number(files)).toBeLessThan(9);
  });

  it("open files", async () => {
    const script =
      'const fs = require("fs"); let n = 0; try { for (;; n++) fs.openSync("/etc/passwd"); } catch (e) { console.log(e.code, n < 4096); }';
    expect((await bench.run(["node", "-e", script])).text.trim()).toBe("EMFILE true");
  });

  it("time, also for one that ignores signals or is stopped", async () => {
    for (const script of ["sleep 60", "trap '' TERM INT HUP; while :; do sleep 1; done", "kill -STOP $$; sleep 60"]) {
      const result = await bench.sh(script, { wall: 1000 });
      expect([script, result.end, result.exit]).toEqual([script, "timeout", null]);
      expect(result.milliseconds).toBeLessThan(10_000);
    }
  });

  it("output, in memory and in time, also as one endless line", async () => {
    const before = process.memoryUsage().rss;
    for (const script of ["yes", "tr '\\0' x < /dev/zero", "head -c 1000000000 /dev/zero 1>&2; sleep 60"]) {
      const result = await bench.sh(script, { output: 1024 * 1024, wall: 25_000 });
      expect([script, result.end]).toEqual([script, "output"]);
      expect(result.milliseconds).toBeLessThan(15_000);
      expect(result.output.head.length + result.output.tail.length).toBeLessThanOrEqual(128 * 1024);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    const twin = await bench.sh("echo done", { output: 1024 * 1024 });
    expect([twin.end, twin.exit, twin.text]).toEqual(["exit", 0, "done\n"]);
  });
});
