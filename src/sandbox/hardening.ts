/**
 * Everything that makes a container a sandbox, in one place: what is asked of the engine, and what must be read back
 * from it. test/sandbox/hardening.test.ts reads each control again from inside a running sandbox.
 */
import { join } from "node:path";
import type Docker from "dockerode";
import { SallyportError } from "../domain/error.ts";
import { type Controls, type SandboxMount, type SandboxSpec, sandboxOwner } from "./engine.ts";
import { seccompProfile } from "./seccomp.ts";

export const sandboxLabels = {
  host: "org.sallyport.host",
  sandbox: "org.sallyport.sandbox",
  role: "org.sallyport.role",
} as const;

/** Where things are inside a sandbox. */
export const sandboxPaths = {
  home: "/home/sandbox",
  temporary: "/tmp",
  socket: "/run/sallyport",
  authority: "/run/sallyport/ca.pem",
  hosts: "/etc/hosts",
  entry: "/opt/sallyport/entry",
  shell: "/bin/sh",
  path: "/opt/sallyport/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
} as const;

/**
 * What runs before the entry program: it waits for a line from the host, which comes when the kernel was asked about the
 * sandbox and accounts for it. Without the line (the host died) it ends. What follows has no standard input.
 */
const gatedEntry = [sandboxPaths.shell, "-c", 'read -r _ && exec "$@" </dev/null', "gate", sandboxPaths.entry];

const localhostOnly = join(import.meta.dirname, "hosts");
const MiB = 1024 * 1024;
const openFiles = 4096;

// The kernel's own views that tell of, or act on, the host (CIS Docker 5.x; CVE-2025-31133 is about how runc masks).
const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/key-users",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function tmpfs(bytes: number, mode: string): string {
  const { uid, gid } = sandboxOwner;
  return `rw,nosuid,nodev,size=${bytes},nr_inodes=65536,mode=${mode},uid=${uid},gid=${gid}`;
}

/** The environment every sandbox has; the role's own comes on top. */
export function baseEnvironment(hasSocket: boolean): Record<string, string> {
  const common = {
    PATH: sandboxPaths.path,
    HOME: sandboxPaths.home,
    USER: "sandbox",
    LOGNAME: "sandbox",
    LANG: "C.UTF-8",
    TZ: "UTC",
    TMPDIR: sandboxPaths.temporary,
    CI: "1",
    NO_COLOR: "1",
  };
  if (!hasSocket) return common;
  const proxy = "http://127.0.0.1:3128";
  const direct = "127.0.0.1,localhost,::1";
  const { authority } = sandboxPaths;
  // Both spellings: curl reads only the small ones for http, most others the large ones. Without NO_PROXY the
  // coding CLIs send even loopback through the proxy.
  return {
    ...common,
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    ALL_PROXY: proxy,
    NO_PROXY: direct,
    http_proxy: proxy,
    https_proxy: proxy,
    all_proxy: proxy,
    no_proxy: direct,
    // Node's own http and fetch look at the variables above only when they are told to.
    NODE_USE_ENV_PROXY: "1",
    // TLS ends at the gateway, so the lane's authority is the one to trust; each client has its own name for that.
    SSL_CERT_FILE: authority,
    NODE_EXTRA_CA_CERTS: authority,
    CURL_CA_BUNDLE: authority,
    GIT_SSL_CAINFO: authority,
    REQUESTS_CA_BUNDLE: authority,
    PIP_CERT: authority,
    AWS_CA_BUNDLE: authority,
    HTTPLIB2_CA_CERTS: authority,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: authority,
    CARGO_HTTP_CAINFO: authority,
    DENO_CERT: authority,
    NIX_SSL_CERT_FILE: authority,
    CODEX_CA_CERTIFICATE: authority,
    npm_config_cafile: authority,
  };
}

/**
 * What is mounted: the role's own, and a hosts file that knows `localhost` where the role brings none. Without a network
 * the engine leaves /etc/hosts empty, and a test suite that asks for `localhost` would fail for no fault of its own.
 */
function mountsOf(spec: SandboxSpec): SandboxMount[] {
  const hosts = { source: localhostOnly, target: sandboxPaths.hosts, writable: false };
  return spec.mounts.some((mount) => mount.target === sandboxPaths.hosts) ? [...spec.mounts] : [...spec.mounts, hosts];
}

