/** The Docker engine: create, read back, start, read back again, bound, end, remove. */
import { readFile } from "node:fs/promises";
import type Docker from "dockerode";
import { SallyportError } from "../domain/error.ts";
import type { SandboxEnd } from "../domain/event.ts";
import { type Accounting, openAccounting } from "./accounting.ts";
import { cpuTime } from "./cpu-time.ts";
import type { Controls, Sandbox, SandboxEngine, SandboxResult, SandboxSpec } from "./engine.ts";
import { checkInspection, checkKernelStatus, containerOptions, sandboxLabels } from "./hardening.ts";
import { OutputSink } from "./output.ts";

/** Milliseconds the engine may take for one call before the attempt fails (it hangs, restarts, answers 500). */
const defaultLimit = 30_000;
type Bounded = <T>(what: string, call: Promise<T>) => Promise<T>;

function engineError(what: string, error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const { statusCode, json, message } = error as { statusCode?: number; json?: { message?: string }; message?: string };
  const detail = json?.message ?? message ?? String(error);
  if (statusCode === 404 && /image/i.test(detail)) {
    return new SallyportError("image-missing", `${what}: ${detail}`, {
      next: "Build it: `sallyport image build NAME`.",
      cause: error,
    });
  }
  return new SallyportError("engine-failed", `${what}: ${detail}`, {
    next: "Look at the engine: `docker info`, `sallyport doctor`.",
    cause: error,
  });
}

