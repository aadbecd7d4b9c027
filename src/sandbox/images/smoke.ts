/** The smoke test of a new image: its own command, once, in a container that can reach nothing. */
import type Docker from "dockerode";
import { SallyportError } from "../../domain/error.ts";

const smokeMilliseconds = 60_000;

/** Runs the command in the image; throws `image-failed` with its output unless it exits 0 within 60 s. */
export async function smokeTest(docker: Docker, digest: string, command: readonly string[]): Promise<void> {
  const container = await docker.createContainer({
    Image: digest,
    Cmd: [...command],
    Entrypoint: [],
    User: "10001:10001",
    WorkingDir: "/",
    HostConfig: {
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Init: true,
      PidsLimit: 256,
      Memory: 1 << 30,
      MemorySwap: 1 << 30,
      Tmpfs: { "/tmp": "rw,nosuid,nodev,size=64m", "/home/sandbox": "rw,nosuid,nodev,size=64m,uid=10001,gid=10001" },
    },
  });
  try {
    const ended = container.wait({ condition: "next-exit" });
    ended.catch(() => {});
    await container.start();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), smokeMilliseconds);
    });
    const result = (await Promise.race([ended, late])) as { StatusCode: number } | undefined;
    clearTimeout(timer);
    if (result?.StatusCode === 0) return;
    const output = (await container.logs({ stdout: true, stderr: true, tail: 20 })) as unknown as Buffer;
    const why = result === undefined ? "did not end within 60 s" : `ended with exit code ${result.StatusCode}`;
    throw new SallyportError("image-failed", `the smoke test \`${command.join(" ")}\` ${why}: ${printable(output)}`, {
      next: "correct the image's files, or its smoke command in harness.yaml",
    });
  } finally {
    await container.remove({ force: true, v: true }).catch(() => {});
  }
}

/** Container output without the engine's 8-byte frame heads and without control characters. */
function printable(output: Buffer): string {
  return output
    .toString("utf8")
    .replace(/[^\P{Cc}\n]/gu, "")
    .trim();
}
