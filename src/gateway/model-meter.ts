/**
 * One reserved request on its way: what its answer says is read beside the bytes, and its reservation is settled once,
 * however it ends. What went out and said nothing that can be believed keeps its reservation.
 */
import type { ModelProtocol } from "../domain/model.ts";
import { progressTime } from "./limits.ts";
import type { SettleReport } from "./model-reserve.ts";
import { readUsage, type UsageReader } from "./model-usage.ts";
import type { Outcome } from "./record.ts";
import type { ResponseScrub } from "./transform.ts";

export interface Meter {
  /** Sees the answer before `inner` scrubs it. */
  watch(inner: ResponseScrub): ResponseScrub;
  /** Settles by how the exchange ended. Only the first end counts. */
  end(outcome: Outcome & { reached?: boolean }): void;
  /** Settles what the lane's end cut. */
  cut(why: string): void;
}

export function createMeter(
  protocol: ModelProtocol,
  reservation: string,
  settle: (report: SettleReport) => void,
  progress: () => void,
  now: () => number,
): Meter {
  let told = Number.NEGATIVE_INFINITY;
  let over = false;
  let reader: UsageReader | undefined;
  const report = (said: Omit<SettleReport, "reservation">) => {
    if (over) return;
    over = true;
    settle({ reservation, ...said });
  };
  return {
    watch: (inner) => ({
      headers(headers) {
        reader = readUsage(protocol, isEventStream(headers));
        return inner.headers(headers);
      },
      push(chunk) {
        if (now() - told >= progressTime) {
          told = now();
          progress();
        }
        reader?.push(chunk);
        return inner.push(chunk);
      },
      end: () => inner.end(),
    }),
    end({ code, status = 0, reached }) {
      if (reached === false) return report({ how: "unpaid", why: `it did not go out: ${code}` });
      if (code === "allowed" && status >= 300) return report({ how: "unpaid", why: `the provider answered ${status}` });
      const found = reader?.end(code !== "allowed");
      const model = found?.model === undefined ? {} : { model: found.model };
      if (found?.usage) return report({ how: "answered", usage: found.usage, ...model });
      report({ how: "lost", why: found?.why ?? `it was cut: ${code}`, ...model });
    },
    cut: (why) => report({ how: "lost", why }),
  };
}

function isEventStream(headers: readonly string[]): boolean {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === "content-type") return /^text\/event-stream\b/i.test(headers[at + 1] ?? "");
  }
  return false;
}
