/** What an executor is told: its brief, this attempt's place, and the feedback. Never a check, never the verifier. Pure. */
import type { Delegation } from "../domain/delegation.ts";
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
  return findings.map(({ reason, message, path, line }) => ({ reason, message, ...(path ? { path } : {}), ...(line ? { line } : {}) }));
}

export function executorBrief(record: Delegation, attempt: number): ExecutorBrief {
  const last = record.attempts.filter((a) => a.number < attempt && a.rejection).at(-1);
  const { brief, policy } = record;
  return {
    title: brief.title,
    instructions: brief.instructions,
    accept: brief.accept.map(({ id, must }) => ({ id, must })),
    writable: policy.filesystem.writable,
    attempt,
    attempts: policy.budget.attempts,
    feedback: feedbackOf(last?.rejection?.findings ?? []),
  };
}

export function executorPrompt(brief: ExecutorBrief): string {
  const lines = [
    `# ${brief.title}`,
    "",
    brief.instructions.trim(),
    "",
    "The result is accepted when:",
    ...brief.accept.map((a) => `- ${a.id}: ${a.must}`),
    "",
    `Work in /workspace. You may change: ${brief.writable.join(", ") || "nothing"}. Anything else is rejected by the host.`,
    "The host takes the difference itself and runs the tests itself: there is nothing to commit or push.",
    'If you cannot do it, run: report stuck "why". That is an honest outcome, not a failure.',
  ];
  if (brief.feedback.length > 0) {
    lines.push("", `This is attempt ${brief.attempt} of ${brief.attempts}. The last proposal, which lies in /workspace, was rejected:`);
    for (const item of brief.feedback) {
      lines.push(`- ${item.path ? `${item.path}${item.line ? `:${item.line}` : ""}: ` : ""}${item.message}`);
    }
  }
  return lines.join("\n");
}
