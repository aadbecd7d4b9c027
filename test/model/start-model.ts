/**
 * A model stand-in: a real HTTP server on loopback that speaks OpenAI Chat Completions and answers from a script, one
 * turn for each answer that a conversation already holds. It records what it was asked.
 */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { chatAnswer, type Turn } from "./chat.ts";

export type { ToolCall, Turn } from "./chat.ts";

export interface ChatMessage {
  role: string;
  content?: unknown;
  tool_calls?: unknown[];
  tool_call_id?: string;
}

/** A request as it came. `turn` is the number of answers the conversation already held; -1 for what is no chat. */
export interface ModelRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: { model?: string; messages?: ChatMessage[]; tools?: unknown[]; stream?: boolean } & Record<string, unknown>;
  turn: number;
}

/** What the model says: by turn, or worked out from the request. After the last turn it says "done". */
export type Script = readonly Turn[] | ((request: ModelRequest) => Turn);

export interface Model {
  /** `http://127.0.0.1:PORT`, without `/v1`: a policy's model route has it as its base. */
  url: string;
  requests: ModelRequest[];
  close(): Promise<void>;
}

/** Starts the stand-in on a free port of 127.0.0.1. Close it: it keeps the process alive. */
export async function startModel({ script }: { script: Script }): Promise<Model> {
  const requests: ModelRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing, script, requests).catch((error: unknown) => outgoing.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  script: Script,
  requests: ModelRequest[],
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const path = incoming.url ?? "";
  const isChat = incoming.method === "POST" && path === "/v1/chat/completions";
  let body: ModelRequest["body"] = {};
  try {
    body = JSON.parse(bytes.toString("utf8") || "{}");
  } catch {
    return send(outgoing, 400, { error: { message: "the body is not JSON", type: "invalid_request_error" } });
  } finally {
    const turn = isChat ? (body.messages ?? []).filter((m) => m.role === "assistant").length : -1;
    requests.push({ method: incoming.method ?? "", path, headers: incoming.headers, body, turn });
  }
  if (!isChat)
    return send(outgoing, 404, { error: { message: `no ${incoming.method} ${path} here`, type: "not_found" } });
  if (!Array.isArray(body.messages) || typeof body.model !== "string") {
    return send(outgoing, 400, {
      error: { message: "model and messages are required", type: "invalid_request_error" },
    });
  }
  const request = requests.at(-1) as ModelRequest;
  const turn = typeof script === "function" ? script(request) : (script[request.turn] ?? { text: "done" });
  const said = chatAnswer(turn, {
    model: body.model,
    stream: body.stream === true,
    id: String(requests.length),
    bytes: bytes.length,
  });
  outgoing.writeHead(said.status, { "content-type": said.type });
  for (const part of said.parts) outgoing.write(part);
  outgoing.end();
}

function send(outgoing: ServerResponse, status: number, body: object): void {
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(JSON.stringify(body));
}
