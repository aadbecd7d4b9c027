/** What became of a subject, by its lines. Pure. */
interface Said {
  delegation?: string | undefined;
  type: string;
  data: unknown;
}

const ends: Readonly<Record<string, string>> = {
  "delegation.accepted": "running",
  "delegation.approved": "approved",
  "delegation.landed": "landed",
  "delegation.stuck": "stuck",
  "delegation.over-budget": "over-budget",
  "delegation.discarded": "discarded",
  "delegation.failed": "failed",
  "plan.accepted": "running",
  "plan.approved": "approved",
  "plan.landed": "landed",
  "plan.discarded": "discarded",
};

/** The state that the last line which decides one leads to; `unknown` where there is none. */
export function stateOf(id: string, lines: readonly Said[]): string {
  let state = "unknown";
  for (const { delegation, type, data } of lines) {
    if (delegation !== id) continue;
    const said = data as { hard?: boolean; state?: string } | undefined;
    if (type === "delegation.rejected") state = said?.hard ? "rejected-hard" : "rejected";
    else if (type === "plan.ended") state = said?.state ?? state;
    else state = ends[type] ?? state;
  }
  return state;
}
