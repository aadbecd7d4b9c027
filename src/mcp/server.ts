/** The MCP server for a senior harness (modelcontextprotocol.io): the planner's verbs as tools, and nothing that weakens the host. */
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { version } from "../host/version.ts";
import type { Api } from "./api.ts";
import { addDecide } from "./decide.ts";
import { instructions } from "./guide.ts";
import { addHandOver } from "./hand-over.ts";
import { addLook } from "./look.ts";
import { addWatch } from "./watch.ts";

/** A server with all tools over one daemon's API. */
export function mcpServer(api: Api): McpServer {
  const server = new McpServer({ name: "sallyport", version }, { capabilities: { tools: {} }, instructions });
  addHandOver(server, api);
  addWatch(server, api);
  addLook(server, api);
  addDecide(server, api);
  return server;
}

/** Serves on stdin and stdout until the client goes. Nothing else may be printed on stdout. */
export async function serveMcp(api: Api, onerror: (error: Error) => void): Promise<void> {
  await new Promise<void>((done) => {
    const handle = serveStdio(() => mcpServer(api), { onerror });
    process.stdin.once("end", () => void handle.close().then(done));
    process.stdin.once("close", () => done());
  });
}
