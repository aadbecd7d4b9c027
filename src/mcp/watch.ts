/** The tool that waits: at most 45 seconds a call, with a note of progress for each change on the way. */
import type { McpServer, ServerContext } from "@modelcontextprotocol/server";
import { longestWait, toolInput } from "../domain/tool-input.ts";
import { answerOf } from "./answer.ts";
import { type Api, pathOf } from "./api.ts";
import { summaryOf } from "./summary.ts";

/** Adds `wait`. */
export function addWatch(server: McpServer, api: Api, now: () => number = Date.now): void {
  server.registerTool(
    "wait",
    {
      title: "Wait for a delegation, plan or mission",
      description: `Waits until it rests (approved, landed, or ended), at most ${longestWait} seconds, and tells its state. Call it again while "rests" is false: the work goes on by itself meanwhile.`,
      inputSchema: toolInput.wait,
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ id, seconds }, context) =>
      answerOf(async () => {
        const end = now() + seconds * 1000;
        let since: string | undefined;
        let said = "";
        for (let step = 1; ; step++) {
          const left = Math.max(0, Math.ceil((end - now()) / 1000));
          const query = `seconds=${since === undefined ? 0 : left}${since === undefined ? "" : `&since=${encodeURIComponent(since)}`}`;
          const record = await api.call<{ updated: string }>(
            "GET",
            `${pathOf(id)}/wait?${query}`,
            undefined,
            context.mcpReq.signal,
          );
          const found = summaryOf(id, record);
          const line = progressLine(found);
          if (line !== said) await tell(context, step, line);
          said = line;
          if (found.rests === true || now() >= end) return found;
          since = record.updated;
        }
      }),
  );
}

function progressLine(found: Record<string, unknown>): string {
  const { state, landing, attempts, briefs, spent } = found as {
    state: string;
    landing?: string;
    attempts?: unknown[];
    briefs?: { id: string; state: string }[];
    spent?: { requests: number; usd: number };
  };
  return [
    state,
    ...(landing ? [`being landed on ${landing}`] : []),
    ...(attempts && attempts.length > 0 ? [`attempt ${attempts.length}`] : []),
    ...(briefs ? [briefs.map((brief) => `${brief.id} ${brief.state}`).join(", ")] : []),
    ...(spent && spent.requests > 0 ? [`${spent.requests} requests, $${spent.usd}`] : []),
  ].join("; ");
}

/** A note of progress, where the client asked for them. */
async function tell(context: ServerContext, progress: number, message: string): Promise<void> {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await context.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, message } });
}
