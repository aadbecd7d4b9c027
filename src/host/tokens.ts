/**
 * Tokens for the network: 256 random bits each, of which the file keeps the SHA-256 alone. Whoever reads the file can ask
 * nothing with it; whoever may write it is the operator.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { lstat, open, readFile, rename, rm } from "node:fs/promises";
import type { CallerRole } from "../domain/caller.ts";
import { SallyportError } from "../domain/error.ts";
import { type KeptToken, tokenFile } from "../domain/listen.ts";

const prefix = "sallyport_";
const hashOf = (token: string) => createHash("sha256").update(token).digest();

/** What a token is made with. */
export interface TokenRequest {
  name: string;
  role: CallerRole;
  planner?: string | undefined;
  expires?: Date | undefined;
}

function invalid(file: string, found: string, next: string, cause?: unknown): SallyportError {
  return new SallyportError("config-invalid", `${file}: ${found}`, { next, at: file, cause });
}

/** The tokens of a file. A file that others may read or write, or that is none, is refused with `control-missing` or `config-invalid`. */
export async function readTokens(file: string): Promise<KeptToken[]> {
  const { uid, mode, kind } = await lstat(file).then(
    (found) => ({ uid: found.uid, mode: found.mode, kind: found.isFile() ? "file" : "else" }),
    (cause: NodeJS.ErrnoException) => {
      throw invalid(file, cause.code ?? String(cause), "Make one: sallyport token create NAME --role auditor", cause);
    },
  );
  if (kind !== "file" || uid !== process.geteuid?.() || (mode & 0o077) !== 0) {
    throw new SallyportError("control-missing", `${file} can be read or written by others, or is no plain file`, {
      next: `chown root ${file} && chmod 600 ${file}`,
      at: file,
    });
  }
  const next = "Put back a copy, or remove the file and make the tokens anew.";
  try {
    const parsed = tokenFile.safeParse(JSON.parse(await readFile(file, "utf8")));
    if (parsed.success) return parsed.data.tokens;
    const [issue] = parsed.error.issues;
    throw invalid(file, `${issue?.path.join(".")}: ${issue?.message}`, next);
  } catch (cause) {
    throw cause instanceof SallyportError ? cause : invalid(file, "it is not JSON", next, cause);
  }
}

/** Makes a token and keeps its hash. The token itself is in the answer alone, once. */
export async function createToken(file: string, request: TokenRequest, now: Date): Promise<string> {
  const token = `${prefix}${randomBytes(32).toString("base64url")}`;
  const { name, role, planner, expires } = request;
  const kept: KeptToken = {
    name,
    role,
    ...(planner === undefined ? {} : { planner }),
    hash: hashOf(token).toString("hex"),
    created: now.toISOString(),
    ...(expires ? { expires: expires.toISOString() } : {}),
  };
  await change(file, (tokens) => {
    if (tokens.some((one) => one.name === name))
      throw new SallyportError("usage", `there is a token ${name}`, {
        next: `sallyport token revoke ${name}, or another name.`,
      });
    const checked = tokenFile.safeParse({ version: 1, tokens: [...tokens, kept] });
    if (checked.success) return checked.data.tokens;
    throw new SallyportError("usage", checked.error.issues[0]?.message ?? "not a token", {
      next: "A planner's token names its planner; the others name none.",
    });
  });
  return token;
}

/** Takes a token away: what it has open is ended within seconds. Throws `not-found`. */
export async function revokeToken(file: string, name: string): Promise<void> {
  await change(file, (tokens) => {
    const left = tokens.filter((one) => one.name !== name);
    if (left.length === tokens.length)
      throw new SallyportError("not-found", `there is no token ${name}`, { next: "See `sallyport token list`." });
    return left;
  });
}

/** One change at a time, whole or not at all. */
async function change(file: string, made: (tokens: KeptToken[]) => KeptToken[]): Promise<void> {
  const beside = `${file}.new`;
  const handle = await open(beside, "wx", 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError("host-busy", `${beside} cannot be made: ${cause.code}`, {
      next: "Another change is under way; where it was cut, remove that file.",
      cause,
    });
  });
  try {
    const there = await lstat(file).then(
      () => true,
      () => false,
    );
    const tokens = made(there ? await readTokens(file) : []);
    await handle.writeFile(`${JSON.stringify({ version: 1, tokens }, null, 1)}\n`);
    await handle.sync();
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

export interface Tokens {
  /** The token that was presented; undefined where it is unknown, revoked or over. */
  find(presented: string): Promise<KeptToken | undefined>;
  /** Whether a token that was found before still holds. */
  holds(token: KeptToken): Promise<boolean>;
}

/** Reads the file again whenever it has changed: a token that was revoked is so at once. */
export async function openTokens(file: string, now: () => Date): Promise<Tokens> {
  let known = await readTokens(file);
  let seen = await stampOf(file);
  const current = async () => {
    const stamp = await stampOf(file);
    if (stamp !== seen) {
      // A file that cannot be read lets nobody in.
      known = await readTokens(file).catch(() => []);
      seen = stamp;
    }
    return known;
  };
  const isOver = ({ expires }: KeptToken) => expires !== undefined && Date.parse(expires) <= now().getTime();
  return {
    async find(presented) {
      const hash = hashOf(presented);
      let found: KeptToken | undefined;
      // Every one is compared, in constant time: the answer's delay tells nothing of how near a guess was.
      for (const one of await current()) if (timingSafeEqual(Buffer.from(one.hash, "hex"), hash)) found = one;
      return found && !isOver(found) ? found : undefined;
    },
    holds: async (token) => (await current()).some(({ hash }) => hash === token.hash) && !isOver(token),
  };
}

const stampOf = (file: string) =>
  lstat(file, { bigint: true }).then(
    ({ ino, mtimeNs, ctimeNs, size }) => `${ino} ${mtimeNs} ${ctimeNs} ${size}`,
    () => "gone",
  );
