/** What a probe of the doctor says. */

export interface Finding {
  control: string;
  /** `fail`: the daemon would refuse to start. `warn`: it starts, and something will be refused or wrong later. */
  state: "ok" | "warn" | "fail";
  found: string;
  /** What to do; empty where nothing is to be done. */
  fix: string;
}

export type Verdict = Omit<Finding, "control">;
export type Probe = () => Promise<Verdict>;

export const ok = (found: string): Verdict => ({ state: "ok", found, fix: "" });
export const warn = (found: string, fix: string): Verdict => ({ state: "warn", found, fix });
export const fail = (found: string, fix: string): Verdict => ({ state: "fail", found, fix });
