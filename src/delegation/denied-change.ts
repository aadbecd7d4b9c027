/** The smallest change of a policy that would let a recorded denied request pass, as one line. Pure. */
import type { Delegation } from "../domain/delegation.ts";
import type { Policy } from "../domain/policy.ts";
import { decideAsked } from "../policy/asked.ts";
import { compileRules } from "../policy/decide.ts";
import { replayOf } from "../policy/recorded.ts";

/** A line of YAML for `network`, or words where no rule of the network is what it lacks. Never throws. */
export function changeFor(policy: Policy, denied: Delegation["denied"][number]): string {
  const { method, url, code, rule } = denied;
  const nothing = { sandbox: "", decision: "deny", sent: 0, received: 0, milliseconds: 0 } as const;
  const replay = replayOf({ ...nothing, method, url, code, rule });
  if (code === "requests-used-up") return "budget: { requests: … }, a larger one";
  if ("model" in replay) return `models: { ${replay.model}: … }; the route says ${code}`;
  if ("own" in replay) return `none: it is a call to the host itself (${code})`;
  if ("unreadable" in replay) return `none: ${replay.unreadable}`;
  const decision = decideAsked(compileRules(policy.network), replay.asked);
  // The rules allow it: it was refused for what lies behind them, such as the address that its name has.
  if (decision.allow) return `no rule is missing: it was refused as ${code}`;
  return decision.next.startsWith("#") ? decision.next.slice(2) : `network: ${decision.next}`;
}
