/**
 * What is in an image that should not be: read from its file system as a tar stream of a container that never starts.
 * Nothing of it touches the disk, since its names and links are whatever the image's maker chose.
 */
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import tar, { type Header } from "tar-stream";
import { SallyportError } from "../../domain/error.ts";
import { credentialIn, credentialName, namedSecret } from "./audit-credentials.ts";
import {
  type AuditPackage,
  copyrightOf,
  debianLicences,
  debianPackages,
  nodePackage,
  uniquePackages,
} from "./audit-packages.ts";
import { labels } from "./built-image.ts";

const auditMilliseconds = 5 * 60_000;
/** Larger files are no key files and no configuration; their content is not searched. */
const searchedBytes = 1 << 20;
/** The extended attribute of a program that gains capabilities without setuid, as the engine exports it. */
const fileCapabilities = "SCHILY.xattr.security.capability";

export type AuditKind =
  | "setuid"
  | "world-writable"
  | "device"
  | "mount-point"
  | "credential"
  | "cache"
  | "configuration";

export interface AuditFinding {
  kind: AuditKind;
  /** Absolute path in the image, or `env`, `history`, `workdir`. */
  path: string;
  detail: string;
}

export interface Audit {
  /** Debian's and npm's packages, and Node itself, sorted by name. */
  packages: AuditPackage[];
  /** None is the passing answer. */
  findings: AuditFinding[];
}

/**
 * Looks through an image: its configuration, its history and every file. Throws `not-found` when the engine has no
 * such image, `engine-failed` when it cannot be exported.
 */
export async function auditImage(docker: Docker, digest: string): Promise<Audit> {
  const image = docker.getImage(digest);
  const inspected = await image.inspect().catch((cause: { statusCode?: number }) => {
    const missing = cause.statusCode === 404;
    throw new SallyportError(missing ? "not-found" : "engine-failed", `the engine cannot show the image ${digest}`, {
      next: missing ? "name one that `sallyport image list` shows" : "run `sallyport doctor`",
      cause,
    });
  });
  const audit: Audit = { packages: [], findings: auditConfiguration(inspected.Config) };
  for (const step of (await image.history()) as { CreatedBy?: string }[]) {
    const secret = namedSecret(step.CreatedBy ?? "") ?? credentialIn(step.CreatedBy ?? "");
    if (secret) audit.findings.push({ kind: "credential", path: "history", detail: secret });
  }
  const node = inspected.Config.Labels?.[labels.node];
  if (node !== undefined) audit.packages.push({ kind: "generic", name: "node", version: node });

  const container = await docker.createContainer({ Image: digest, Cmd: ["/nothing"], NetworkDisabled: true });
  try {
    const files = await container.export({ abortSignal: AbortSignal.timeout(auditMilliseconds) });
    await auditFiles(files, audit);
  } catch (cause) {
    throw new SallyportError("engine-failed", `the image ${digest} cannot be read: ${String(cause)}`, {
      next: "run `sallyport doctor`",
      cause,
    });
  } finally {
    await container.remove({ force: true, v: true }).catch(() => {});
  }
  return { ...audit, packages: uniquePackages(audit.packages) };
}

