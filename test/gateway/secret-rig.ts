/** A real gateway with a real keeper, a delegation's secrets in real files, and lanes that use them. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EventData } from "../../src/domain/event.ts";
import type { NetworkRule, SecretBinding } from "../../src/domain/policy.ts";
import { type Keeper, startKeeper } from "../../src/gateway/keeper.ts";
import { type Gateway, type LaneSpec, startGateway } from "../../src/gateway/process.ts";
import { bindSecrets } from "../../src/gateway/secret-lane.ts";
import { allowCanary } from "../canary/canaries.ts";
import { sandboxId } from "./rig.ts";

export interface SecretRig extends AsyncDisposable {
  gateway: Gateway;
  keeper: Keeper;
  directory: string;
  events: EventData<"request">[];
  log: string[];
  closeLanes(): Promise<void>;
  /** Writes a secret's file, 0600, and gives its reference. */
  file(name: string, value: string): string;
  /** Holds the secrets and opens a lane that uses them. */
  lane(spec: {
    secrets: Record<string, Omit<SecretBinding, "from"> & { from?: string }>;
    network?: NetworkRule[];
    models?: LaneSpec["models"];
    holder?: string;
  }): Promise<{
    socket: string;
    sandbox: string;
    placeholders: Record<string, string>;
    environment: Record<string, string>;
  }>;
}

let holders = 0;

export async function startSecretRig(): Promise<SecretRig> {
  const open = new Set<string>();
  const directory = mkdtempSync(join(tmpdir(), "secret-rig-"));
  const files = join(directory, "files");
  const events: EventData<"request">[] = [];
  const log: string[] = [];
  let keeper: Keeper | undefined;
  try {
    keeper = await startKeeper((reason) => log.push(`keeper: ${reason}`));
    const gateway = await startGateway({
      directory: join(directory, "lanes"),
      uid: 10002,
      gid: 10002,
      keeper,
      onRequest: (event) => events.push(event),
      onVerb: async () => ({ status: 200, body: { ok: true } }),
      onReserve: async ({ ask }) => ({ ok: true, reservation: "r-aaaaaaaaaaaaaaaa", output: ask.output ?? 100 }),
      onExit: (reason) => log.push(reason),
      log: (line) => log.push(JSON.stringify(line)),
    });
    chmodSync(directory, 0o755);
    const own = keeper;
    return {
      gateway,
      keeper,
      directory,
      events,
      log,
      file(name, value) {
        writeFileSync(allowCanary(`${files}-${name}`), value, { mode: 0o600 });
        return `file:${files}-${name}`;
      },
      async lane({
        secrets,
        network = [],
        models = {},
        holder = `d-${"holder".padEnd(12, "x")}${String(++holders)
          .padStart(4, "a")
          .replace(/[01890]/g, "b")}`,
      }) {
        const bindings = Object.fromEntries(
          Object.entries(secrets).map(([name, one]) => [name, { from: `file:${files}-${name}`, ...one }]),
        ) as Record<string, SecretBinding>;
        await gateway.holdSecrets(holder, bindings);
        const bound = bindSecrets(holder, { network, models }, bindings);
        const sandbox = sandboxId();
        open.add(sandbox);
        const { directory: place } = await gateway.openLane({
          sandbox,
          role: "executor",
          network,
          models,
          requests: 1000,
          verbs: [],
          ...(bound ? { secrets: bound.secrets } : {}),
        });
        return {
          socket: join(place, "host.sock"),
          sandbox,
          environment: bound?.environment ?? {},
          placeholders: Object.fromEntries(
            Object.entries(bound?.secrets.bound ?? {}).map(([name, { placeholder }]) => [name, placeholder]),
          ),
        };
      },
      async closeLanes() {
        for (const sandbox of open) await gateway.closeLane(sandbox);
        open.clear();
      },
      async [Symbol.asyncDispose]() {
        await gateway.stop();
        await own.stop();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await keeper?.stop();
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}
