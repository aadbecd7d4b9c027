/**
 * What in a request would make a provider do more than answer (ATTACKS N15): tools that it runs itself, servers that it
 * calls, sources that it fetches, files and conversations that it keeps. Each finding names the exception that would
 * allow it. Pure.
 */
import type { ModelException, ModelProtocol } from "../domain/model.ts";

export interface Finding {
  exception: ModelException;
  /** Where in the body, and what it would do. */
  what: string;
}

type Body = Readonly<Record<string, unknown>>;

/** Everything in a body that an exception is needed for. */
export function findingsIn(protocol: ModelProtocol, body: Body): Finding[] {
  const findings: Finding[] = [];
  const found = (exception: ModelException, what: string) => findings.push({ exception, what });
  fields[protocol](body, found);
  sources(protocol, body, found);
  return findings;
}

type Found = (exception: ModelException, what: string) => void;
const set = (value: unknown) => value !== undefined && value !== null && value !== false;
const isObject = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const objects = (value: unknown): Body[] => (Array.isArray(value) ? value.filter(isObject) : []);

const fields: Record<ModelProtocol, (body: Body, found: Found) => void> = {
  "anthropic-messages"(body, found) {
    if (set(body["mcp_servers"])) found("remote-mcp", "mcp_servers: the provider would call a server");
    if (set(body["container"])) found("files", "container: the provider would run code on files it keeps");
    for (const { type, name } of objects(body["tools"])) {
      // What the client runs itself; every other type is the provider's.
      if (type === undefined || type === "custom") continue;
      if (/^(?:bash|text_editor|computer|memory)_\d{8}$/.test(String(type))) continue;
      found(
        String(type).includes("mcp") ? "remote-mcp" : "server-tools",
        `tools: ${shown(type, name)} runs at the provider`,
      );
    }
    if (body["speed"] !== undefined && body["speed"] !== "standard") found("priority", "speed: a dearer tier");
    if (set(body["inference_geo"]) && body["inference_geo"] !== "global")
      found("priority", "inference_geo: a dearer tier");
  },
  "openai-chat"(body, found) {
    for (const { type } of objects(body["tools"])) {
      if (type !== "function" && type !== "custom") found("server-tools", `tools: ${shown(type)} runs at the provider`);
    }
    for (const key of [
      "web_search_options",
      "plugins",
      "search_parameters",
      "enable_search",
      "data_sources",
      "web_search",
    ])
      if (set(body[key])) found("server-tools", `${key}: the provider would search`);
    // A router's other spelling of a search, and of models that were not checked.
    if (/:online$/.test(String(body["model"]))) found("server-tools", "model: `:online` searches the web");
    if (set(body["models"])) found("server-tools", "models: another model than the one that is asked for");
    if (set(body["route"])) found("server-tools", "route: another model than the one that is asked for");
    if (set(body["store"])) found("stored", "store: the provider would keep the answer");
    tier(body, found);
  },
  "openai-responses"(body, found) {
    const tools = (list: unknown): void => {
      for (const tool of objects(list)) {
        const { type, name } = tool;
        if (type === "mcp") found("remote-mcp", "tools: mcp: the provider would call a server");
        else if (type === "namespace") tools(tool["tools"]);
        else if (type === "shell" && isObject(tool["environment"]) && tool["environment"]["type"] !== "local")
          found("server-tools", "tools: shell in a container of the provider's");
        else if (!clientTools.has(String(type)))
          found("server-tools", `tools: ${shown(type, name)} runs at the provider`);
      }
    };
    tools(body["tools"]);
    if (set(body["background"])) found("background", "background: the work would go on without this connection");
    if (set(body["store"])) found("stored", "store: the provider would keep the answer");
    for (const key of ["previous_response_id", "conversation", "prompt"])
      if (set(body[key])) found("stored", `${key}: what the provider keeps, and nobody checked`);
    for (const item of objects(body["input"])) {
      if (item["type"] === "item_reference") found("stored", "input: item_reference: what the provider keeps");
      if (String(item["type"]).startsWith("mcp_")) found("remote-mcp", `input: ${shown(item["type"])}`);
    }
    tier(body, found);
  },
  gemini(body, found) {
    if (set(body["cachedContent"])) found("stored", "cachedContent: what the provider keeps, and nobody checked");
    for (const tool of objects(body["tools"])) {
      for (const key of Object.keys(tool)) {
        if (key === "functionDeclarations") continue;
        found(key === "mcpServers" ? "remote-mcp" : "server-tools", `tools: ${shown(key)} runs at the provider`);
      }
    }
  },
};

/** Tools of the Responses protocol whose calls the client carries out. */
const clientTools: ReadonlySet<string> = new Set([
  "function",
  "custom",
  "local_shell",
  "shell",
  "apply_patch",
  "tool_search",
]);

function tier(body: Body, found: Found): void {
  const value = body["service_tier"];
  if (value === undefined || value === null || ["auto", "default", "flex", "standard_only"].includes(String(value)))
    return;
  found("priority", `service_tier: ${shown(value)}: a dearer tier`);
}

/** Keys below which a client's own data is, in whose words nothing is asked of the provider. */
const data: Record<ModelProtocol, ReadonlySet<string>> = {
  "anthropic-messages": new Set(["input", "input_schema", "metadata", "output_format", "output_config"]),
  "openai-chat": new Set(["parameters", "schema", "metadata", "response_format", "arguments"]),
  "openai-responses": new Set(["parameters", "schema", "metadata", "text", "arguments"]),
  gemini: new Set(["args", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "response"]),
};

/** Sources that the provider would fetch, and files that it keeps, wherever in the body they are. */
function sources(protocol: ModelProtocol, body: Body, found: Found): void {
  const open: unknown[] = [body];
  while (open.length > 0) {
    const value = open.pop();
    if (Array.isArray(value)) {
      for (const inner of value) if (typeof inner === "object" && inner !== null) open.push(inner);
      continue;
    }
    if (!isObject(value)) continue;
    for (const [key, inner] of Object.entries(value)) {
      look(key, inner, value, found);
      if (typeof inner === "object" && inner !== null && !data[protocol].has(key)) open.push(inner);
    }
  }
}

function look(key: string, inner: unknown, around: Body, found: Found): void {
  if (!set(inner)) return;
  switch (key) {
    case "file_id":
    case "file_ids":
    case "fileId":
      found("files", `${key}: a file that the provider keeps`);
      return;
    case "file_url":
    case "fileUrl":
      found("url-sources", `${key}: the provider would fetch it`);
      return;
    case "fileUri": {
      const kept = /^https:\/\/generativelanguage\.googleapis\.com\//.test(String(inner));
      found(kept ? "files" : "url-sources", "fileUri: the provider would fetch it");
      return;
    }
    case "image_url":
    case "video_url":
    case "audio_url": {
      const url = isObject(inner) ? inner["url"] : inner;
      if (typeof url !== "string" || !/^data:/i.test(url)) found("url-sources", `${key}: the provider would fetch it`);
      return;
    }
    case "source":
      if (!isObject(inner)) return;
      if (inner["type"] === "url" || inner["url"] !== undefined)
        found("url-sources", "source: the provider would fetch it");
      return;
    case "type":
      if (around["type"] === "container_upload") found("files", "container_upload: a file that the provider keeps");
      return;
  }
}

function shown(...names: unknown[]): string {
  const said = names.filter((name) => typeof name === "string").map((name) => String(name).slice(0, 60));
  return said.join(" ") || "a tool without a type";
}
