/**
 * The way back: an upstream answer's bytes to the client, decoded and scrubbed where the lane has something to scrub, with
 * back-pressure all the way.
 */
import type { ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { decodersFor } from "./decode.ts";
import type { ResponseScrub } from "./transform.ts";

/** Where an answer's bytes go. `push` gives false when the source must pause until `drained` is called. */
export interface Answer {
  push(chunk: Buffer): boolean;
  end(done: () => void): void;
  destroy(): void;
}

/** Straight to the client. */
export function plainAnswer(response: ServerResponse, drained: () => void): Answer {
  return {
    push(chunk) {
      if (response.write(chunk)) return true;
      response.once("drain", drained);
      return false;
    },
    end: (done) => void response.end(done),
    destroy: () => undefined,
  };
}

/**
 * Through decoders and the scrub. `count` is told of the decoded bytes and answers whether they are too many; `fail`
 * is called when a coding is broken.
 */
export function scrubbedAnswer(
  response: ServerResponse,
  scrub: ResponseScrub,
  decoders: readonly Transform[],
  hooks: { drained(): void; decoded(bytes: number): boolean; fail(): void },
): Answer {
  let paused = false;
  let finish: (() => void) | undefined;
  const first = decoders[0];
  const last = decoders.at(-1);
  const write = (clean: Buffer): boolean => clean.length === 0 || response.write(clean);
  const whole = () => {
    const rest = scrub.end();
    if (rest.length > 0) response.write(rest);
    response.end(finish);
  };
  const goOn = () => {
    paused = false;
    if (last) last.resume();
    else hooks.drained();
  };
  const take = (chunk: Buffer): boolean => {
    if (!hooks.decoded(chunk.length)) return false;
    if (write(scrub.push(chunk)) || paused) return !paused;
    paused = true;
    last?.pause();
    response.once("drain", goOn);
    return false;
  };
  for (const [index, decoder] of decoders.entries()) {
    decoder.on("error", hooks.fail);
    const next = decoders[index + 1];
    if (next) decoder.pipe(next);
  }
  last?.on("data", take);
  last?.on("end", whole);
  return {
    push(chunk) {
      if (!first) return take(chunk);
      if (first.write(chunk)) return true;
      first.once("drain", hooks.drained);
      return false;
    },
    end(done) {
      finish = done;
      if (first) first.end();
      else whole();
    },
    destroy() {
      for (const decoder of decoders) decoder.destroy();
    },
  };
}

/** Fields of a decoded and scrubbed answer: what spoke of the bytes as they were is gone. */
const changed: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-length",
  "content-md5",
  "content-digest",
  "repr-digest",
  "digest",
  "accept-ranges",
]);

/** The decoders of an answer, or undefined where it cannot be decoded; none where there is no body to come. */
export function answerDecoders(
  method: string,
  status: number,
  contentEncoding: string | undefined,
): Transform[] | undefined {
  return method === "HEAD" || status === 204 || status === 304 ? [] : decodersFor(contentEncoding);
}

/** A flat list of fields without those that scrubbing makes untrue. */
export function withoutChanged(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    if (!changed.has(name.toLowerCase())) kept.push(name, headers[i + 1] ?? "");
  }
  return kept;
}