/** What is asked of the engine for one sandbox. Pure. */
export function containerOptions(spec: SandboxSpec): Docker.ContainerCreateOptions {
  const { uid, gid } = sandboxOwner;
  return {
    name: `sallyport-${spec.id}`,
    Image: spec.image,
    Entrypoint: gatedEntry,
    Cmd: [...spec.command],
    Env: Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`),
    User: `${uid}:${gid}`,
    WorkingDir: spec.directory,
    Hostname: "sandbox",
    Domainname: "",
    AttachStdin: true,
    OpenStdin: true,
    StdinOnce: true,
    Tty: false,
    AttachStdout: true,
    AttachStderr: true,
    NetworkDisabled: true,
    StopSignal: "SIGKILL",
    Labels: { [sandboxLabels.host]: spec.host, [sandboxLabels.sandbox]: spec.id, [sandboxLabels.role]: spec.role },
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      NetworkMode: "none",
      Dns: ["127.0.0.1"],
      DnsSearch: ["."],
      DnsOptions: [],
      ExtraHosts: [],
      Runtime: spec.runtime,
      Init: true,
      Privileged: false,
      CapAdd: [],
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges:true", `seccomp=${JSON.stringify(seccompProfile())}`],
      ReadonlyRootfs: true,
      IpcMode: "private",
      PidMode: "",
      UTSMode: "",
      UsernsMode: "",
      CgroupnsMode: "private",
      MaskedPaths: maskedPaths,
      ReadonlyPaths: readonlyPaths,
      Mounts: mountsOf(spec).map((mount) => ({
        Type: "bind",
        Source: mount.source,
        Target: mount.target,
        ReadOnly: !mount.writable,
        BindOptions: { Propagation: "rprivate" },
      })),
      Tmpfs: { [sandboxPaths.temporary]: tmpfs(256 * MiB, "1777"), [sandboxPaths.home]: tmpfs(64 * MiB, "0700") },
      ShmSize: 64 * MiB,
      Memory: spec.memory,
      MemorySwap: spec.memory,
      NanoCpus: Math.round(spec.cpus * 1e9),
      PidsLimit: spec.pids,
      Ulimits: [
        { Name: "nofile", Soft: openFiles, Hard: openFiles },
        { Name: "core", Soft: 0, Hard: 0 },
        { Name: "fsize", Soft: spec.fileSize, Hard: spec.fileSize },
      ],
      // The sandbox goes before anything of the host's when memory is short.
      OomScoreAdj: 500,
      LogConfig: { Type: "none", Config: {} },
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      Devices: [],
      VolumesFrom: [],
      Links: [],
    },
  } as Docker.ContainerCreateOptions;
}

/**
 * Compares what the engine made with what was asked. An engine that ignored an option (an old version, a daemon-wide
 * default) is found here, before the command starts. Throws `control-missing` naming every difference.
 */
export function checkInspection(spec: SandboxSpec, made: Docker.ContainerInspectInfo): Controls {
  const host = made.HostConfig;
  const network = Object.keys(made.NetworkSettings?.Networks ?? {});
  const seccomp = (host.SecurityOpt ?? []).find((option: string) => option.startsWith("seccomp="));
  const differences: string[] = [];
  const must = (name: string, ok: boolean, found: unknown) => {
    if (!ok) differences.push(`${name} is ${JSON.stringify(found)}`);
  };
  must("hosts", (host.ExtraHosts ?? []).length === 0, host.ExtraHosts);
  must("image", made.Image === spec.image, made.Image);
  must("user", made.Config.User === `${sandboxOwner.uid}:${sandboxOwner.gid}`, made.Config.User);
  must("network", host.NetworkMode === "none" && network.every((name) => name === "none"), [
    host.NetworkMode,
    ...network,
  ]);
  must("privileged", host.Privileged === false, host.Privileged);
  must("capabilities added", (host.CapAdd ?? []).length === 0, host.CapAdd);
  must("capabilities dropped", (host.CapDrop ?? []).includes("ALL"), host.CapDrop);
  must("no-new-privileges", (host.SecurityOpt ?? []).includes("no-new-privileges:true"), host.SecurityOpt);
  must("seccomp", seccomp === `seccomp=${JSON.stringify(seccompProfile())}`, seccomp?.slice(0, 40));
  must("read-only root", host.ReadonlyRootfs === true, host.ReadonlyRootfs);
  must("ipc namespace", host.IpcMode === "private", host.IpcMode);
  must("pid namespace", !host.PidMode, host.PidMode);
  must("uts namespace", !host.UTSMode, host.UTSMode);
  must("user namespace mode", !host.UsernsMode, host.UsernsMode);
  must(
    "cgroup namespace",
    (host as { CgroupnsMode?: string }).CgroupnsMode === "private",
    (host as { CgroupnsMode?: string }).CgroupnsMode,
  );
  must("init", host.Init === true, host.Init);
  must("memory", host.Memory === spec.memory && host.MemorySwap === spec.memory, [host.Memory, host.MemorySwap]);
  must("cpus", host.NanoCpus === Math.round(spec.cpus * 1e9), host.NanoCpus);
  must("pids", host.PidsLimit === spec.pids, host.PidsLimit);
  must("devices", (host.Devices ?? []).length === 0, host.Devices);
  must("published ports", Object.keys(host.PortBindings ?? {}).length === 0, host.PortBindings);
  must("log driver", host.LogConfig?.Type === "none", host.LogConfig?.Type);
  must("runtime", (host as { Runtime?: string }).Runtime === spec.runtime, (host as { Runtime?: string }).Runtime);
  const wanted = containerOptions(spec).HostConfig as Docker.HostConfig & Record<string, unknown>;
  const shown = host as Docker.HostConfig & Record<string, unknown>;
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  for (const [name, key] of [
    ["masked paths", "MaskedPaths"],
    ["read-only paths", "ReadonlyPaths"],
  ] as const) {
    const hidden = new Set(shown[key] as string[] | null);
    must(
      name,
      (wanted[key] as string[]).every((path) => hidden.has(path)),
      shown[key],
    );
  }
  must("tmpfs", same(sortedEntries(shown.Tmpfs), sortedEntries(wanted.Tmpfs)), shown.Tmpfs);
  must("shared memory", shown.ShmSize === wanted.ShmSize, shown.ShmSize);
  must("limits", same(sortedLimits(shown.Ulimits), sortedLimits(wanted.Ulimits)), shown.Ulimits);
  must("oom score", shown.OomScoreAdj === wanted.OomScoreAdj, shown.OomScoreAdj);
  must("entry", same(made.Config.Entrypoint, gatedEntry), made.Config.Entrypoint);
  const sources = new Map(mountsOf(spec).map((m) => [m.target, m.source]));
  must(
    "mount sources",
    made.Mounts.every((m) => m.Type === "tmpfs" || sources.get(m.Destination) === m.Source),
    made.Mounts.map((m) => m.Source),
  );
  const asked = mountsOf(spec)
    .map((m) => `${m.target}:${m.writable ? "rw" : "ro"}:rprivate`)
    .sort();
  const found = made.Mounts.filter((m) => m.Type !== "tmpfs")
    .map((m) => `${m.Destination}:${m.RW ? "rw" : "ro"}:${m.Propagation}`)
    .sort();
  must("mounts", JSON.stringify(asked) === JSON.stringify(found), found);
  if (differences.length > 0) {
    throw new SallyportError(
      "control-missing",
      `the engine did not make the sandbox as asked: ${differences.join("; ")}`,
      {
        next: "Run `sallyport doctor`; a newer Docker Engine may be needed.",
      },
    );
  }
  return {
    runtime: spec.runtime,
    user: made.Config.User,
    network: "none",
    readonlyRoot: true,
    capabilities: "none",
    noNewPrivileges: true,
    seccomp: "native allow-list",
    memory: spec.memory,
    cpus: spec.cpus,
    pids: spec.pids,
    fileSize: spec.fileSize,
    openFiles,
    mounts: found,
  };
}

function sortedEntries(values: Record<string, string> | undefined): [string, string][] {
  return Object.entries(values ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

function sortedLimits(limits: Docker.HostConfig["Ulimits"]): string[] {
  return (limits ?? []).map((limit) => `${limit.Name}:${limit.Soft}:${limit.Hard}`).sort();
}

/**
 * Compares the kernel's word on the running init (`/proc/<pid>/status`) with what must hold. Throws `control-missing`.
 */
export function checkKernelStatus(status: string): Controls {
  const field = (name: string) => new RegExp(`^${name}:\\s*(.+)$`, "m").exec(status)?.[1]?.trim() ?? "absent";
  const wanted: Record<string, RegExp> = {
    Uid: /^10001(\s+10001){3}$/,
    Gid: /^10001(\s+10001){3}$/,
    Groups: /^(10001)?$|^absent$/,
    CapInh: /^0+$/,
    CapPrm: /^0+$/,
    CapEff: /^0+$/,
    CapBnd: /^0+$/,
    CapAmb: /^0+$/,
    NoNewPrivs: /^1$/,
    Seccomp: /^2$/,
  };
  const wrong = Object.entries(wanted).filter(([name, pattern]) => !pattern.test(field(name)));
  if (wrong.length > 0) {
    throw new SallyportError(
      "control-missing",
      `the kernel shows ${wrong.map(([name]) => `${name}: ${field(name)}`).join(", ")}`,
      {
        next: "The sandbox was ended at once. Run `sallyport doctor`.",
      },
    );
  }
  return { kernelSeccomp: field("Seccomp"), kernelNoNewPrivs: field("NoNewPrivs"), kernelCapEff: field("CapEff") };
}
