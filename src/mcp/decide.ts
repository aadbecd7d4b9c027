/** The planner's two words. */
import type { McpServer } from "@modelcontextprotocol/server";
import { toolInput } from "../domain/tool-input.ts";
import { answerOf } from "./answer.ts";
import { type Api, pathOf } from "./api.ts";

/** Less than the minute after which clients give a call up (the SDK's `DEFAULT_REQUEST_TIMEOUT_MSEC`). */
const longestLanding = 45_000;

/** What a landing came to; or that it goes on: on a target that moved, it is tested first. */
async function inTime(
  landing: Promise<Record<string, unknown>>,
  id: string,
  longest: number,
): Promise<Record<string, unknown>> {
  // Its end is in the record, whoever still listens.
  landing.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Record<string, unknown>>((resolve) => {
    const next = `Still landing: it goes on by itself. Call wait, or show, with id ${id}.`;
    timer = setTimeout(() => resolve({ id, state: "landing", rests: false, next }), longest);
  });
  return Promise.race([landing, late]).finally(() => clearTimeout(timer));
}

/** Adds `land` and `discard`. */
export function addDecide(server: McpServer, api: Api, longest: number = longestLanding): void {
  server.registerTool(
    "land",
    {
      title: "Land what was approved",
      description:
        "Puts an approved delegation, plan or mission onto its branch: exactly the tree that was tested, verified and signed, or nothing. Read diff first.",
      inputSchema: toolInput.land,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    },
    ({ id, onto }) =>
      answerOf(async () => {
        const landing = api.call<Record<string, unknown>>(
          "POST",
          `${pathOf(id)}/land`,
          onto === undefined ? {} : { onto },
        );
        return inTime(landing, id, longest);
      }),
  );
  server.registerTool(
    "discard",
    {
      title: "Give it up",
      description: "Ends what runs of it and gives up what was proposed. It cannot be taken back.",
      inputSchema: toolInput.discard,
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    ({ id }) => answerOf(() => api.call("POST", `${pathOf(id)}/discard`, {})),
  );
}
