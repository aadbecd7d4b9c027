/**
 * Where a landing goes: the branch that was asked for, or, where somebody has it checked out, a branch beside it; and the
 * commit that it stands on. Read at the repository, every time anew.
 */
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import { checkedOutBranches } from "../worktree/checked-out.ts";
import { type HostRepository, readRef } from "../worktree/host-repository.ts";
import { showPath } from "../worktree/names.ts";
import type { Quarantine } from "../worktree/quarantine.ts";

export interface LandingTarget {
  /** The branch that is moved. */
  ref: string;
  /** Where that branch is now; null: it is not there yet. */
  from: string | null;
  /** The commit that what lands will stand on. */
  onto: string;
  /** Where the branch that was asked for is checked out: then `ref` is the branch beside it. */
  beside?: { ref: string; worktree: string };
}

/** The branch beside a checked-out one. */
export const besideRef = (id: string) => `refs/heads/sallyport/${id}`;

/**
 * Looks up a target. Errors: `target-moved` where the branch was rewritten so that the delegation's base is no part of it
 * any more, `target-checked-out` where the branch beside it is taken.
 */
export async function landingTarget(
  record: Pick<Delegation, "id" | "base">,
  asked: string,
  place: { repository: HostRepository; quarantine: Quarantine },
): Promise<LandingTarget> {
  const { repository, quarantine } = place;
  const tip = await readRef(repository, asked);
  const onto = tip ?? record.base;
  if (onto !== record.base && !(await quarantine.isAncestor(record.base, onto))) {
    throw new SallyportError(
      "target-moved",
      `${asked} was rewritten: it is at ${onto.slice(0, 12)}, and the base ${record.base.slice(0, 12)} is no part of it any more`,
      {
        next: `Nothing was changed. What was approved may be what was taken out there: delegate again with --base ${asked}, or land onto a branch that stands on ${record.base.slice(0, 12)}.`,
      },
    );
  }
  const checkedOut = (await checkedOutBranches(repository)).find((one) => one.ref === asked);
  if (!checkedOut) return { ref: asked, from: tip, onto };
  const ref = besideRef(record.id);
  const from = await readRef(repository, ref);
  if (from !== null) {
    throw new SallyportError(
      "target-checked-out",
      `${asked} is checked out in ${showPath(checkedOut.worktree)}, and ${ref} beside it is there already`,
      { next: "Nothing was changed. Delete that branch, or land onto another one." },
    );
  }
  return { ref, from, onto, beside: { ref: asked, worktree: checkedOut.worktree } };
}

/** The command with which a person takes over what landed beside their branch. */
export const takeOver = (worktree: string, ref: string) =>
  `git -C ${quote(worktree)} merge --ff-only ${ref.replace(/^refs\/heads\//, "")}`;

const quote = (text: string) => (/^[A-Za-z0-9_./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
