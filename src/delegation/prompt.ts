/** What an executor is told: its brief, this attempt's place, and the feedback. Never a check, never the verifier. Pure. */
import type { Delegation } from "../domain/delegation.ts";
import type { Policy } from "../domain/policy.ts";
import type { Finding } from "../domain/rejection.ts";

/** `/brief/brief.json` in the executor's sandbox. */
export interface ExecutorBrief {
  title: string;
  instructions: string;
  accept: { id: string; must: string }[];
  writable: string[];
  attempt: number;
  attempts: number;
  feedback: { reason: string; message: string; path?: string; line?: number }[];
}

/** The last rejection's findings, without what would tell the executor about the gate's inside. */
function feedbackOf(findings: readonly Finding[]): ExecutorBrief["feedback"] {
  return findings.map(({ reason, message, path, line }) => ({
    reason,
    message,
    ...(path ? { path } : {}),
    ...(line ? { line } : {}),
  }));
}

/** The brief as the executor gets it: without the intent, the checks, or who verifies. */
export function executorBrief(record: Delegation, attempt: number): ExecutorBrief {
  const last = record.attempts.filter((a) => a.number < attempt && a.rejection).at(-1);
  const { brief, policy } = record;
  return {
    title: brief.title,
    instructions: namedVariables(brief.instructions, policy),
    accept: brief.accept.map(({ id, must }) => ({ id, must })),
    writable: policy.filesystem.writable,
    attempt,
    attempts: policy.budget.attempts,
    feedback: feedbackOf(last?.rejection?.findings ?? []),
  };
}

/** `secret://name` as the executor can use it: the variable that holds the placeholder, where the policy gives it one. */
function namedVariables(text: string, policy: Policy): string {
  return text.replace(/secret:\/\/([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)/g, (reference, name: string) => {
    const variable = Object.hasOwn(policy.secrets, name) ? policy.secrets[name]?.env : undefined;
    return variable ? `$${variable}` : reference;
  });
}

/** The most bytes of a prompt: it is one argument of a program, and Linux takes 128 KiB (MAX_ARG_STRLEN). */
const promptLimit = 100 * 1024;

/** The prompt, for a command line. One that would not fit there sends the executor to the same words in its file. */
export function executorPrompt(brief: ExecutorBrief): string {
  // A NUL ends an argument.
  const whole = wholePrompt(brief).replaceAll("\0", "");
  if (Buffer.byteLength(whole) <= promptLimit) return whole;
  return [
    `# ${brief.title}`,
    "",
    "Your brief is too long for a command line. Read /brief/brief.json first: its instructions, what the result is accepted by,",
    "what you may change, and the feedback on the last attempt. Then do it.",
    "",
    ...closing(brief),
  ].join("\n");
}

const closing = (brief: ExecutorBrief) => [
  `Work in /workspace. You may change: ${shown(brief.writable)}. Anything else is rejected by the host.`,
  "The host takes the difference itself and runs the tests itself: there is nothing to commit or push.",
  "If you cannot do it (something is denied that the work needs, the brief contradicts itself, the same thing failed twice), run:",
  'report stuck "why". That is an honest outcome, not a failure: whoever wrote the brief then mends it. Do not go round in circles:',
  "the host ends who says nothing, asks the same again and again, or changes nothing for long. Nobody is here to answer a question.",
];

const shown = (patterns: readonly string[]) => {
  if (patterns.length > 100) return "what /brief/brief.json names as writable";
  return patterns.join(", ") || "nothing";
};

function wholePrompt(brief: ExecutorBrief): string {
  const lines = [
    `# ${brief.title}`,
    "",
    brief.instructions.trim(),
    "",
    "The result is accepted when:",
    ...brief.accept.map((a) => `- ${a.id}: ${a.must}`),
    "",
    ...closing(brief),
  ];
  if (brief.feedback.length > 0) {
    lines.push(
      "",
      `This is attempt ${brief.attempt} of ${brief.attempts}. The last proposal, which lies in /workspace, was rejected:`,
    );
    for (const item of brief.feedback) {
      lines.push(`- ${item.path ? `${item.path}${item.line ? `:${item.line}` : ""}: ` : ""}${item.message}`);
    }
  }
  return lines.join("\n");
}
