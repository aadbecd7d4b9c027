/** The daemon: takes the state directory, brings up ledger, gateway, guard and lanes, recovers, serves, and ends cleanly. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { checkRights } from "../delegation/admit.ts";
import { runDelegation } from "../delegation/loop.ts";
import type { LoopTools } from "../delegation/tools.ts";
import { operatorsPlanner } from "../domain/caller.ts";
import type { HostConfig } from "../domain/config.ts";
import { SallyportError } from "../domain/error.ts";
import { delegationIdFrom } from "../domain/identity.ts";
import { loadHostKey } from "../gate/keys.ts";
import { startKeeper } from "../gateway/keeper.ts";
import { type Gateway, startGateway } from "../gateway/process.ts";
import { openLedger } from "../ledger/open.ts";
import { connectEngine } from "../sandbox/connect.ts";
import { dockerEngine } from "../sandbox/docker-engine.ts";
import { accountsFor, planAccount } from "./accounts.ts";
import { openActions } from "./actions.ts";
import { admissionOf, isMission, plannerTools } from "./admission.ts";
import { openAnchors } from "./anchors.ts";
import { openBudgets } from "./budgets.ts";
import { openCalibration } from "./calibration.ts";
import { watchChain } from "./chain-status.ts";
import { loadConfig, policyDirectories, rightsOf, shippedCanaries } from "./config.ts";
import { houseSecrets } from "./house-secrets.ts";
import { forgetSources } from "./keeper-environment.ts";
import { openLandings } from "./landings.ts";
import { openLanes } from "./lanes.ts";
import { checkListeners } from "./listeners.ts";
import type { HostLog } from "./log.ts";
import { loopTools, withSecrets } from "./loop-tools.ts";
import type { OpenMcp } from "./mcp-api.ts";
import { openMetrics } from "./metrics.ts";
import { openMissions } from "./missions.ts";
import { openHost } from "./open-host.ts";
import { openPages } from "./pages.ts";
import { openPlans } from "./plans.ts";
import { recoverDelegations, sweepInstances } from "./recovery.ts";
import { gatewayGone, roleRunner } from "./role-runner.ts";
import { serveHost } from "./serve-host.ts";
import { startGuard } from "./start-guard.ts";
import { makeStateDirectory, type StateDirectory } from "./state-directory.ts";
import { checkStateFormat } from "./state-format.ts";
import { lockState } from "./state-lock.ts";
import { openStore } from "./store.ts";
import { openServiceManager, type ServiceManager } from "./systemd.ts";
import { version } from "./version.ts";

/** The gateway's own unprivileged identity, neither root nor the sandboxes'. */
const gatewayOwner = { uid: 10002, gid: 10002 };
export interface RunningDaemon {
  socket: string;
  /** Drains, ends every sandbox, closes the ledger with a signed head. Safe to call twice. */
  stop(reason: string): Promise<void>;
  /** Resolves with the reason when the daemon has ended. */
  ended: Promise<string>;
}

/** Starts a daemon on a state directory; `mcp` serves MCP where that is configured. Throws before anything runs when a control cannot be had. */
export async function startDaemon(state: StateDirectory, hostLog: HostLog, mcp?: OpenMcp): Promise<RunningDaemon> {
  if (process.getuid?.() !== 0) {
    throw new SallyportError(
      "control-missing",
      "the daemon must be root: it mounts layers and drops the rights of what it starts",
      {
        next: "Start it with sudo, or as a system service.",
      },
    );
  }
  await makeStateDirectory(state);
  const config = await loadConfig(state);
  const release = await lockState(state);
  const undo: (() => Promise<void>)[] = [release];
  // Before anything else is started: what comes after cannot speak for the daemon.
  const manager = openServiceManager(hostLog.log);
  undo.push(async () => manager.close());
  try {
    await checkStateFormat(state);
    await checkListeners(config, state, manager);
    return await bringUp(state, config, hostLog, undo, release, manager, mcp);
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => {});
    throw error;
  }
}

