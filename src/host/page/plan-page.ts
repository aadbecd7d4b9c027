/** The page of a plan, or of a mission with its plan, out of the records and their own ledger lines. Pure. */
import type { MissionView } from "../../domain/mission-record.ts";
import type { ChainStatus, PlanPage, Summary } from "../../domain/page.ts";
import { pageCaps } from "../../domain/page-parts.ts";
import type { PlanRecord, PlanView } from "../../domain/plan-record.ts";
import type { Lines } from "./lines.ts";
import { cappedTo, line, shown } from "./text.ts";

/** What is on such a page. A mission without a plan has no briefs. */
export interface PlanFacts {
  summary: Summary;
  record?: PlanRecord | undefined;
  view?: PlanView | undefined;
  mission?: MissionView | undefined;
  lines: Lines;
  chain: ChainStatus;
}

const reasoned = (reason: string | undefined) => (reason === undefined ? {} : { reason: line(reason) });

/** The page. */
export function pageOfPlan({ summary, record, view, mission, lines, chain }: PlanFacts): PlanPage {
  const briefs = (view?.briefs ?? []).slice(0, pageCaps.briefs);
  return {
    summary,
    text: shown(mission?.mission ?? record?.plan.intent ?? "", 20_000),
    briefs: cappedTo(
      briefs.map(({ id, title, after, delegation, state, attempts, reason }) => ({
        id,
        title: line(title),
        after,
        delegation,
        state,
        attempts,
        ...reasoned(reason),
      })),
      pageCaps.briefs,
      view?.briefs.length ?? 0,
    ),
    ...(view
      ? {
          combined: {
            delegation: view.combined.delegation,
            state: view.combined.state,
            ...reasoned(view.combined.reason),
          },
        }
      : {}),
    conflicts: (view?.conflicts ?? [])
      .slice(0, 100)
      .map(({ between, paths }) => ({ between, paths: paths.slice(0, 100).map((path) => line(path, 4000)) })),
    warnings: (view?.findings ?? []).slice(0, 100).map(({ rule, message }) => ({ rule, message: shown(message) })),
    turns: (mission?.turns ?? [])
      .slice(0, 100)
      .map(({ number, purpose, started, end, message, refused, milliseconds }) => ({
        number,
        purpose,
        started,
        ...(end === undefined ? {} : { end }),
        ...(message === undefined ? {} : { message: shown(message) }),
        refused: refused.slice(0, 20).map((why) => shown(why)),
        ...(milliseconds === undefined ? {} : { milliseconds }),
      })),
    ...(mission?.report ? { report: { by: mission.report.by, text: shown(mission.report.text, 40_000) } } : {}),
    ledger: { ...lines.span, whole: chain },
    lines: lines.lines,
  };
}
