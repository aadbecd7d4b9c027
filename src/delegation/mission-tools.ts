/** What a mission's turns need of the world beside what the loop needs: injected by the host. */
import type { Delegation } from "../domain/delegation.ts";
import type { MissionRecord } from "../domain/mission-record.ts";
import type { PlanRecord, PlanView } from "../domain/plan-record.ts";
import type { Offer } from "./planner-prompt.ts";
import type { LoopTools } from "./tools.ts";

export interface MissionTools extends LoopTools {
  mission(id: string): MissionRecord;
  /** Its plan, once there is one. */
  planOf(id: string): PlanView | undefined;
  find(delegation: string): Delegation | undefined;
  offer(record: MissionRecord): Promise<Offer>;
  /** Admits a brief in place of the plan's stuck one, and makes it durable. Throws as `admitPlan`. */
  acceptMended(
    record: MissionRecord,
    brief: string,
    posted: unknown,
    checkFiles: unknown,
  ): Promise<{ warnings: string[] }>;
  plan(id: string): PlanRecord;
  /** Admits a plan under the mission's own id for it, and makes it durable. Throws as `admitPlan`. */
  acceptPlan(record: MissionRecord, plan: unknown, checkFiles: unknown): Promise<{ warnings: string[] }>;
}
