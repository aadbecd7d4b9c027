import { execFile } from "node:child_process";
import { join } from "node:path";

const sallyport = join(import.meta.dirname, "../../bin/sallyport");

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the real command line. Bounded in time. */
export function run(args: readonly string[], environment: Record<string, string> = {}): Promise<Ran> {
  const { SALLYPORT_STATE: _state, SALLYPORT_SOCKET: _socket, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(
      sallyport,
      args,
      { timeout: 30_000, env: { ...inherited, ...environment }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number((error as { code?: number }).code ?? 99) : 0, stdout, stderr });
      },
    );
  });
}
