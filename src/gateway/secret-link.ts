/**
 * Questions and answers over one end of a socket pair: a length of four bytes, then JSON. Two such links lead to the
 * gateway: from the daemon (who may ask it to mask, never for a value), and to the keeper of the sources.
 */
import type { Duplex } from "node:stream";
import { type ErrorCode, errorCodes, SallyportError } from "../domain/error.ts";

export interface Link {
  /** Asks the other side. Rejects with its error, or with `secret-unavailable` where it is gone or late. */
  ask(verb: string, data: unknown): Promise<unknown>;
  close(): void;
}

/** Answers one question; what it throws is told to the other side in its code, message and next step. */
export type Answer = (verb: string, data: unknown) => unknown;

/** Bytes of one message. */
const messageBytes = 16 * 1024 * 1024;
/** Milliseconds for an answer: longer than a source may take. */
const answerTime = 15_000;

type Fields = { [key: string]: unknown };

/** Opens one end. Whatever is not a message ends the link: the other side is another program or a broken one. */
export function openLink(socket: Duplex, answer: Answer): Link {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let nextId = 0;
  let open = true;
  let held: Buffer[] = [];
  let heldBytes = 0;

  const close = () => {
    open = false;
    socket.destroy();
    for (const { reject } of waiting.values()) reject(gone());
    waiting.clear();
  };
  const send = (message: Fields) => {
    if (!open) return;
    const text = Buffer.from(JSON.stringify(message), "utf8");
    if (text.length > messageBytes) throw gone("a message is too large");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    socket.write(Buffer.concat([length, text]));
  };
  const reply = async (id: number, verb: string, data: unknown) => {
    try {
      const value = await answer(verb, data);
      send({ id, ok: true, value: value ?? null });
    } catch (error) {
      const known = error instanceof SallyportError;
      send({
        id,
        ok: false,
        code: known ? error.code : "secret-unavailable",
        // What is not ours may quote anything.
        message: known ? error.message : "the question could not be answered",
        next: known ? error.next : "Look at the daemon's log.",
      });
    }
  };
  const take = (text: string): boolean => {
    const message: unknown = JSON.parse(text);
    if (typeof message !== "object" || message === null) return false;
    const { id, verb, data, ok, value, code, message: why, next } = message as Fields;
    if (typeof id !== "number" || !Number.isSafeInteger(id)) return false;
    if (typeof verb === "string") {
      void reply(id, verb, data);
      return true;
    }
    const asked = waiting.get(id);
    waiting.delete(id);
    if (ok === true) asked?.resolve(value);
    else asked?.reject(new SallyportError(codeOf(code), String(why ?? ""), { next: String(next ?? "") }));
    return true;
  };
  socket.on("data", (chunk: Buffer) => {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < 4) return;
    let buffer = held.length === 1 ? chunk : Buffer.concat(held);
    while (buffer.length >= 4) {
      const length = buffer.readUInt32BE();
      if (length > messageBytes) return close();
      if (buffer.length < 4 + length) break;
      const text = buffer.toString("utf8", 4, 4 + length);
      buffer = buffer.subarray(4 + length);
      try {
        if (!take(text)) return close();
      } catch {
        return close();
      }
    }
    held = buffer.length > 0 ? [buffer] : [];
    heldBytes = buffer.length;
  });
  socket.on("error", close);
  socket.on("end", close);
  socket.on("close", close);

  return {
    ask(verb, data) {
      if (!open) return Promise.reject(gone());
      const id = nextId++;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.set(id, { resolve, reject });
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(gone(`no answer within ${answerTime} ms`));
      }, answerTime);
      try {
        send({ id, verb, data });
      } catch (error) {
        waiting.delete(id);
        reject(error as Error);
      }
      return promise.finally(() => clearTimeout(timer));
    },
    close,
  };
}

function codeOf(code: unknown): ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : "secret-unavailable";
}

function gone(why = "the process that knows the secrets is gone"): SallyportError {
  return new SallyportError("secret-unavailable", why, { next: "Look at the daemon's log." });
}
