/** Server-sent events as text (HTML Living Standard, 9.2.6), bounded: what comes is read line by line, whatever the chunks. */
import { StringDecoder } from "node:string_decoder";
import { SallyportError } from "../domain/error.ts";

export interface ServerSentEvent {
  /** The last id that came so far; undefined before the first. */
  id: string | undefined;
  event: string;
  /** Empty where an id came alone. */
  data: string;
}

/** Every event of a stream; one that has an id and no data too, since it moves the reader's place. */
export async function* eventsIn(chunks: AsyncIterable<Buffer>, mostLength: number): AsyncGenerator<ServerSentEvent> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let scanned = 0;
  let id: string | undefined;
  let moved = false;
  let event = "";
  let data: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    rest += decoder.write(chunk);
    let start = 0;
    for (let end = rest.indexOf("\n", scanned); end !== -1; end = rest.indexOf("\n", start)) {
      const line = rest.slice(start, rest[end - 1] === "\r" ? end - 1 : end);
      start = end + 1;
      if (line === "") {
        if (data.length > 0 || moved) yield { id, event: event || "message", data: data.join("\n") };
        moved = false;
        event = "";
        data = [];
        length = 0;
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
      if (field === "data") {
        data.push(value);
        length += value.length;
      } else if (field === "event") event = value;
      else if (field === "id" && !value.includes("\0")) {
        id = value;
        moved = true;
      }
    }
    rest = rest.slice(start);
    scanned = rest.length;
    if (rest.length + length > mostLength)
      throw new SallyportError("answer-refused", `an event has more than ${mostLength} characters`, {
        next: "Allow the client more, or choose other events.",
      });
  }
}
