/** What ran in a delegation's sandboxes, by the kernel, collected in bounded memory. Pure. */
import type { Entry } from "../../domain/event.ts";
import { type ProcessesPage, pageCaps } from "../../domain/page-parts.ts";
import { line } from "./text.ts";

type ProcessesEntry = Entry & { type: "sandbox.processes" };
type Of = ProcessesPage["sandboxes"][number];

/** A collector of process tables: `add` each entry, then `page`. */
export function collectProcesses() {
  const sandboxes = new Map<string, Of>();
  const rows: ProcessesPage["items"] = [];

  return {
    add({ seq, data }: ProcessesEntry, about: Pick<Of, "role" | "attempt">): void {
      const { sandbox, from, whole, total, dropped, names, processes, gap } = data;
      if (sandboxes.size < pageCaps.sandboxes) {
        sandboxes.set(sandbox, {
          sandbox,
          ...about,
          ...(from === undefined ? {} : { from }),
          whole,
          total,
          dropped,
          names: { total: names.length, items: names.slice(0, pageCaps.names) },
          ...(gap === undefined ? {} : { gap: line(gap, 499) }),
        });
      }
      // Each sandbox has some rows, however many the first of them had.
      const mine = rows.filter((row) => row.sandbox === sandbox).length;
      const room = Math.max(0, Math.floor(pageCaps.processes / 4) - mine);
      for (const row of processes.slice(0, room)) rows.push({ ...row, sandbox, seq });
    },

    totalOf: (sandbox: string) => sandboxes.get(sandbox)?.total,

    page(): ProcessesPage {
      const all = [...sandboxes.values()];
      const total = all.reduce((sum, one) => sum + one.total, 0);
      const items = rows.slice(0, pageCaps.processes);
      return { total, dropped: total - items.length, sandboxes: all, items };
    },
  };
}
