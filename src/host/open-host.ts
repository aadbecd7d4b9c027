/** What the API can ask of a running host: the planner's words, each checked and written down before it takes effect. */
import { randomBytes } from "node:crypto";
import { admit, checkRights, fullRef } from "../delegation/admit.ts";
import { discardDelegation } from "../delegation/decide.ts";
import { admitMission } from "../delegation/mission-admit.ts";
import { admitPlan } from "../delegation/plan-admit.ts";
import { isUnfinished } from "../delegation/reduce.ts";
import type { LoopTools } from "../delegation/tools.ts";
import { operatorsPlanner } from "../domain/caller.ts";
import { SallyportError } from "../domain/error.ts";
import { delegationIdFrom, missionIdFrom, planIdFrom } from "../domain/identity.ts";
import type { Actions } from "./actions.ts";
import {
  type Admission,
  isMission,
  isPlan,
  keepPlan,
  refuseMember,
  refuseSecretsIn,
  refuseSecretsOf,
} from "./admission.ts";
import type { Anchors } from "./anchors.ts";
import type { Calibration } from "./calibration.ts";
import { isOver, notKept } from "./clear.ts";
import type { Host } from "./host.ts";
import type { HouseSecrets } from "./house-secrets.ts";
import { forgetSourcesOf } from "./keeper-environment.ts";
import type { Landings } from "./landings.ts";
import type { Lanes } from "./lanes.ts";
import type { Log } from "./log.ts";
import type { Missions } from "./missions.ts";
import { onceByKey } from "./once.ts";
import type { Pages } from "./pages.ts";
import type { Plans } from "./plans.ts";
import type { StateDirectory } from "./state-directory.ts";
import { gateClosed, type Store } from "./store.ts";
import { openTrackRecords } from "./track-records.ts";
import { version } from "./version.ts";

interface HostParts {
  state: StateDirectory;
  store: Store;
  log: Log;
  lanes: Lanes;
  tools: LoopTools;
  /** What a planner's requests are admitted by. */
  admissionFor(planner: string): Admission;
  instance: string;
  secrets: HouseSecrets;
  plans: Plans;
  missions: Missions;
  landings: Landings;
  calibration: Calibration;
  actions: Actions;
  anchors: Pick<Anchors, "status">;
  /** The pages over this host's views. */
  pages(host: Pick<Host, "viewPlan" | "viewMission" | "diff">): Pages;
}

/** Runs one piece of work after the other. */
type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** The words over the parts that a daemon has brought up, as the operator's own planner says them. */
export function openHost(parts: HostParts): Host {
  // Two decisions on one repository are made one after the other, whoever makes them.
  let deciding: Promise<unknown> = Promise.resolve();
  const inTurn: InTurn = (work) => {
    const turn = deciding.then(work, work);
    deciding = turn.catch(() => {});
    return turn;
  };
  const trackRecords = openTrackRecords(parts.store);
  const hosts = new Map<string, Host>();
  // What is shown is the same whoever asks; which rows of it, the routes say.
  let shown: Pages | undefined;
  const pagesOver: HostParts["pages"] = (views) => {
    shown ??= parts.pages(views);
    return shown;
  };
  const as = (planner: string): Host => {
    const known = hosts.get(planner) ?? hostOf(planner, { ...parts, as, inTurn, trackRecords, pagesOver });
    hosts.set(planner, known);
    return known;
  };
  return as(operatorsPlanner);
}

interface SharedParts extends Pick<Host, "as" | "trackRecords"> {
  inTurn: InTurn;
  pagesOver: HostParts["pages"];
}

function gateStatus(store: Store) {
  const { closed } = store.gate();
  return closed ? { open: false, closed } : { open: true };
}

