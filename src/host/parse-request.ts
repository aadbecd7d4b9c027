/** What a caller of the API sent, by its schema. */
import { SallyportError } from "../domain/error.ts";

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } };
}

/** The value as the schema has it. Throws `request-invalid`. */
export function parseRequest<T>(schema: Schema<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.map(String).join(".") || "request"}: ${issue.message}`,
  );
  throw new SallyportError("request-invalid", problems.slice(0, 10).join("; "), { next: "Correct the request." });
}
