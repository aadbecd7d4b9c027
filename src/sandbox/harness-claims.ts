/**
 * What a harness says that it ran: commands out of its own event stream (a JSON object a line, each CLI in its own form).
 * A claim and nothing more: it is shown beside what the kernel saw, and nothing is decided by it. Pure.
 */
import type { EventData } from "../domain/event.ts";
import { claimBytes, mostClaims } from "../domain/processes.ts";
import type { SandboxOutput } from "./engine.ts";

type Json = Record<string, unknown>;
interface Claim {
  id: string | undefined;
  command: string;
  exit: number | undefined;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const part = (value: unknown, key: string): Json => {
  const inner = isObject(value) ? value[key] : undefined;
  return isObject(inner) ? inner : {};
};
const textOf = (value: unknown): string | undefined => {
  if (typeof value === "string") return value;
  return Array.isArray(value) && value.every((word) => typeof word === "string") ? value.join(" ") : undefined;
};

function claim(id: unknown, command: unknown, exit?: unknown): Claim[] {
  const text = textOf(command);
  if (text === undefined || text === "") return [];
  return [
    {
      id: typeof id === "string" ? id : undefined,
      command: text.slice(0, claimBytes).toWellFormed(),
      exit: Number.isSafeInteger(exit) ? (exit as number) : undefined,
    },
  ];
}

/** The commands that one event speaks of. */
function claimsIn(event: Json): Claim[] {
  switch (event["type"]) {
    // codex exec --json
    case "item.started":
    case "item.completed": {
      const item = part(event, "item");
      return item["type"] === "command_execution" ? claim(item["id"], item["command"], item["exit_code"]) : [];
    }
    // claude -p --output-format stream-json
    case "assistant": {
      const { content } = part(event, "message");
      const used = Array.isArray(content) ? content.filter(isObject).filter((one) => one["type"] === "tool_use") : [];
      return used.flatMap((one) => claim(one["id"], part(one, "input")["command"]));
    }
    // pi --mode json
    case "tool_execution_start":
      return claim(event["toolCallId"], part(event, "args")["command"]);
    // opencode run --format json
    case "tool_use": {
      const tool = part(event, "part");
      const state = part(tool, "state");
      return claim(tool["callID"], part(state, "input")["command"], part(state, "metadata")["exit"]);
    }
    default:
      return [];
  }
}

function linesOf(bytes: Buffer): string[] {
  return bytes.toString("utf8").split("\n");
}

/**
 * The claims of a sandbox's output, as an event; undefined where it made none. Of a long output only its two ends are
 * kept: what was said between is not known, and `cut` says so.
 */
export function claimedBy(sandbox: string, output: SandboxOutput): EventData<"sandbox.claimed"> | undefined {
  const { bytes, head, tail } = output;
  const cut = bytes > head.length + tail.length;
  // The ends of a short output overlap.
  const rest = cut ? tail : tail.subarray(Math.max(0, head.length + tail.length - bytes));
  const lines = cut ? [...linesOf(head), ...linesOf(rest)] : linesOf(Buffer.concat([head, rest]));
  const known = new Map<string, Claim>();
  const claims: Claim[] = [];
  for (const line of lines) {
    if (!line.startsWith("{")) continue;
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch {
      continue; // A line that was cut, or something else that begins with a brace.
    }
    if (!isObject(event)) continue;
    for (const one of claimsIn(event)) {
      const before = one.id === undefined ? undefined : known.get(one.id);
      if (before) before.exit = one.exit ?? before.exit;
      else claims.push(one);
      if (one.id !== undefined && !before) known.set(one.id, one);
    }
  }
  if (claims.length === 0) return undefined;
  const commands = claims
    .slice(0, mostClaims)
    .map(({ command, exit }) => ({ command, ...(exit === undefined ? {} : { exit }) }));
  return { sandbox, by: "harness", total: claims.length, cut, commands };
}
