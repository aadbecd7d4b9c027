/** The connection to the container engine: a Unix socket, never TCP, since whoever reaches the engine is root. */
import Docker from "dockerode";
import { SallyportError } from "../domain/error.ts";

const defaultSocket = "/var/run/docker.sock";
const pingMilliseconds = 5_000;

/**
 * The engine behind `DOCKER_HOST` (`unix:///path`) or the default socket, after it answered a ping within 5 s.
 * Throws `engine-missing` where there is none.
 */
export async function connectEngine(): Promise<Docker> {
  const socketPath = engineSocket(process.env["DOCKER_HOST"]);
  const docker = new Docker({ socketPath });
  const abort = AbortSignal.timeout(pingMilliseconds);
  try {
    await (docker.ping as (options: { abortSignal: AbortSignal }) => Promise<unknown>).call(docker, {
      abortSignal: abort,
    });
  } catch (cause) {
    const why = abort.aborted ? `no answer in ${pingMilliseconds / 1000} s` : String((cause as Error).message ?? cause);
    throw new SallyportError("engine-missing", `the container engine does not answer at ${socketPath}: ${why}`, {
      next: "run `make engine` to install and start Docker, or set DOCKER_HOST to the engine's unix:// socket",
      cause,
    });
  }
  return docker;
}

function engineSocket(host: string | undefined): string {
  if (host === undefined || host === "") return defaultSocket;
  const path = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (path === undefined) {
    throw new SallyportError(
      "engine-missing",
      `DOCKER_HOST is ${JSON.stringify(host)}: only a unix:// socket is used`,
      {
        next: "set DOCKER_HOST=unix:///var/run/docker.sock, or unset it and run `make engine`",
      },
    );
  }
  return path;
}