/** Calls of the engine, each with an end. */
const boundedBy =
  (limit: number): Bounded =>
  async (what, call) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${limit / 1000} s`)), limit);
    });
    try {
      return await Promise.race([call, late]);
    } catch (error) {
      throw engineError(what, error);
    } finally {
      clearTimeout(timer);
    }
  };

async function removeContainer(container: Docker.Container, bounded: Bounded): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await bounded("remove the sandbox", container.remove({ force: true, v: true }));
      return;
    } catch (error) {
      const status = ((error as SallyportError).cause as { statusCode?: number } | undefined)?.statusCode;
      if (status === 404) return;
      // 409: a removal is under way; anything else may be an engine that restarts.
      if (attempt >= 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * An engine that runs each sandbox as a hardened container. No call of it may take longer than `limit` milliseconds.
 * `accounts`: a directory of the host's for the kernel's records of what runs in them; left out: nobody looks.
 */
export function dockerEngine(docker: Docker, limit = defaultLimit, accounts?: string): SandboxEngine {
  const bounded = boundedBy(limit);
  return {
    name: "docker",

    async start(spec: SandboxSpec): Promise<Sandbox> {
      const options = containerOptions(spec);
      const created = bounded("create the sandbox", docker.createContainer(options));
      const container = await created.catch(async (error: unknown) => {
        // It may be there although its answer did not arrive.
        await removeContainer(docker.getContainer(`sallyport-${spec.id}`), bounded).catch(() => {});
        throw error;
      });
      try {
        return await startContainer(docker, container, spec, bounded, accounts);
      } catch (error) {
        await removeContainer(container, bounded);
        throw engineError("start the sandbox", error);
      }
    },

    async sweep(host: string): Promise<string[]> {
      const found = await bounded(
        "list sandboxes",
        docker.listContainers({ all: true, filters: { label: [`${sandboxLabels.host}=${host}`] } }),
      );
      await Promise.all(found.map((info) => removeContainer(docker.getContainer(info.Id), bounded)));
      return found.map((info) => info.Labels[sandboxLabels.sandbox] ?? info.Id);
    },
  };
}

async function startContainer(
  docker: Docker,
  container: Docker.Container,
  spec: SandboxSpec,
  bounded: Bounded,
  accounts: string | undefined,
): Promise<Sandbox> {
  const inspect = () => bounded("inspect the sandbox", container.inspect());
  const created = await inspect();
  const asked = checkInspection(spec, created);

  let ended: SandboxEnd | undefined;
  const end = (reason: SandboxEnd) => {
    if (ended) return;
    ended = reason;
    kill();
  };
  // A kill can meet a container that is not yet running: it is tried until the wait below has its answer.
  let gone = false;
  const killed = Promise.withResolvers<undefined>();
  const kill = () => {
    container.kill({ signal: "SIGKILL" }).then(confirm, () => {
      if (!gone) setTimeout(kill, 50).unref();
    });
  };
  // The wait may be the call that hangs: then the engine is asked whether what was killed is dead.
  const confirm = async () => {
    while (!gone) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const state = await inspect().catch(() => undefined);
      if (state?.State.Running === false) killed.resolve(undefined);
    }
  };

  const sink = new OutputSink({
    limit: spec.output,
    onFull: () => end("output"),
    ...(spec.onOutput ? { onChunk: spec.onOutput } : {}),
  });
  const attach = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
  const stream = await bounded("attach to the sandbox", container.attach(attach));
  docker.modem.demuxStream(stream, sink, sink);
  const drained = new Promise<void>((resolve) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
    stream.on("error", () => resolve());
  });

  const exited = container.wait({ condition: "next-exit" }) as Promise<{ StatusCode: number }>;
  exited.catch(() => {}); // looked at below; a start that fails must not leave an unhandled rejection
  const begun = performance.now();
  await bounded("start the sandbox", container.start());
  const timer = setTimeout(() => end("timeout"), spec.wall);

  let kernel: Controls = {};
  let pid = 0;
  let accounting: Accounting | undefined;
  try {
    const running = await inspect();
    pid = running.State.Pid;
    // One that was ended meanwhile has nothing left to read.
    if (running.State.Running && pid > 0) {
      const of = { id: spec.id, pid, owner: running.Id };
      const asking = readKernel(pid, running.Id);
      asking.catch(() => {}); // awaited below, after what must be closed is there
      if (accounts !== undefined) accounting = await openAccounting(of, accounts, spec.runtime);
      kernel = await asking;
      // Only now the command begins: every control was read back, and nothing of it runs unseen.
      if (isRead(kernel)) stream.end("\n");
      else await untilEnded(async () => ended !== undefined || !(await inspect()).State.Running);
    }
  } catch (error) {
    clearTimeout(timer);
    await accounting?.end();
    throw error;
  }

  const done = (async (): Promise<SandboxResult> => {
    let exit: number | null = null;
    try {
      exit = (await Promise.race([exited, killed.promise]))?.StatusCode ?? null;
    } catch {
      ended ??= "failed";
    }
    gone = true;
    const milliseconds = Math.round(performance.now() - begun);
    clearTimeout(timer);
    try {
      if (exit !== 0 && !ended && (await inspect()).State.OOMKilled) ended = "memory";
      await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
    } catch {
      ended ??= "failed";
    }
    (stream as unknown as { destroy(): void }).destroy();
    await removeContainer(container, bounded).catch(() => {
      ended = "failed";
    });
    const processes = await accounting?.end();
    return {
      end: ended ?? "exit",
      exit: ended && ended !== "memory" ? null : exit,
      milliseconds,
      output: sink.result(),
      ...(processes ? { processes } : {}),
    };
  })();

  const controls = { ...asked, ...kernel };
  return { id: spec.id, pid, controls, done, end, cpuTime: () => cpuTime(pid, created.Id) };
}

const isRead = (kernel: Controls) => kernel["kernelSeccomp"] !== undefined;

/** Waits for the end of a sandbox that the kernel tells nothing of. Throws `control-missing` where it runs on. */
async function untilEnded(hasEnded: () => Promise<boolean>): Promise<void> {
  for (const until = performance.now() + 2000; !(await hasEnded()); ) {
    if (performance.now() > until) {
      throw new SallyportError(
        "control-missing",
        "the kernel's word on the sandbox's init cannot be read, and it runs",
        {
          next: "Its command was not started. Run `sallyport doctor`.",
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * The kernel's word on the sandbox's init. The engine answers `start` a moment before runc's own process loads the
 * filter and becomes the init, so a difference is only believed after it lasted.
 */
async function readKernel(pid: number, containerId: string): Promise<Controls> {
  for (let waited = 0; ; waited += 5) {
    let status: string;
    try {
      const cgroup = await readFile(`/proc/${pid}/cgroup`, "utf8");
      // A recycled pid proves nothing.
      if (!cgroup.includes(containerId)) return { kernel: "ended before it could be read" };
      status = await readFile(`/proc/${pid}/status`, "utf8");
    } catch {
      return { kernel: "ended before it could be read" };
    }
    if (/^State:\s*[ZX]/m.test(status)) return { kernel: "ended before it could be read" };
    try {
      return checkKernelStatus(status);
    } catch (error) {
      if (waited >= 500) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
