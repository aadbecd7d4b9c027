/** A model request's body, read whole before anything is decided on it: bounded in bytes, in time, and for the lane in all. */

import type { IncomingMessage } from "node:http";
import type { DenialCode } from "../domain/denial.ts";
import { headerValues } from "./check-request.ts";
import { laneModelBytes, modelBodyTime, modelBytes } from "./limits.ts";
import type { ModelDenial } from "./model-reserve.ts";

export interface BodyReader {
  /** The bytes; a denial; undefined where the client has gone. What was read counts until `release`. */
  read(request: IncomingMessage): Promise<{ bytes: Buffer; release(): void } | { denial: ModelDenial } | undefined>;
}

type Read = Awaited<ReturnType<BodyReader["read"]>>;

const denied = (status: number, code: DenialCode, why: string, next: string): { denial: ModelDenial } => ({
  denial: { status, code, rule: "models", why, next },
});

/** A lane's reader. */
export function createBodyReader(time = modelBodyTime): BodyReader {
  let held = 0;
  return {
    read(request) {
      const coding = headerValues(request.rawHeaders, "content-encoding").filter(
        (one) => one.toLowerCase() !== "identity",
      );
      if (coding.length > 0) {
        return Promise.resolve(
          denied(415, "content-encoding", "the body is encoded", "Send it without Content-Encoding."),
        );
      }
      const { promise, resolve } = Promise.withResolvers<Read>();
      const chunks: Buffer[] = [];
      let bytes = 0;
      let over = false;
      let released = false;
      const release = () => {
        if (!released) held -= bytes;
        released = true;
      };
      const settle = (found: Read) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        request.off("data", more);
        request.resume();
        if (!found || "denial" in found) release();
        resolve(found);
      };
      const timer = setTimeout(
        () => settle(denied(408, "body-late", "the body did not arrive in time", "Send it at once.")),
        time,
      );
      const more = (chunk: Buffer) => {
        bytes += chunk.length;
        held += chunk.length;
        chunks.push(chunk);
        if (bytes > modelBytes) {
          settle(denied(413, "body-too-large", `the body is larger than ${modelBytes} bytes`, "Send less."));
        } else if (held > laneModelBytes) {
          const why = `this lane has more than ${laneModelBytes} bytes of requests in work`;
          const { denial } = denied(429, "model-busy", why, "Wait for an answer before the next request.");
          settle({ denial: { ...denial, retryAfter: 1 } });
        }
      };
      request.on("data", more);
      request.on("end", () => settle({ bytes: Buffer.concat(chunks), release }));
      request.on("error", () => settle(undefined));
      request.on("close", () => settle(undefined));
      return promise;
    },
  };
}
