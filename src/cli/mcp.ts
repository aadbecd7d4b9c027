/** `sallyport mcp`: the planner's verbs for a senior harness, as an MCP server on stdin and stdout. */
import type { Command } from "commander";
import { serveMcp } from "../mcp/server.ts";
import { call, callRaw } from "./client.ts";
import { action, command, done, type Globals } from "./context.ts";

async function mcp({ state }: Globals): Promise<number> {
  await serveMcp(
    {
      call: (method, path, body) => call(state, method, path, body),
      bytes: (path) => callRaw(state, "GET", path),
    },
    (error) => process.stderr.write(`sallyport mcp: ${error.message}\n`),
  );
  return done;
}

export function mcpCommand(): Command {
  return command("mcp", "Serve the planner's verbs to a senior harness, as an MCP server on stdin and stdout.", [
    "claude mcp add sallyport -- sallyport mcp",
    "sallyport mcp --socket /run/sallyport/host.sock",
  ]).action(action(mcp));
}
