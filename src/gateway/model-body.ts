/**
 * A model request's body: read as every parser would read it, checked by its protocol, and written anew, so that what is
 * forwarded is what was checked. Pure.
 */
import type { DenialCode } from "../domain/denial.ts";
import type { ModelProtocol } from "../domain/model.ts";
import { anthropicBody, chatBody, geminiBody, responsesBody } from "../domain/model-body.ts";
import type { ModelRoute } from "../domain/policy.ts";
import type { Denial } from "./denial.ts";
import { modelDepth, modelParts } from "./limits.ts";
import { findingsIn } from "./model-fields.ts";
import { addNote } from "./model-note.ts";
import { parseStrictJson } from "./strict-json.ts";

/** A body that may go on once its output is capped. */
export interface CheckedBody {
  model: string;
  /** The most tokens the request can bring in: each token is at least one byte of what is sent. */
  input: number;
  /** The output it asks for; undefined where it leaves that to the provider. */
  output: number | undefined;
  /** Whether its answer comes as a stream of events. */
  stream: boolean;
  /** The bytes to forward, with this cap of its output and, where there is one, a note for the harness. */
  write(output: number | undefined, note: string | undefined): Buffer;
}

export type BodyCheck = { ok: true; body: CheckedBody } | { ok: false; denial: Denial };

type Fields = Record<string, unknown>;
const schemas = {
  "anthropic-messages": anthropicBody,
  "openai-chat": chatBody,
  "openai-responses": responsesBody,
  gemini: geminiBody,
} as const;

/** Tokens that a provider adds itself: the frame of a conversation, and what it tells a model about tools. */
const frameTokens = 2048;
/** Tokens of a picture, whose bytes say little: more than the providers' own rules make of the largest. */
const pictureTokens: Record<ModelProtocol, number> = {
  "anthropic-messages": 6_000,
  "openai-chat": 50_000,
  "openai-responses": 50_000,
  gemini: 10_000,
};
/** Tokens of a document, sound or film, whose bytes say nothing: the largest context that any model takes. */
const mediaTokens = 2_000_000;

/** Checks a body. `pathModel` is the model where the path names it (Gemini). */
export function checkBody(
  protocol: ModelProtocol,
  route: ModelRoute,
  name: string,
  bytes: Buffer,
  pathModel: string | undefined,
): BodyCheck {
  const rule = `models.${name}`;
  const refuse = (code: DenialCode, why: string, next: string): BodyCheck => ({
    ok: false,
    denial: { status: 400, code, rule, why, next },
  });
  const malformed = (why: string) => refuse("model-body", why, "Send the request as the provider documents it.");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return malformed("the body is not UTF-8");
  }
  const json = parseStrictJson(text, modelDepth, modelParts);
  if (!json.ok) return malformed(json.why);
  const spelled = misspelled(protocol, json.value);
  if (spelled !== undefined) return malformed(spelled);
  const parsed = schemas[protocol].safeParse(json.value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return malformed(
      `${issue?.path.map(String).join(".").slice(0, 200) || "the body"}: ${issue?.message ?? "not valid"}`,
    );
  }
  // What was parsed, not what the schema made of it: every field goes on that is not refused.
  const fields = json.value as Fields;
  const allowed = new Set<string>(route.allow ?? []);
  const finding = findingsIn(protocol, fields).find(({ exception }) => !allowed.has(exception));
  if (finding) {
    const { exception, what } = finding;
    const next = `Turn it off in the harness; the policy would allow it with ${rule}.allow: [${exception}].`;
    return { ok: false, denial: { status: 403, code: `model-${exception}`, rule: `${rule}.allow`, why: what, next } };
  }
  const model = pathModel ?? String(fields["model"]);
  const carried = frameTokens + mediaIn(fields, pictureTokens[protocol]);
  return {
    ok: true,
    body: {
      model,
      input: bytes.length + carried,
      output: outputOf(protocol, fields),
      stream: fields["stream"] === true,
      write(output, note) {
        // Parsed again: while a reservation is waited for, only the bytes are held.
        const fields = JSON.parse(bytes.toString("utf8")) as Fields;
        if (output !== undefined) setOutput(protocol, fields, output);
        if (protocol === "openai-chat" && fields["stream"] === true) {
          fields["stream_options"] = { ...(fields["stream_options"] as object | undefined), include_usage: true };
        }
        // Left out it would be true: the provider would keep what passes here.
        if (protocol === "openai-responses" && !allowed.has("stored")) fields["store"] = false;
        if (note !== undefined) addNote(protocol, fields, note);
        return Buffer.from(JSON.stringify(fields), "utf8");
      },
    },
  };
}