async function bringUp(
  state: StateDirectory,
  config: HostConfig,
  hostLog: HostLog,
  undo: (() => Promise<void>)[],
  release: () => Promise<void>,
  manager: ServiceManager,
  mcp: OpenMcp | undefined,
): Promise<RunningDaemon> {
  const { log } = hostLog;
  const instance = `h-${delegationIdFrom(randomBytes(10)).slice(2)}`;
  const lanesDirectory = join(state.lanes, instance);
  // Before anything else is started: what comes after inherits no secret.
  const keeper = await startKeeper((reason) => {
    log.fatal({ reason }, "the keeper of the secrets' sources is gone: ending");
    void stop("keeper lost");
  });
  undo.push(() => keeper.stop());
  await forgetSources(policyDirectories(config, state));
  const docker = await connectEngine();
  const metrics = openMetrics();
  // With the lanes: what a killed daemon leaves there is swept at the next start.
  const engine = metrics.engine(dockerEngine(docker, undefined, lanesDirectory));
  const key = await loadHostKey(state.keys);
  const sign = (bytes: Uint8Array) => ({ keyid: key.keyid, signature: key.sign(bytes).toString("base64") });
  const ledger = metrics.ledger(await openLedger({ directory: state.ledger, now: () => new Date(), sign }));
  undo.push(() => ledger.close());
  const ended = Promise.withResolvers<string>();
  let stopping: Promise<void> | undefined;
  const stop = (reason: string) => {
    stopping ??= shutDown(reason);
    return stopping;
  };
  const budgets = openBudgets({
    append: (event) => store.append(event),
    note: (event) => store.note(event),
    now: () => new Date(),
    onOver: (sandbox) => runner.overBudget(sandbox),
  });
  const store = await openStore(
    ledger,
    (error) => {
      log.fatal({ err: error }, "the ledger takes nothing any more: ending");
      void stop("ledger failed");
    },
    (error) => log.error({ err: error }, "an event was not noted"),
    budgets.replay,
  );
  budgets.start();
  await store.append({ type: "host.started", data: { version, keyid: key.keyid, pid: process.pid } });
  const anchors = await openAnchors({ places: config.anchors, ledger, sign, note: store.note, log });
  undo.push(() => anchors.close());
  await sweepInstances(state, engine, store);

  const guard = await startGuard(instance, lanesDirectory, () => {
    log.fatal("the guard is gone: ending");
    void stop("guard lost");
  });
  undo.push(() => guard.dismiss());

  let gateway: Gateway | undefined;
  const secrets = houseSecrets(() => gateway);
  hostLog.maskWith(secrets);
  // While a new one comes up in place of one that died, sandboxes wait for it: the death costs one attempt, not all.
  let next = Promise.withResolvers<Gateway>();
  const runner = roleRunner({
    engine,
    instance,
    note: store.note,
    secrets,
    budgets: { ...budgets, accountsOf: accountsFor(config, store, planAccount(store)) },
    gateway: async () => {
      if (stopping) throw gatewayGone();
      return gateway ?? next.promise;
    },
  });
  const openGateway = async (): Promise<void> => {
    gateway = await startGateway({
      directory: join(state.gateway, instance),
      ...gatewayOwner,
      keeper,
      onRequest: (data) => {
        const delegation = runner.delegationOf(data.sandbox);
        if (delegation) store.note({ type: "request", delegation, data });
      },
      onVerb: (call) => runner.onVerb(call),
      onReserve: budgets.reserve,
      onProgress: (call) => runner.onProgress(call),
      onSettle: budgets.settle,
      onExit: (reason) => {
        gateway = undefined;
        runner.gatewayLost();
        log.error({ reason }, "the gateway is gone: sandboxes end, starting it again");
        if (stopping) return;
        openGateway().catch((error: unknown) => {
          next.promise.catch(() => {});
          next.reject(gatewayGone());
          void stop(`gateway does not start: ${String(error)}`);
        });
      },
      log: (line) => log.warn(line),
    });
    guard.watchGateway(gateway.pid);
    await secrets.restore().catch((error: unknown) => log.error({ err: error }, "secrets are not held again"));
    next.resolve(gateway);
    next = Promise.withResolvers<Gateway>();
    metrics.gatewayStarted();
    log.info({ gateway: gateway.pid }, "gateway is up");
  };
  await openGateway();
  undo.push(async () => gateway?.stop());

  const withoutGate = loopTools(state, store, key, runner.run, lanesDirectory, secrets);
  const calibration = openCalibration({
    store,
    lanes: () => lanes,
    tools: withoutGate,
    config: config.calibration,
    admission: () => admission,
    secrets,
    scratch: join(lanesDirectory, "scratch"),
    log,
    directories: [shippedCanaries, ...config.calibration.canaries],
  });
  await calibration.ready();
  const tools: LoopTools = { ...withoutGate, gate: calibration };
  const lanes = openLanes({
    lanes: config.lanes,
    queue: config.queue,
    run: (id, lane, signal) =>
      id.startsWith("c-")
        ? calibration.run(id, signal)
        : withSecrets(id, store, secrets, () =>
            isMission(id) ? missions.run(id, signal) : runDelegation(id, lane, tools, signal),
          ),
    onError: (id, error) => log.error({ delegation: id, err: error }, "delegation ended by a fault"),
  });
  const landings = openLandings({
    store,
    tools: {
      ...tools,
      checkTarget: (planner, path, ref) => checkRights(planner, rightsOf(config, planner), path, ref),
    },
    secrets,
    rested: async (id) => {
      await lanes.rested(id);
      await actions.rested(id);
    },
    log,
    sandboxes: config.lanes,
  });
  const plans = openPlans({ store, lanes, tools, log, landings });
  const admissionFor = (planner: string) => admissionOf({ planner, state, config, tools, docker });
  const admission = admissionFor(operatorsPlanner);
  const actions = openActions({
    store,
    tools: { ...tools, findImage: admission.findImage },
    secrets,
    isLanding: (id) => landings.status().some((one) => one.id === id),
  });
  const missions = openMissions({
    store,
    plans,
    lanes: () => lanes,
    tools: { ...tools, ...plannerTools({ store, plans, admissionFor, secrets }) },
  });
  const host = openHost({
    state,
    store,
    log,
    lanes,
    tools,
    admissionFor,
    instance,
    secrets,
    plans,
    missions,
    landings,
    calibration,
    actions,
    anchors,
    pages: (views) =>
      openPages({
        store,
        key,
        chain: watchChain(state.ledger, ledger, key),
        policies: policyDirectories(config, state),
        ...views,
      }),
  });
  for (const id of await recoverDelegations(store, tools, log)) lanes.enqueue(id);
  await actions.resume();
  await landings.resume();
  await plans.advanceAll();
  await missions.advanceAll();

  const served = await serveHost({
    state,
    config,
    host,
    mcp,
    manager,
    docker,
    metrics,
    anchors,
    lanes,
    landings,
    log,
    stop,
  });
  undo.length = 0;
  await manager.tell("READY=1", `STATUS=Sallyport ${version}`);
  log.info({ socket: state.socket, instance, keyid: key.keyid }, "daemon is up");

  async function shutDown(reason: string): Promise<void> {
    log.info({ reason }, "daemon is ending");
    await manager.tell("STOPPING=1", `STATUS=${reason}`);
    manager.close();
    await served.close();
    calibration.end();
    missions.close();
    await Promise.all([landings.close(), actions.close()]);
    await plans.close();
    await lanes.drain();
    await hostLog.written();
    hostLog.unmasked();
    await gateway?.stop().catch(() => {});
    await keeper.stop().catch(() => {});
    await engine.sweep(instance).catch((error: unknown) => log.error({ err: error }, "sandboxes not swept"));
    await rm(lanesDirectory, { recursive: true, force: true }).catch(() => {});
    await rm(join(state.gateway, instance), { recursive: true, force: true }).catch(() => {});
    if (!store.broken) await store.append({ type: "host.stopped", data: { reason } }).catch(() => {});
    await ledger.close().catch(() => {});
    // After the last line: the whole of what this daemon wrote is anchored.
    await anchors.close().catch((error: unknown) => log.error({ err: error }, "the last head was not anchored"));
    await guard.dismiss();
    await release();
    await hostLog.written();
    ended.resolve(reason);
  }
  const stopInTime = async (reason: string) => {
    if (config.drain > 0 && !stopping) {
      await manager.tell(`STATUS=draining: ${reason}`);
      await served.drain.begin(config.drain);
    }
    await stop(reason);
  };
  return { socket: state.socket, stop: stopInTime, ended: ended.promise };
}
