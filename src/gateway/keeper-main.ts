/**
 * The keeper process: `keeper-main.ts`, started by `startKeeper` as root with the daemon's environment. It answers the
 * gateway's `resolve` with a value, and only for references that the daemon has allowed: a gateway that was taken over
 * cannot read another file through it. It listens nowhere and connects nowhere.
 */
import type { Socket } from "node:net";
import { SallyportError } from "../domain/error.ts";
import { resolveSecret } from "../secrets/source.ts";
import { openLink } from "./secret-link.ts";
import { keptValues } from "./secret-vault.ts";

const environment = { ...process.env };
const allowed = new Map<string, ReadonlySet<string>>();
/**
 * What was given to a gateway, with the secret's name: one that is started again masks what the one before it masked, also
 * values that were replaced since, or whose source is gone.
 */
const given = new Map<string, string>();

/** What a vault's program is started with: the operator's variables, without those that are secrets themselves. */
function programEnvironment(): Record<string, string | undefined> {
  const kept = { ...environment };
  for (const references of allowed.values()) {
    for (const reference of references) if (reference.startsWith("env:")) delete kept[reference.slice(4)];
  }
  return kept;
}

async function answer(verb: string, data: unknown): Promise<unknown> {
  if (verb === "recall") return [...given];
  const asked = verb === "resolve" ? (data as { reference?: unknown; name?: unknown } | null) : undefined;
  const reference = typeof asked?.reference === "string" ? asked.reference : undefined;
  if (reference === undefined || ![...allowed.values()].some((references) => references.has(reference))) {
    throw new SallyportError("secret-unavailable", "no policy in force names that reference", {
      next: "Name it under `secrets` in the operator's policy.",
    });
  }
  const value = await resolveSecret(reference, {
    environment: reference.startsWith("exec:") ? programEnvironment() : environment,
    owner: process.getuid?.() ?? 0,
  });
  if (!given.has(value)) given.set(value, String(asked?.name ?? "").slice(0, 64));
  for (const oldest of given.keys()) {
    if (given.size <= keptValues) break;
    given.delete(oldest);
  }
  return value;
}

interface Told {
  type?: unknown;
  id?: unknown;
  holder?: unknown;
  references?: unknown;
}

process.on("message", (message, handle) => {
  const { type, id, holder, references } = message as Told;
  if (type === "link" && handle) openLink(handle as Socket, answer);
  else if (type === "allow" && typeof holder === "string" && Array.isArray(references)) {
    allowed.set(holder, new Set(references.filter((reference) => typeof reference === "string")));
  } else if (type === "release" && typeof holder === "string") allowed.delete(holder);
  // A daemon that says what this program does not know is another version of it.
  else process.exit(1);
  if (id !== undefined) process.send?.({ type: "done", id });
});
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole group; the daemon says when it is over.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.send?.({ type: "ready" });