function hostOf(planner: string, parts: HostParts & SharedParts): Host {
  const { state, store, log, lanes, tools, admissionFor, instance, secrets, plans, missions } = parts;
  const { landings, actions, calibration, inTurn, pagesOver } = parts;
  const admission = admissionFor(planner);
  const refuseClosed = () => {
    const { closed } = store.gate();
    if (closed) throw gateClosed(closed);
  };
  /** Ends a landing that waits or is tested: what was approved stays so. False: there is none. */
  const stopLanding = async (id: string): Promise<boolean> => {
    if (!(await landings.cancel(id))) return false;
    if (store.record(id).asked) {
      const data = { code: "state-refused", message: "stopped" };
      await store.append({ type: "landing.refused", delegation: id, data });
    }
    return true;
  };
  /** What an id and a branch name, as its planner may name them: whoever else decides about it can do no more. */
  const targetOf = (named: string, onto: string | undefined) => {
    const id = isMission(named) ? store.mission(named).plan : named;
    const record = isPlan(id) ? store.plan(id) : store.record(id);
    const ref = onto ? fullRef(onto) : record.ref;
    checkRights(record.planner, admissionFor(record.planner).rights, record.repository, ref);
    return { id, ref };
  };
  const lanesStatus = (of: (id: string) => boolean) => {
    const { running, waiting, ...rest } = lanes.status();
    return { ...rest, running: running.filter(of), waiting: waiting.filter(of) };
  };
  const onceForBrief = onceByKey(planner, () => store.list());
  const onceForPlan = onceByKey(planner, () => store.plans());
  const diff = async (id: string, attempt: number | undefined): Promise<Buffer> => {
    const record = store.record(isPlan(id) ? store.plan(id).combined.delegation : id);
    const chosen = attempt
      ? record.attempts.find((a) => a.number === attempt)
      : record.attempts.filter((a) => a.proposal).at(-1);
    if (!chosen?.proposal)
      throw new SallyportError("not-found", `${id} has no proposal${attempt ? ` of attempt ${attempt}` : " yet"}`, {
        next: `See \`sallyport show ${id}\`.`,
      });
    const quarantine = await tools.openQuarantine(await tools.openRepository(record.repository));
    const patch = await quarantine
      .patch(await quarantine.treeOf(record.base), chosen.proposal.tree, 64 * 1024 * 1024)
      .catch((cause: unknown) => {
        throw isOver(record, store) ? notKept(id, cause) : cause;
      });
    if (!patch.ok)
      throw new SallyportError("worktree-failed", `the patch has more than ${patch.bytes} bytes`, {
        next: "It was rejected for its size.",
      });
    return patch.patch;
  };
  const viewPlan = (id: string) => plans.view(id);
  const viewMission = (id: string) => missions.view(id);
  return {
    store,
    log,
    as: parts.as,
    trackRecords: parts.trackRecords,
    pages: pagesOver({ viewPlan, viewMission, diff }),
    status: (of) => ({
      version,
      pid: process.pid,
      instance,
      state: state.root,
      planner,
      rights: admission.rights,
      ...lanesStatus(of),
      landing: landings.status().filter(({ id }) => of(id)),
      head: store.ledger.head(),
      anchors: parts.anchors.status(),
      gate: gateStatus(store),
    }),
    policies: admission.policies,
    delegate: (request) =>
      onceForBrief(
        request,
        async (idempotency) => {
          if (!lanes.hasRoom())
            throw new SallyportError("queue-full", "no more delegations can wait", { next: "Try again later." });
          const admitted = await admit(request, admission);
          const data = { ...admitted, ...(idempotency ? { idempotency } : {}) };
          const id = delegationIdFrom(randomBytes(10));
          forgetSourcesOf(data.policy);
          try {
            await secrets.hold(id, data.policy);
            await refuseSecretsIn(data, secrets);
            await store.append({ type: "delegation.accepted", delegation: id, data });
            lanes.enqueue(id);
          } catch (error) {
            secrets.release(id);
            throw error;
          }
          return id;
        },
        (id) => id,
      ),
    acceptPlan: (request) =>
      onceForPlan(
        request,
        async (idempotency) => {
          if (!lanes.hasRoom())
            throw new SallyportError("queue-full", "no more delegations can wait", { next: "Try again later." });
          const data = await admitPlan(request, admission);
          const id = planIdFrom(randomBytes(10));
          await keepPlan(id, { ...data, ...(idempotency ? { idempotency } : {}) }, { store, plans, secrets });
          return { id, findings: data.findings };
        },
        (id) => ({ id, findings: store.plan(id).findings }),
      ),
    async acceptMission(request) {
      if (!lanes.hasRoom())
        throw new SallyportError("queue-full", "no more missions can wait", { next: "Try again later." });
      const data = await admitMission(request, { ...admission, newPlanId: () => planIdFrom(randomBytes(10)) });
      const id = missionIdFrom(randomBytes(10));
      forgetSourcesOf(data.policy);
      await refuseSecretsOf(id, data.policy, { brief: data.mission, checkFiles: {} }, secrets);
      await store.append({ type: "mission.accepted", delegation: id, data });
      missions.advance(id);
      return id;
    },
    gate: {
      status: () => calibration.status(),
      calibrate: async (request) => ({ canaries: await calibration.calibrate(request) }),
      canary: (id) => calibration.canary(id),
      // Whoever may open the socket is the operator; the name beside is a claim.
      open: (reason, who) => calibration.open(who ? `${planner} (${who})` : planner, reason),
      close: (reason, who) => calibration.close(who ? `${planner} (${who})` : planner, reason),
    },
    viewMission,
    viewPlan,
    diff,
    async stop(id) {
      if (isMission(id)) {
        await missions.stop(id, "stop");
        return { id, state: missions.view(id).state };
      }
      if (isPlan(id)) {
        if (await stopLanding(store.plan(id).combined.delegation)) return { id, state: store.plan(id).state };
        if (store.plan(id).state !== "running")
          throw new SallyportError("state-refused", `${id} is ${store.plan(id).state}: nothing of it runs`, {
            next: `See \`sallyport show ${id}\`.`,
          });
        await plans.discard(id, "stop");
        return { id, state: store.plan(id).state };
      }
      if (await stopLanding(id)) return { id, state: store.record(id).state };
      const record = store.record(id);
      if (!isUnfinished(record))
        throw new SallyportError("state-refused", `${id} is ${record.state}: nothing of it runs`, {
          next: `See \`sallyport show ${id}\`.`,
        });
      await lanes.stop(id, "discarded");
      if (isUnfinished(store.record(id)))
        await store.append({ type: "delegation.discarded", delegation: id, data: { by: "stop" } });
      return { id, state: store.record(id).state };
    },
    async land(named, onto) {
      refuseClosed();
      const { id, ref } = targetOf(named, onto);
      const landed = isPlan(id) ? await plans.land(id, ref) : await landings.land(id, ref);
      return { id, state: "landed", ...landed };
    },
    async verify(named, onto) {
      refuseClosed();
      const { id, ref } = targetOf(named, onto);
      const delegation = isPlan(id) ? store.plan(id).combined.delegation : id;
      return { id, state: "approved", ...(await landings.verify(delegation, ref)) };
    },
    act: async (named, action, again) => {
      refuseClosed();
      const id = isMission(named) ? store.mission(named).plan : named;
      return actions.act(isPlan(id) ? store.plan(id).combined.delegation : id, action, again);
    },
    discard: (named) =>
      inTurn(async () => {
        const id = isMission(named) ? store.mission(named).plan : named;
        if (isPlan(id)) {
          await landings.cancel(store.plan(id).combined.delegation);
          await plans.discard(id, planner);
          return { id, state: store.plan(id).state };
        }
        refuseMember(store, id);
        await landings.cancel(id);
        if (isUnfinished(store.record(id))) await lanes.stop(id, "discarded");
        const record = store.record(id);
        if (record.state !== "discarded") await discardDelegation(id, planner, tools);
        return { id, state: "discarded" };
      }),
  };
}
