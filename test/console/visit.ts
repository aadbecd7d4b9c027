/** A request to the console with exactly the headers that a test wants: no browser, no client that corrects them. */
import { type IncomingHttpHeaders, request } from "node:http";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Sends it to 127.0.0.1. `host: undefined` sends none. */
export function visit(
  port: number,
  path: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method,
        headers: { host: `127.0.0.1:${port}`, ...headers },
        timeout: 20_000,
        setHost: false,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
        answer.on("error", reject);
      },
    );
    asked.on("error", reject);
    asked.on("timeout", () => asked.destroy(new Error("no answer in 20 s")));
    asked.end();
  });
}

/** Opens the console's address as a browser does; gives the cookie that it got. */
export async function enter(url: string): Promise<string> {
  const { port, pathname, search } = new URL(url);
  const { status, headers } = await visit(Number(port), `${pathname}${search}`);
  if (status !== 303) throw new Error(`the console answers ${status}`);
  return (headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "";
}
