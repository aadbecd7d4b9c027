/** From a reference to its value. Runs where root's files can be read; nothing of a value is in any error. */
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import { runSecretProgram } from "./exec-source.ts";
import { readSecretFile } from "./file-source.ts";
import { parseReference, type Reference } from "./reference.ts";
import { readValue } from "./value.ts";

/** What the sources are read from. */
export interface SourceContext {
  /** The environment that the operator gave the daemon. */
  environment: Readonly<Record<string, string | undefined>>;
  /** The uid that owns secret files and programs. */
  owner: number;
  /** Milliseconds that a source may take. */
  time?: number;
}

/** Milliseconds for one source. */
export const sourceTime = 5000;

/** Resolves a reference now. Throws `secret-unavailable`, which names the reference and what is wrong. */
export async function resolveSecret(reference: string, context: SourceContext): Promise<string> {
  const parsed = parseReference(reference);
  const found = await within(context.time ?? sourceTime, (time) => readSource(parsed, context, time));
  const checked = "fault" in found ? found : readValue(found.text);
  if ("fault" in checked) {
    throw new SallyportError("secret-unavailable", `${reference}: ${checked.fault}`, { next: nextFor(parsed) });
  }
  return checked.value;
}

type Found = { text: string } | { fault: string };

async function readSource(reference: Reference, context: SourceContext, time: number): Promise<Found> {
  const { environment, owner } = context;
  switch (reference.kind) {
    case "env": {
      const text = Object.hasOwn(environment, reference.name) ? environment[reference.name] : undefined;
      return text === undefined ? { fault: "it is not in the environment that the daemon was started with" } : { text };
    }
    case "file":
      return readSecretFile(reference.path, owner);
    case "credential": {
      const directory = environment.CREDENTIALS_DIRECTORY;
      if (!directory?.startsWith("/")) return { fault: "the daemon was started without $CREDENTIALS_DIRECTORY" };
      return readSecretFile(join(directory, reference.name), owner);
    }
    case "exec":
      return runSecretProgram(reference.command, environment, time, owner);
  }
}

/** A file on a network mount can hang as well as a program can. */
async function within(time: number, work: (time: number) => Promise<Found>): Promise<Found> {
  const { promise, resolve } = Promise.withResolvers<Found>();
  const timer = setTimeout(() => resolve({ fault: `it gave no answer within ${time} ms` }), time + 200);
  return Promise.race([work(time), promise]).finally(() => clearTimeout(timer));
}

function nextFor(reference: Reference): string {
  switch (reference.kind) {
    case "env":
      return `Start the daemon again with ${reference.name} in its environment.`;
    case "file":
      return `Let root own it: chown root ${reference.path} && chmod 600 ${reference.path}`;
    case "credential":
      return `Give it to the unit: LoadCredential=${reference.name}:/path`;
    case "exec":
      return "Run the command as root with the daemon's environment, and see what it says.";
  }
}
