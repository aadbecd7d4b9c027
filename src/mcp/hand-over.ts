/** The tools that hand work over: one brief, or a plan of several. */
import type { McpServer } from "@modelcontextprotocol/server";
import { toolInput } from "../domain/tool-input.ts";
import { answerOf } from "./answer.ts";
import type { Api } from "./api.ts";
import { briefAdvice } from "./guide.ts";

const encoded = (files: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text).toString("base64")]));

/** Adds `delegate` and `plan`. */
export function addHandOver(server: McpServer, api: Api): void {
  server.registerTool(
    "delegate",
    {
      title: "Delegate one brief",
      description: `Hands one brief to an executor harness in a sandbox. Answers at once with the delegation's id; then call wait.\n\n${briefAdvice}`,
      inputSchema: toolInput.delegate,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    },
    ({ checkFiles, ...rest }) =>
      answerOf(async () => {
        const body = { ...rest, checkFiles: encoded(checkFiles) };
        const { id } = await api.call<{ id: string }>("POST", "/v1/delegations", body);
        return { id, next: `Call wait with id ${id}.` };
      }),
  );
  server.registerTool(
    "plan",
    {
      title: "Run a plan of several briefs",
      description: `Runs several briefs with their order, tests and verifies the combined whole, and lands it as one. Use it only for work with parts that can be judged one by one; otherwise delegate. The plan is linted first: an error refuses it, a warning is told.\n\nFor each brief:\n${briefAdvice}`,
      inputSchema: toolInput.plan,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    },
    ({ checkFiles, ...rest }) =>
      answerOf(async () => {
        const body = { ...rest, checkFiles: encoded(checkFiles) };
        const { id, findings = [] } = await api.call<{ id: string; findings?: { rule: string; message: string }[] }>(
          "POST",
          "/v1/plans",
          body,
        );
        const warnings = findings.map(({ rule, message }) => ({ rule, message }));
        return { id, ...(warnings.length > 0 ? { warnings } : {}), next: `Call wait with id ${id}.` };
      }),
  );
}
