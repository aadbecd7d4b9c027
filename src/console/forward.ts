/** A read of the daemon's API for a page: GET only, over the daemon's socket, with nothing of the browser's headers. */
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { pageHeaders } from "./page-headers.ts";

/** Milliseconds that the daemon has until its answer begins. */
const patience = 60_000;

const allowed = new Set(["content-type", "content-length", "retry-after"]);

/** Answers with what the daemon says to `GET path`. An answer that streams is passed on as it comes. */
export function forwardRead(socket: string, path: string, from: IncomingMessage, to: ServerResponse): void {
  const resume = from.headers["last-event-id"];
  const asked = request(
    {
      socketPath: socket,
      method: "GET",
      path,
      headers: {
        host: "sallyport",
        accept: from.headers.accept === "text/event-stream" ? "text/event-stream" : "*/*",
        // The place in the ledger that a stream goes on from; a number, whatever was sent.
        ...(typeof resume === "string" && /^\d{1,15}$/.test(resume) ? { "last-event-id": resume } : {}),
      },
    },
    (answer) => {
      asked.setTimeout(0);
      const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => allowed.has(name)));
      to.writeHead(answer.statusCode ?? 502, { ...headers, ...pageHeaders, "cache-control": "no-store" });
      answer.pipe(to);
      answer.once("error", () => to.destroy());
    },
  );
  asked.setTimeout(patience, () => asked.destroy(new Error("the daemon does not answer")));
  asked.once("error", (error: NodeJS.ErrnoException) => {
    if (to.headersSent) return void to.destroy();
    const body = JSON.stringify({
      error: {
        code: "host-unreachable",
        message: `no daemon at ${socket}: ${error.code ?? error.message}`,
        next: "Start one with `sallyport daemon`.",
      },
    });
    to.writeHead(502, { ...pageHeaders, "content-type": "application/json", "cache-control": "no-store" });
    to.end(body);
  });
  // A reader that leaves lets the daemon's stream go too.
  to.once("close", () => asked.destroy());
  asked.end();
}
