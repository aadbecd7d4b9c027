/** Who asks the API: each listener, or each token on the network, stands for one caller. Schema only. */
import { z } from "zod";

/** What a caller may do: `operator` everything, `planner` delegate and decide on its own, `auditor` read. */
export const callerRole = z.enum(["operator", "planner", "auditor"]);
export type CallerRole = z.infer<typeof callerRole>;

/** Whoever asks, as its socket or its token says; nothing in a request can say it. */
export interface Caller {
  role: CallerRole;
  /** Whose rights apply, and whose work it sees; an operator's is `default`, an auditor has none. */
  planner: string | undefined;
  /** For the log: the socket's path, or the token's name. */
  by: string;
  /** Whether MCP is served there. */
  mcp: boolean;
}

/** The planner whose rights the operator's own socket has. */
export const operatorsPlanner = "default";
