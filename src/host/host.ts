/** What the API offers to a planner: the verbs of the host, and nothing that weakens it. */
import type { DelegationRequest } from "../delegation/admit.ts";
import type { MissionRequest } from "../delegation/mission-admit.ts";
import type { PlanRequest } from "../delegation/plan-admit.ts";
import type { MissionView } from "../domain/mission-record.ts";
import type { PlanFinding } from "../domain/plan.ts";
import type { PlanView } from "../domain/plan-record.ts";
import type { CalibrateRequest } from "./calibration.ts";
import type { Log } from "./log.ts";
import type { Pages } from "./pages.ts";
import type { PolicyView } from "./policies.ts";
import type { Store } from "./store.ts";
import type { TrackRecordView } from "./track-records.ts";

/** A request with the caller's own name for it. */
export interface Keyed {
  key?: string | undefined;
}

export interface Host {
  store: Store;
  log: Log;
  status(): object;
  /** What is shown of it to people. */
  pages: Pages;
  /** The policies that a brief may name. */
  policies(): Promise<PolicyView[]>;
  trackRecords(since?: Date): TrackRecordView;
  gate: {
    status(): object;
    /** Draws canaries; resolves with their ids. */
    calibrate(request: CalibrateRequest): Promise<{ canaries: string[] }>;
    canary(id: string): object;
    open(reason: string, who: string | undefined): Promise<object>;
    close(reason: string, who: string | undefined): Promise<object>;
  };
  /** Admits a plan; resolves with its id, and what the lint let pass, once it is durable. With a key that is known: the same again. */
  acceptPlan(request: PlanRequest & Keyed): Promise<{ id: string; findings: PlanFinding[] }>;
  /** A plan with what became of its briefs. Throws `not-found`. */
  viewPlan(id: string): PlanView;
  /** Admits a mission; resolves with its id once it is durable. */
  acceptMission(request: MissionRequest): Promise<string>;
  /** A mission with its plan. Throws `not-found`. */
  viewMission(id: string): MissionView;
  /** Admits a brief; resolves with the delegation's id once it is durable. With a key that is known: the same again. */
  delegate(request: DelegationRequest & Keyed): Promise<string>;
  /** A proposal's patch; the last one where no attempt is named. */
  diff(id: string, attempt: number | undefined): Promise<Buffer>;
  stop(id: string): Promise<object>;
  /** Lands what was approved, when its turn on that target has come. */
  land(id: string, onto: string | undefined): Promise<object>;
  /** Has what was approved verified anew, as its target is now. */
  verify(id: string, onto: string | undefined): Promise<object>;
  /** Does one of the operator's actions with what was approved or landed; `again`: a person's word that it may be done once more. */
  act(id: string, action: string, again: boolean): Promise<object>;
  discard(id: string): Promise<object>;
}