function outputOf(protocol: ModelProtocol, fields: Fields): number | undefined {
  const said = outputKeys[protocol].map((key) => holderOf(protocol, fields, false)?.[key]);
  const caps = said.filter((value) => typeof value === "number");
  return caps.length === 0 ? undefined : Math.max(...caps);
}

const outputKeys: Record<ModelProtocol, readonly [string, ...string[]]> = {
  "anthropic-messages": ["max_tokens"],
  "openai-chat": ["max_completion_tokens", "max_tokens"],
  "openai-responses": ["max_output_tokens"],
  gemini: ["maxOutputTokens"],
};

/** The object that holds the cap of the output. */
function holderOf(protocol: ModelProtocol, fields: Fields, make: boolean): Fields | undefined {
  if (protocol !== "gemini") return fields;
  if (make) fields["generationConfig"] ??= {};
  return fields["generationConfig"] as Fields | undefined;
}

/** Caps the output. What a request says stays where it says it; one that says nothing is given the protocol's own field. */
function setOutput(protocol: ModelProtocol, fields: Fields, output: number): void {
  const holder = holderOf(protocol, fields, true) as Fields;
  const keys = outputKeys[protocol];
  const said = keys.filter((key) => typeof holder[key] === "number");
  for (const key of keys) if (!said.includes(key)) delete holder[key];
  // Of the two of Chat, `max_tokens` is the one that servers of every age know.
  for (const key of said.length > 0 ? said : [keys.at(-1) ?? keys[0]]) holder[key] = output;
  const thinking = fields["thinking"] as Fields | undefined;
  const least = 1024;
  if (protocol === "anthropic-messages" && typeof thinking?.["budget_tokens"] === "number") {
    // A provider refuses thoughts that do not fit into the output.
    if (output <= least) delete fields["thinking"];
    else thinking["budget_tokens"] = Math.min(thinking["budget_tokens"], output - 1);
  }
}

/** Tokens of pictures, documents, sound and film in a body beyond their bytes. */
function mediaIn(body: Fields, picture: number): number {
  let tokens = 0;
  const open: unknown[] = [body];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null) continue;
    if (!Array.isArray(value)) {
      const { type, inlineData, mimeType } = value as Fields;
      if (type === "image" || type === "image_url" || type === "input_image") tokens += picture;
      if (
        type === "document" ||
        type === "input_file" ||
        type === "file" ||
        type === "input_audio" ||
        type === "video_url"
      )
        tokens += mediaTokens;
      if (inlineData !== undefined) {
        const kind = String((inlineData as Fields | null)?.["mimeType"] ?? mimeType);
        tokens += kind.startsWith("image/") ? picture : mediaTokens;
      }
    }
    for (const inner of Object.values(value)) open.push(inner);
  }
  return Math.min(tokens, mediaTokens);
}

/** Fields that mean something here and that a lenient server would read in another spelling too. */
const meant = new Map(
  [
    ...Object.keys(anthropicBody.shape),
    ...Object.keys(chatBody.shape),
    ...Object.keys(responsesBody.shape),
    ...Object.keys(geminiBody.shape),
    ...["web_search_options", "plugins", "search_parameters", "enable_search", "data_sources", "models", "route"],
    ...["previous_response_id", "conversation", "prompt", "cachedContent", "speed", "inference_geo"],
  ].map((key) => [key.toLowerCase(), key]),
);

/** A field in letters that one parser takes for the field we check and another does not. */
function misspelled(protocol: ModelProtocol, value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "the body is not an object";
  for (const key of Object.keys(value)) {
    const known = meant.get(key.toLowerCase());
    if (known !== undefined && known !== key) return `the field ${key.slice(0, 60)} is written ${known}`;
  }
  // Google's JSON takes each field in two spellings (snake_case too): one is enough, and it is the documented one.
  return protocol === "gemini" ? snakeIn(value) : undefined;
}

const geminiData: ReadonlySet<string> = new Set([
  "args",
  "response",
  "parameters",
  "parametersJsonSchema",
  "responseSchema",
  "responseJsonSchema",
  "labels",
]);

function snakeIn(body: object): string | undefined {
  const open: object[] = [body];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    for (const [key, inner] of Object.entries(value)) {
      if (!Array.isArray(value)) {
        if (key.includes("_")) return `the field ${key.slice(0, 60)} is written in camelCase`;
        if (geminiData.has(key)) continue;
      }
      if (typeof inner === "object" && inner !== null) open.push(inner);
    }
  }
  return undefined;
}
