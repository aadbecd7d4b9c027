/** What others reach a host by: its API on every listener, its figures, the drain and the clearing that are asked for there. */
import type { HostConfig } from "../domain/config.ts";
import type { Anchors } from "./anchors.ts";
import { buildApi } from "./api.ts";
import { openCallers } from "./callers.ts";
import { openClearing } from "./clearing.ts";
import { type Drain, openDrain } from "./drain.ts";
import type { Host } from "./host.ts";
import type { Landings } from "./landings.ts";
import type { Lanes } from "./lanes.ts";
import { openListeners } from "./listeners.ts";
import type { Log } from "./log.ts";
import type { OpenMcp } from "./mcp-api.ts";
import { listenForMetrics, type Metrics } from "./metrics.ts";
import type { StateDirectory } from "./state-directory.ts";
import type { ServiceManager } from "./systemd.ts";

export interface Served {
  drain: Drain;
  /** Takes no more requests, and ends those that are open. */
  close(): Promise<void>;
}

interface ServeParts {
  state: StateDirectory;
  config: HostConfig;
  host: Host;
  mcp: OpenMcp | undefined;
  manager: Pick<ServiceManager, "listen">;
  docker: Parameters<typeof openClearing>[0]["docker"];
  metrics: Metrics;
  anchors: Pick<Anchors, "status">;
  lanes: Lanes;
  landings: Landings;
  log: Log;
  /** Ends the daemon. */
  stop(reason: string): Promise<void>;
}

/** Serves a host everywhere, or nowhere: what cannot be listened on as it is configured is thrown, and nothing stays open. */
export async function serveHost(parts: ServeParts): Promise<Served> {
  const { state, config, host, mcp, manager, docker, metrics, anchors, lanes, landings, log, stop } = parts;
  const { store } = host;
  const drain = openDrain({
    lanes,
    busy: () => landings.status().flatMap(({ id }) => id),
    end: (reason) => void stop(reason),
    log,
  });
  const clear = openClearing(
    {
      state,
      store,
      append: (event) => store.append(event),
      docker,
      running: () => [...lanes.status().running, ...landings.status().map(({ id }) => id)],
      now: () => new Date(),
    },
    config.retention,
    log,
  );
  const callers = openCallers();
  const app = await buildApi(host, callers, { mcp, operations: { drain, lanes, metrics, clear } });
  // Of all places the one that is furthest behind.
  const anchorAge = () => {
    const last = anchors.status().map((one) => Date.parse(one.last?.time ?? "1970-01-01T00:00:00Z"));
    return last.length === 0 ? undefined : (Date.now() - Math.min(...last)) / 1000;
  };
  metrics.watch({ store, lanes, landings, drain, queue: config.queue, window: config.calibration.window, anchorAge });
  const open: (() => unknown)[] = [() => clear.close(), () => app.close().catch(() => {})];
  const close = async () => {
    for (const step of open.splice(0).reverse()) await step();
  };
  try {
    const scraped = config.metrics && (await listenForMetrics(metrics, config.metrics, log));
    open.push(() => void scraped?.close());
    const listeners = await openListeners(app, callers, state, config, { log, manager });
    open.push(() => listeners.close());
  } catch (error) {
    await close();
    throw error;
  }
  return { drain, close };
}
