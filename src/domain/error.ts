/**
 * The one coded error of the house. Every code is listed in docs/errors.md with its meaning and the next step; the
 * process exit code follows from it, so a caller never parses a message.
 */

/** Exit codes of the command line. */
export const exitCode = { done: 0, rejected: 1, usage: 2, stuck: 3, overBudget: 4, refused: 5, failed: 6 } as const;

/** Every error code, with the exit code a command ends with when it meets it. */
export const errorCodes = {
  // what the caller wrote is not valid
  usage: exitCode.usage,
  "brief-invalid": exitCode.usage,
  "plan-invalid": exitCode.usage,
  "policy-invalid": exitCode.usage,
  "config-invalid": exitCode.usage,
  "harness-invalid": exitCode.usage,
  "request-invalid": exitCode.usage,
  "canary-invalid": exitCode.usage,
  "proof-invalid": exitCode.usage,
  "repository-invalid": exitCode.usage,
  "ref-invalid": exitCode.usage,
  "not-found": exitCode.usage,
  "backup-invalid": exitCode.usage,
  "key-reused": exitCode.usage,
  // understood, and refused
  "repository-refused": exitCode.refused,
  "ref-refused": exitCode.refused,
  "policy-widened": exitCode.refused,
  "verifier-not-independent": exitCode.refused,
  "mission-refused": exitCode.refused,
  "credential-in-brief": exitCode.refused,
  "secret-unavailable": exitCode.refused,
  "control-missing": exitCode.refused,
  "image-missing": exitCode.refused,
  "engine-missing": exitCode.refused,
  "console-missing": exitCode.refused,
  "approval-missing": exitCode.refused,
  "approval-invalid": exitCode.refused,
  "approval-expired": exitCode.refused,
  "target-moved": exitCode.refused,
  "landing-conflict": exitCode.refused,
  "landing-rejected": exitCode.refused,
  "action-refused": exitCode.refused,
  "action-failed": exitCode.rejected,
  "target-checked-out": exitCode.refused,
  "state-refused": exitCode.refused,
  "gate-closed": exitCode.refused,
  "plan-member": exitCode.refused,
  "queue-full": exitCode.refused,
  "role-refused": exitCode.refused,
  "token-refused": exitCode.refused,
  "rate-limited": exitCode.refused,
  "host-draining": exitCode.refused,
  "state-newer": exitCode.refused,
  "ledger-broken": exitCode.rejected,
  // the host's own failures
  "engine-failed": exitCode.failed,
  "image-failed": exitCode.failed,
  "sandbox-failed": exitCode.failed,
  "gateway-failed": exitCode.failed,
  "worktree-failed": exitCode.failed,
  "git-failed": exitCode.failed,
  "ledger-failed": exitCode.failed,
  "anchor-failed": exitCode.failed,
  "host-busy": exitCode.failed,
  "host-unreachable": exitCode.failed,
  "answer-refused": exitCode.failed,
  internal: exitCode.failed,
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** A failure with a stable code, a message that says what was found, and the next step to take. */
export class SallyportError extends Error {
  readonly code: ErrorCode;
  /** What the reader should do now, as a sentence; empty only where nothing can be done. */
  readonly next: string;
  /** File and position of the cause where there is one, as `file:line:column`. */
  readonly at: string | undefined;

  constructor(code: ErrorCode, message: string, options: { next?: string; at?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SallyportError";
    this.code = code;
    this.next = options.next ?? "";
    this.at = options.at;
  }

  get exitCode(): number {
    return errorCodes[this.code];
  }

  toJSON(): { code: ErrorCode; message: string; next: string; at?: string } {
    return { code: this.code, message: this.message, next: this.next, ...(this.at ? { at: this.at } : {}) };
  }
}

/** Any thrown value as a coded error: what is not ours is `internal`, with the original as cause. */
export function asSallyportError(thrown: unknown): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SallyportError("internal", message, {
    next: "This is a fault of Sallyport: report it with the ledger lines around it.",
    cause: thrown,
  });
}
