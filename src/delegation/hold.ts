/** A closed gate: a delegation that reaches its verifier waits there, and its record says so. */
import type { Delegation } from "../domain/delegation.ts";
import type { Event } from "../domain/event.ts";

/** What the loop needs of the gate. */
export interface GateWatch {
  /** Why nothing may be signed now; undefined while the gate is open. */
  closed(): string | undefined;
  /** Resolves when it is open. The delegation's lane serves canaries meanwhile. Rejects when `signal` aborts. */
  opened(id: string, signal: AbortSignal): Promise<void>;
}

/**
 * Returns at once while the gate is open. While it is closed the delegation is held: nothing is asked or signed, it can be
 * stopped, and it goes on by itself when an operator opens the gate.
 */
export async function holdWhileClosed(
  id: string,
  attempt: number,
  tools: { record(id: string): Delegation; append(event: Event): Promise<unknown>; gate?: GateWatch },
  signal: AbortSignal,
): Promise<void> {
  const { gate } = tools;
  if (!gate) return;
  for (let reason = gate.closed(); reason !== undefined; reason = gate.closed()) {
    if (tools.record(id).held === undefined)
      await tools.append({
        type: "delegation.held",
        delegation: id,
        data: { attempt, reason: `the gate is closed: ${reason}` },
      });
    await gate.opened(id, signal);
    signal.throwIfAborted();
  }
  if (tools.record(id).held !== undefined)
    await tools.append({ type: "delegation.released", delegation: id, data: { attempt } });
}
