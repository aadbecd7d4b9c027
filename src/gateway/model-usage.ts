/**
 * What an answer says it used, read beside the stream: nothing is held back, and whatever way the bytes are cut makes no
 * difference. The last word of an answer counts, since every protocol's usage grows.
 */
import { type ModelProtocol, type ModelUsage, modelUsage } from "../domain/model.ts";
import { usageBytes } from "./limits.ts";

export interface Answered {
  usage?: ModelUsage;
  /** As the provider named it. */
  model?: string;
  /** Why there is no usage that can be believed. */
  why?: string;
}

export interface UsageReader {
  push(chunk: Buffer): void;
  /** Called once. `cut` says that the answer did not come to its end. */
  end(cut: boolean): Answered;
}

/** Reads the usage of one answer. `events` says that it is a stream of server-sent events. */
export function readUsage(protocol: ModelProtocol, events: boolean): UsageReader {
  let usage: Fields = {};
  let model: string | undefined;
  let said = false;
  let final = false;
  let tooLong = false;
  const take = (value: unknown) => {
    const found = find[protocol](value);
    if (found.model !== undefined) model = found.model.slice(0, 128);
    if (found.usage) usage = { ...usage, ...found.usage };
    said ||= found.last === true;
    final ||= found.final === true;
  };
  const parse = (text: string) => {
    // Chat says its usage in each piece at some providers; only this is the end of all of them.
    if (text === "[DONE]") final = true;
    // Most lines of a stream are pieces of text.
    if (!marks[protocol].test(text)) return;
    try {
      take(JSON.parse(text));
    } catch {
      // A line that is no JSON tells nothing.
    }
  };
  const lines = events ? eventLines(parse, () => (tooLong = true)) : undefined;
  const whole: Buffer[] = [];
  let length = 0;
  return {
    push(chunk) {
      if (lines) return lines.push(chunk);
      length += chunk.length;
      if (length > usageBytes) {
        tooLong = true;
        whole.length = 0;
      } else whole.push(chunk);
    },
    end(cut) {
      lines?.end();
      if (!lines && !tooLong) {
        try {
          const value: unknown = JSON.parse(Buffer.concat(whole).toString("utf8"));
          // Without `alt=sse` Gemini streams one array.
          for (const one of Array.isArray(value) ? value : [value]) take(one);
        } catch {
          return { why: "the answer is no JSON" };
        }
      }
      const named = model === undefined ? {} : { model };
      if (tooLong) return { ...named, why: `a part of the answer is longer than ${usageBytes} bytes` };
      if (Object.keys(usage).length === 0) return { ...named, why: "the answer says no usage" };
      if (!said || (cut && !final)) return { ...named, why: "the answer ended before its usage was final" };
      const read = modelUsage.safeParse(settle[protocol](usage));
      return read.success ? { ...named, usage: read.data } : { ...named, why: "the usage is not made of counts" };
    },
  };
}

type Fields = Record<string, unknown>;
interface Said {
  usage?: Fields | undefined;
  model?: string | undefined;
  /** Whether a whole answer's usage can be told from this on. */
  last?: boolean;
  /** Whether nothing that is paid for comes after it. */
  final?: boolean;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown) => (typeof value === "string" ? value : undefined);
const fieldsOf = (value: unknown) => (isFields(value) ? value : undefined);
/** Whether a candidate of Gemini's is done. */
const isDone = (candidate: unknown) => text(fieldsOf(candidate)?.["finishReason"]) !== undefined;

/** Lines that can hold a usage: the others are not parsed. */
const marks: Record<ModelProtocol, RegExp> = {
  "anthropic-messages": /"usage"/,
  "openai-chat": /"usage"/,
  "openai-responses": /"usage"/,
  gemini: /"usageMetadata"/,
};

const find: Record<ModelProtocol, (value: unknown) => Said> = {
  "anthropic-messages"(value) {
    if (!isFields(value)) return {};
    if (value["type"] === "message_start") {
      const message = fieldsOf(value["message"]);
      return { usage: fieldsOf(message?.["usage"]), model: text(message?.["model"]) };
    }
    // Cumulative: what it names takes the place of what was said before.
    if (value["type"] === "message_delta") {
      const last = isFields(value["usage"]);
      return { usage: fieldsOf(value["usage"]), last, final: last };
    }
    if (value["type"] === "message")
      return { usage: fieldsOf(value["usage"]), model: text(value["model"]), last: true };
    return {};
  },
  "openai-chat"(value) {
    if (!isFields(value)) return {};
    const usage = fieldsOf(value["usage"]);
    return { usage, model: text(value["model"]), last: usage !== undefined };
  },
  "openai-responses"(value) {
    if (!isFields(value)) return {};
    const response = isFields(value["response"]) ? value["response"] : value;
    const usage = fieldsOf(response["usage"]);
    const whole =
      value["object"] === "response" || /^response\.(?:completed|incomplete|failed)$/.test(String(value["type"]));
    const last = whole && usage !== undefined;
    return { usage, model: text(response["model"]), last, final: last };
  },
  gemini(value) {
    if (!isFields(value)) return {};
    const usage = fieldsOf(value["usageMetadata"]);
    const candidates = Array.isArray(value["candidates"]) ? value["candidates"] : [];
    const last = usage !== undefined;
    return { usage, model: text(value["modelVersion"]), last, final: last && candidates.some(isDone) };
  },
};

