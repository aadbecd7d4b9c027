/** How the fold refuses an event that the state does not allow. */
import { SallyportError } from "../domain/error.ts";
import type { Event } from "../domain/event.ts";

/** An event with the time that its ledger line has. */
export type Dated = Event & { time: string };

/** Throws `state-refused`: what was found, of whom. */
export function refuse(event: Event, found: string): never {
  throw new SallyportError(
    "state-refused",
    `${event.type} is not possible now: ${event.delegation ?? "nothing"} is ${found}`,
    {
      next: "Look at it: `sallyport show ID`.",
    },
  );
}
