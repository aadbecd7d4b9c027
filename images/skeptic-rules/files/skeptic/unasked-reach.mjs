// Refutation: library code reaches for what nobody asked for: the network, other programs, files, the environment. A
// change about something else that also does this is more than it says.
import { added, removed } from "./diff.mjs";
import { codeOf, isCode, isConfiguration, isEntry, isTest } from "./language.mjs";

const kinds = [
  {
    what: "the network",
    code: /(?<![.\w])fetch\s*\(|["'](?:node:)?(?:net|tls|dgram|https?|http2)["']|["'](?:undici|axios|node-fetch|got)["']|\bnew\s+(?:WebSocket|XMLHttpRequest|EventSource)\b|\b(?:import|from)\s+(?:socket|requests|httpx|aiohttp|urllib(?:\.\w+)?|http\.client|smtplib|ftplib)\b|"net(?:\/(?:http|rpc|smtp))?"/,
    asked:
      /\b(?:network|https?|fetch|requests?|download|upload|sockets?|urls?|servers?|clients?|api|webhooks?|telemetry)\b/i,
  },
  {
    what: "other programs",
    code: /["'](?:node:)?child_process["']|\b(?:import|from)\s+(?:subprocess|pty|ctypes)\b|\bos\.(?:system|popen|exec[lv]\w*|spawn\w+)\s*\(|"os\/exec"|"syscall"|"plugin"/,
    asked: /\b(?:run|runs|execute|commands?|programs?|process(?:es)?|shell|spawn|subprocess)\b/i,
  },
  {
    what: "files",
    code: /\b(?:writeFile|appendFile|createWriteStream|unlink|rmdir|rename|chmod|symlink|copyFile|mkdir)(?:Sync)?\s*\(|(?<![.\w])open\s*\([^)]*,\s*(?:mode\s*=\s*)?["'][wax]|\.write_(?:text|bytes)\s*\(|\bshutil\.\w+\s*\(|\bos\.(?:remove|unlink|rename|WriteFile|Create|OpenFile|RemoveAll)\s*\(/,
    asked: /\b(?:files?|disk|writes?|save[sd]?|stores?|persist\w*|logs?|export|output|cache)\b/i,
  },
  {
    what: "the environment",
    // NODE_ENV is the habit of every library; who asks whether it is tested is found by another rule.
    code: /\bprocess\.env\b(?!\.NODE_ENV\b)|\bos\.(?:environ|getenv|Getenv|LookupEnv)\b/,
    asked: /\b(?:env|environment|variables?|configur\w+|settings?|options?)\b/i,
  },
];

/** Findings where added code of a library reaches for such a thing, and neither the question nor the code before does. */
export function unaskedReach({ files, intent, accept }) {
  const question = [intent ?? "", ...accept.map((a) => a.must)].join("\n");
  return files.flatMap((file) => {
    if (!isCode(file.path) || isTest(file.path) || isEntry(file.path) || isConfiguration(file.path)) return [];
    return kinds.flatMap(({ what, code, asked }) => {
      const does = ({ text }) => code.test(codeOf(text, file.path));
      const here = file.hunks.flatMap((hunk) => hunk.lines.filter((line) => line.kind === " "));
      if (asked.test(question) || [...here, ...removed(file)].some(does)) return [];
      return added(file)
        .filter(does)
        .slice(0, 5)
        .map(({ line }) => ({
          path: file.path,
          line,
          what: `this reaches for ${what}, and nothing before it did`,
          why: "neither the intent nor a criterion asks for it: leave it out, or have the brief ask for it",
        }));
    });
  });
}
