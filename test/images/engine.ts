/** What the image tests share: the real engine, the repository's images, sandboxes with a socket of their own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type Docker from "dockerode";
import { connectEngine } from "../../src/sandbox/connect.ts";
import { buildImage } from "../../src/sandbox/images/build.ts";
import type { BuiltImage } from "../../src/sandbox/images/built-image.ts";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const imagesDirectory = join(root, "images");
export const cacheDirectory = join(root, ".cache", "images");
export const docker: Docker = await connectEngine();

/** The image of the repository's own files, built when it is not there. */
export function image(name: string): Promise<BuiltImage> {
  return buildImage(name, { docker, imagesDirectory, cacheDirectory });
}

/** A directory for one test. Remove it with `drop`. */
export function scratch(): { path: string; drop: () => void } {
  const path = mkdtempSync(join(tmpdir(), "sallyport-images-"));
  chmodSync(path, 0o755);
  return { path, drop: () => rmSync(path, { recursive: true, force: true }) };
}

/** A server on `host.sock` in a directory of its own, as the gateway's socket is mounted into a sandbox. */
export async function hostSocket(
  folder: string,
  listener: RequestListener,
): Promise<{ directory: string; server: Server }> {
  const directory = join(folder, "socket");
  mkdirSync(directory, { mode: 0o755 });
  const server = createServer(listener);
  const path = join(directory, "host.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o666);
  return { directory, server };
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

export interface Run {
  exit: number;
  output: string;
}

/** Runs a command in a hardened container without a network, at most `seconds`. */
export async function run(
  digest: string,
  command: string[],
  options: {
    binds?: string[];
    env?: string[];
    directory?: string;
    seconds?: number;
    readOnly?: boolean;
  } = {},
): Promise<Run> {
  const container = await docker.createContainer({
    Image: digest,
    Cmd: command,
    Env: options.env ?? [],
    User: "10001:10001",
    WorkingDir: options.directory ?? "/",
    Tty: false,
    HostConfig: {
      NetworkMode: "none",
      Init: true,
      ReadonlyRootfs: options.readOnly ?? true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Memory: 1 << 30,
      MemorySwap: 1 << 30,
      PidsLimit: 256,
      Tmpfs: {
        "/tmp": "rw,nosuid,nodev,noexec,size=64m",
        "/home/sandbox": "rw,nosuid,nodev,noexec,size=64m,uid=10001,gid=10001",
      },
      Binds: options.binds ?? [],
    },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    await container.start();
    timer = setTimeout(() => void container.kill().catch(() => {}), (options.seconds ?? 30) * 1000);
    const { StatusCode: exit } = (await container.wait()) as { StatusCode: number };
    const logs = (await container.logs({ stdout: true, stderr: true })) as unknown as Buffer;
    return { exit, output: withoutFrames(logs) };
  } finally {
    clearTimeout(timer);
    await container.remove({ force: true, v: true }).catch(() => {});
  }
}

/** The engine's multiplexed log: 8 bytes of head (stream, length), then that much output. */
function withoutFrames(logs: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= logs.length; ) {
    const length = logs.readUInt32BE(at + 4);
    parts.push(logs.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString("utf8");
}
