/** Learned rules as YAML to paste. Names and paths came out of a sandbox: each is quoted, so that none can end its line. */
import type { Learned, Seen } from "./learn.ts";
import { quoted, ruleFields } from "./show-rule.ts";

/** A `network` section, with how often each path was seen, and what is left to a person in comments. */
export function learnedYaml(learned: Learned, about: string): string {
  const lines = [`# ${comment(about)}`];
  for (const { request, times, why } of learned.left)
    lines.push(`# not proposed: ${comment(request)} (${seenText({ times, denied: 0 })}): ${comment(why)}`);
  if (learned.rules.length === 0) return [...lines, "network: [] # nothing to allow", ""].join("\n");
  lines.push("network:");
  for (const { rule, seen } of learned.rules) {
    const [tunnel] = seen[0]?.path === "CONNECT" ? seen : [];
    for (const [place, [key, value]] of ruleFields(rule).entries()) {
      const lead = place === 0 ? "  - " : "    ";
      if (key !== "paths" || tunnel)
        lines.push(
          `${lead}${key}: ${value}${place === 0 && tunnel ? ` # ${tunnelText(tunnel, rule.tls === "passthrough")}` : ""}`,
        );
      else {
        lines.push(`${lead}paths:`);
        for (const path of seen) lines.push(`      - ${quoted(path.path)} # ${seenText(path)}`);
      }
    }
  }
  return [...lines, ""].join("\n");
}

function tunnelText(seen: Seen, pinned: boolean): string {
  const what = pinned
    ? "a tunnel that is not read"
    : "refused before it said what it wants: this opens it for HEAD /, and the next run shows the rest";
  return `${seenText(seen)}; ${what}`;
}

function seenText({ times, denied }: { times: number; denied: number }): string {
  const text = times === 1 ? "seen once" : `seen ${times} times`;
  return denied === 0 ? text : denied === times ? `${text}, denied` : `${text}, ${denied} of them denied`;
}

/** Text that stays in its comment, whatever it holds. */
function comment(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replace(/[^\u0020-\u007e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