/** Reads a file system as a tar stream and adds what it finds. */
export async function auditFiles(files: NodeJS.ReadableStream, audit: Audit): Promise<void> {
  const extract = tar.extract();
  const licences = new Map<string, string[]>();
  extract.on("entry", (header, stream, next) => {
    const path = `/${header.name.replace(/^\.?\/+/, "").replace(/\/+$/, "")}`;
    audit.findings.push(...auditEntry(path, header));
    if (header.type !== "file" || (header.size ?? 0) > searchedBytes) {
      if (path === "/var/lib/dpkg/status")
        audit.findings.push({ kind: "configuration", path, detail: "too large to read" });
      stream.on("end", next).on("error", next).resume();
      return;
    }
    const chunks: Buffer[] = [];
    stream
      .on("data", (chunk) => chunks.push(chunk as Buffer))
      .on("error", next)
      .on("end", () => {
        const text = Buffer.concat(chunks).toString("latin1");
        // A program has key-like constants of its own: the test keys of a TLS library are in it on purpose.
        const credential = text.startsWith("\x7fELF") ? undefined : credentialIn(text);
        if (credential) audit.findings.push({ kind: "credential", path, detail: credential });
        if (path === "/var/lib/dpkg/status") audit.packages.push(...debianPackages(text));
        const found = nodePackage(path, text);
        if (found) audit.packages.push(found);
        const owner = copyrightOf(path);
        if (owner !== undefined) licences.set(owner, debianLicences(text));
        next();
      });
  });
  await pipeline(files, extract as unknown as NodeJS.WritableStream);
  for (const found of audit.packages) {
    const said = found.kind === "deb" ? licences.get(found.name) : undefined;
    if (said !== undefined && said.length > 0) found.licences = said;
  }
}

/** What a link or a wrong type at these places would redirect: mounts are made there as root (CVE-2025-31133). */
const mountPoints: ReadonlySet<string> = new Set(
  "/dev /proc /sys /run /tmp /home /home/sandbox /run/sallyport /worktree /workspace /brief /case /opt /opt/sallyport".split(
    " ",
  ),
);

/** What the header of one file says against it. */
function auditEntry(path: string, header: Header): AuditFinding[] {
  const findings: AuditFinding[] = [];
  const mode = header.mode ?? 0;
  const octal = (mode & 0o7777).toString(8);
  if (mountPoints.has(path) && header.type !== "directory") {
    findings.push({ kind: "mount-point", path, detail: `is a ${header.type}, not a directory` });
  }
  if (header.type === "symlink" || header.type === "link") return findings;
  if (header.type === "character-device" || header.type === "block-device" || header.type === "fifo") {
    findings.push({ kind: "device", path, detail: header.type });
  }
  if ((mode & 0o6000) !== 0) findings.push({ kind: "setuid", path, detail: `mode ${octal}` });
  const sticky = header.type === "directory" && (mode & 0o1000) !== 0;
  if ((mode & 0o002) !== 0 && !sticky) findings.push({ kind: "world-writable", path, detail: `mode ${octal}` });
  if (fileCapabilities in ((header.pax ?? {}) as Record<string, string>)) {
    findings.push({ kind: "setuid", path, detail: "has file capabilities" });
  }
  if (header.type === "file") {
    const credential = credentialName(path);
    if (credential) findings.push({ kind: "credential", path, detail: credential });
    if (
      /^\/var\/(?:cache\/apt|lib\/apt\/lists)\/|\/\.npm\/_cacache\/|\/node_modules\/\.cache\/|\/\.cache\//.test(path)
    ) {
      findings.push({ kind: "cache", path, detail: "a package manager's cache" });
    }
  }
  return findings;
}

function auditConfiguration(config: Docker.ImageInspectInfo["Config"]): AuditFinding[] {
  const findings: AuditFinding[] = [];
  for (const variable of config.Env ?? []) {
    const secret = namedSecret(variable) ?? credentialIn(variable);
    if (secret) findings.push({ kind: "credential", path: "env", detail: secret });
  }
  // A working directory under /proc can be a leaked descriptor of the host's (CVE-2024-21626).
  if (/^\/(?:proc|sys|dev)(?:\/|$)/.test(config.WorkingDir ?? "")) {
    findings.push({ kind: "configuration", path: "workdir", detail: config.WorkingDir });
  }
  if (Object.keys(config.Volumes ?? {}).length > 0) {
    const detail = `volumes ${Object.keys(config.Volumes ?? {}).join(", ")} would be writable disk without a bound`;
    findings.push({ kind: "configuration", path: "volumes", detail });
  }
  return findings;
}
