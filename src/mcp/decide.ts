/** The planner's two words. */
import type { McpServer } from "@modelcontextprotocol/server";
import { toolInput } from "../domain/tool-input.ts";
import { answerOf } from "./answer.ts";
import { type Api, pathOf } from "./api.ts";

/** Adds `land` and `discard`. */
export function addDecide(server: McpServer, api: Api): void {
  server.registerTool(
    "land",
    {
      title: "Land what was approved",
      description:
        "Puts an approved delegation, plan or mission onto its branch: exactly the tree that was tested, verified and signed, or nothing. Read diff first.",
      inputSchema: toolInput.land,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    },
    ({ id, onto }) => answerOf(() => api.call("POST", `${pathOf(id)}/land`, onto === undefined ? {} : { onto })),
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
