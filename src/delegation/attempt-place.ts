/** Where the attempts of one delegation work, and how its trees are tested there. */
import { join } from "node:path";
import type { Delegation } from "../domain/delegation.ts";
import type { TesterContext } from "../gate/test-run.ts";
import type { BaseTree } from "../worktree/base-tree.ts";
import type { HostRepository } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import type { LoopTools } from "./tools.ts";

/** What all attempts of one delegation share. */
export interface AttemptPlace {
  repository: HostRepository;
  quarantine: Quarantine;
  /** What the executor is given of the base. */
  base: BaseTree;
  /** All of the base: what is tested. */
  whole: BaseTree;
  setup: readonly string[];
  /** `lanes/<delegation>` of the state directory. */
  directory: string;
}

/** How the tester runs on a tree of this delegation, in a directory of that name. */
export function testContext(
  record: Delegation,
  attempt: number,
  directory: string,
  place: AttemptPlace,
  tools: Pick<LoopTools, "runRole">,
  signal: AbortSignal,
): TesterContext {
  return {
    delegation: record.id,
    attempt,
    policy: record.policy,
    image: record.images.tester,
    runRole: tools.runRole,
    signal,
    breaks: record.brief.breaks,
    place: {
      quarantine: place.quarantine,
      base: place.whole,
      setup: place.setup,
      directory: join(place.directory, directory),
      disk: record.policy.sandbox.disk,
    },
  };
}
