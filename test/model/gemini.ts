/** Gemini (`POST /v1beta/models/MODEL:generateContent` and `:streamGenerateContent?alt=sse`). */
import { type Dialect, isGreeting, listOf, objectOf, pieces, runs, type Said, sse, textOf } from "./dialect.ts";

const pattern = /^(?:\/v1(?:beta)?)?\/models\/([^/:?]+):(generateContent|streamGenerateContent|countTokens)$/;

export const gemini: Dialect = {
  protocol: "gemini",
  path: (path) => {
    const verb = pattern.exec(path)?.[2];
    return verb === undefined ? undefined : verb === "countTokens" ? "count" : "answer";
  },
  read(body, path) {
    const [, model = "", verb] = pattern.exec(path) ?? [];
    if (!Array.isArray(body["contents"])) return "contents is not specified";
    const contents = listOf(body["contents"]);
    const declared = listOf(body["tools"]).flatMap((t) => listOf(t["functionDeclarations"]));
    return {
      protocol: "gemini",
      model,
      stream: verb === "streamGenerateContent",
      turn: runs(contents, (c) => c["role"] === "model" && !isGreeting(textOf(c["parts"]))).length,
      text: [body["systemInstruction"], ...contents.filter((c) => c["role"] !== "model")].map(textOf).join("\n"),
      tools: declared.map((d) => ({
        name: String(d["name"]),
        parameters: objectOf(d["parametersJsonSchema"] ?? d["parameters"]),
      })),
      wantsUsage: true,
    };
  },
  whole: (said) => answer(said, partsOf(said), finishOf(said)),
  events(said) {
    const calls = partsOf(said).filter((part) => "functionCall" in part);
    // Calls come whole, in the last chunk; usage is in every chunk, and the last one counts.
    const events = pieces(said.text).map((text) => sse(answer(said, [{ text }])));
    return [...events, sse(answer(said, calls.length > 0 ? calls : [{ text: "" }], finishOf(said)))];
  },
  count: (tokens) => ({ totalTokens: tokens, promptTokensDetails: [{ modality: "TEXT", tokenCount: tokens }] }),
  error(status, message) {
    const names: Record<number, string> = { 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE" };
    return {
      error: { code: status, message, status: names[status] ?? (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT") },
    };
  },
};

function partsOf(said: Said): object[] {
  const calls = said.calls.map((call) => ({ functionCall: { id: call.id, name: call.name, args: call.arguments } }));
  return said.text === "" && calls.length > 0 ? calls : [{ text: said.text }, ...calls];
}

function finishOf(said: Said): string {
  return said.cut ? "MAX_TOKENS" : "STOP";
}

function answer(said: Said, parts: readonly object[], finishReason?: string): object {
  const finish = finishReason === undefined ? {} : { finishReason };
  return {
    candidates: [{ content: { parts, role: "model" }, ...finish, index: 0 }],
    ...usageOf(said),
    modelVersion: said.model,
    responseId: said.id,
  };
}

function usageOf({ usage }: Said): object {
  if (usage === undefined) return {};
  if ("raw" in usage) return { usageMetadata: usage.raw };
  const prompt = usage.input + (usage.cached ?? 0);
  return {
    usageMetadata: {
      promptTokenCount: prompt,
      candidatesTokenCount: usage.output,
      totalTokenCount: prompt + usage.output + (usage.reasoning ?? 0),
      ...(usage.cached === undefined ? {} : { cachedContentTokenCount: usage.cached }),
      ...(usage.reasoning === undefined ? {} : { thoughtsTokenCount: usage.reasoning }),
    },
  };
}
