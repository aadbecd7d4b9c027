/** The configured anchors as they are found on disk: for whoever looks after the host. */
import { anchorName } from "../domain/anchor.ts";
import { readPlace } from "./anchor-places.ts";
import { loadConfig } from "./config.ts";
import type { StateDirectory } from "./state-directory.ts";

/** What is there, and what is wrong with it; whether its heads are right, `audit verify` says. */
export async function examineAnchors(state: StateDirectory): Promise<{ found: string; wrong: string[] }> {
  const { anchors } = await loadConfig(state);
  const wrong: string[] = [];
  const found: string[] = [];
  for (const place of anchors) {
    const name = anchorName(place);
    if ("command" in place) {
      found.push(`${name} (not read back)`);
      continue;
    }
    const { heads, missing, malformedTotal } = await readPlace(place);
    const last = heads.at(-1);
    if (missing !== undefined) wrong.push(`${name}: ${missing}`);
    else if (!last) wrong.push(`${name}: it holds no head yet`);
    else if (malformedTotal > 0) wrong.push(`${name}: ${malformedTotal} of its lines are no signed heads`);
    else found.push(`${name}, last ${last.seq} at ${last.time}`);
  }
  return { found: found.join("; ") || "none: a ledger whose end was cut off verifies too", wrong };
}
