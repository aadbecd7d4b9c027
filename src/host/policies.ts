/** The policies that a brief may name, as a planner needs to know them. */
import { asSallyportError } from "../domain/error.ts";
import type { Policy } from "../domain/policy.ts";
import { listPolicies, loadPolicy } from "../policy/load.ts";

/** One policy, or why it cannot be used. */
export type PolicyView =
  | {
      name: string;
      visible: readonly string[];
      writable: readonly string[];
      protected: readonly string[];
      network: string[];
      models: string[];
      budget: Policy["budget"];
      tests?: { run: string; report: string; evidence: readonly string[]; image?: string };
      verifier: Policy["verifier"];
    }
  | { name: string; error: { code: string; message: string } };

/** Every policy of the directories. One that is broken is told as such, and does not hide the others. */
export async function viewPolicies(directories: readonly string[]): Promise<PolicyView[]> {
  return Promise.all((await listPolicies(directories)).map((name) => viewPolicy(name, directories)));
}

async function viewPolicy(name: string, directories: readonly string[]): Promise<PolicyView> {
  try {
    const { filesystem, network, models, budget, tests, verifier } = await loadPolicy(name, directories);
    return {
      name,
      ...filesystem,
      network: network.map((rule) => `${rule.methods?.join(",") ?? "*"} ${rule.host}${rule.paths?.join(",") ?? ""}`),
      models: Object.keys(models),
      budget,
      ...(tests
        ? {
            tests: {
              run: tests.run,
              report: tests.report,
              evidence: tests.evidence,
              ...(tests.image ? { image: tests.image } : {}),
            },
          }
        : {}),
      verifier,
    };
  } catch (thrown) {
    const { code, message } = asSallyportError(thrown);
    return { name, error: { code, message } };
  }
}