const number = (value: unknown) => (value === undefined || value === null ? 0 : value);
/** A difference of two counts; what is no count, or less than nothing, stays what the schema refuses. */
const less = (whole: unknown, ...parts: unknown[]): unknown =>
  parts.reduce<unknown>(
    (rest, part) => (typeof rest === "number" && typeof part === "number" ? rest - part : Number.NaN),
    whole,
  );
const sum = (...parts: unknown[]): unknown =>
  parts.reduce<unknown>(
    (all, part) => (typeof all === "number" && typeof part === "number" ? all + part : Number.NaN),
    0,
  );

const settle: Record<ModelProtocol, (usage: Fields) => unknown> = {
  "anthropic-messages"(usage) {
    const hour = fieldsOf(usage["cache_creation"])?.["ephemeral_1h_input_tokens"];
    return {
      input: usage["input_tokens"],
      cached: number(usage["cache_read_input_tokens"]),
      cacheWrite: number(usage["cache_creation_input_tokens"]),
      ...(typeof hour === "number" ? { cacheHour: hour } : {}),
      output: usage["output_tokens"],
    };
  },
  "openai-chat"(usage) {
    const cached = number(fieldsOf(usage["prompt_tokens_details"])?.["cached_tokens"]);
    return {
      input: less(usage["prompt_tokens"], cached),
      cached,
      cacheWrite: 0,
      output: usage["completion_tokens"],
    };
  },
  "openai-responses"(usage) {
    const cached = number(fieldsOf(usage["input_tokens_details"])?.["cached_tokens"]);
    return { input: less(usage["input_tokens"], cached), cached, cacheWrite: 0, output: usage["output_tokens"] };
  },
  gemini(usage) {
    const cached = number(usage["cachedContentTokenCount"]);
    const given = sum(number(usage["promptTokenCount"]), number(usage["toolUsePromptTokenCount"]));
    return {
      input: less(given, cached),
      cached,
      cacheWrite: 0,
      output: sum(number(usage["candidatesTokenCount"]), number(usage["thoughtsTokenCount"])),
    };
  },
};

/** The `data` lines of server-sent events (WHATWG HTML 9.2.6), each as text; an event of several lines is joined. */
function eventLines(found: (data: string) => void, tooLong: () => void): { push(chunk: Buffer): void; end(): void } {
  let line: Buffer[] = [];
  let length = 0;
  let data: string[] = [];
  let dataLength = 0;
  const dispatch = () => {
    if (data.length > 0) found(data.join("\n"));
    data = [];
    dataLength = 0;
  };
  const close = () => {
    const bytes = line.length === 1 && line[0] ? line[0] : Buffer.concat(line);
    line = [];
    length = 0;
    if (bytes.length === 0) return dispatch();
    if (bytes[0] !== 0x64 || bytes.subarray(0, 5).toString("latin1") !== "data:") return;
    const said = bytes.toString("utf8", bytes[5] === 0x20 ? 6 : 5);
    dataLength += said.length;
    if (dataLength > usageBytes) {
      tooLong();
      data = [];
    } else data.push(said);
  };
  /** A line feed behind a carriage return ends nothing more. */
  let returned = false;
  return {
    push(chunk) {
      let from = 0;
      if (returned && chunk[0] === 0x0a) from = 1;
      returned = false;
      while (from < chunk.length) {
        const feed = chunk.indexOf(0x0a, from);
        const back = chunk.subarray(from, feed < 0 ? chunk.length : feed).indexOf(0x0d);
        const at = back < 0 ? feed : from + back;
        if (at < 0) break;
        if (length >= 0 && at > from) line.push(chunk.subarray(from, at));
        close();
        from = at + 1;
        if (back >= 0) {
          if (from >= chunk.length) returned = true;
          else if (chunk[from] === 0x0a) from += 1;
        }
      }
      const rest = chunk.subarray(from);
      length += rest.length;
      if (length > usageBytes) {
        tooLong();
        line = [];
      } else if (rest.length > 0) line.push(rest);
    },
    end() {
      // An event without its blank line is none, but a server that ends right after it has said it all the same.
      close();
      dispatch();
    },
  };
}
