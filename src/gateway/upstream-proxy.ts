/**
 * The proxy that the host itself must use, as the daemon's environment names it (HTTPS_PROXY, HTTP_PROXY, NO_PROXY;
 * small letters win, as in curl). It resolves names where we cannot see it, so a request that goes this way is pinned to
 * a name and not to an address; its record says `via proxy`.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { connectTime, headerBytes } from "./limits.ts";

export interface HostProxy {
  scheme: "http" | "https";
  host: string;
  port: number;
  /** The value of Proxy-Authorization. */
  authorization: string | undefined;
}

/** Finds the proxy for a destination; undefined where it is reached directly. */
export type FindProxy = (scheme: "http" | "https", host: string, port: number) => HostProxy | undefined;

/** Reads the environment once. Throws where it names a proxy that cannot be used: to go around it would be wrong. */
export function readProxies(environment: Readonly<Record<string, string | undefined>>): FindProxy {
  const variable = (name: string) => environment[name.toLowerCase()] ?? environment[name] ?? "";
  const proxies = { http: readProxy(variable("HTTP_PROXY")), https: readProxy(variable("HTTPS_PROXY")) };
  const exceptions = variable("NO_PROXY")
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map((entry) => entry.toLowerCase());
  const excepted = (host: string, port: number) =>
    exceptions.some((entry) => {
      if (entry === "*") return true;
      const match = /^(.*?)(?::(\d+))?$/.exec(entry);
      const name = (match?.[1] ?? "").replace(/^\*?\./, "");
      return (match?.[2] === undefined || Number(match[2]) === port) && (host === name || host.endsWith(`.${name}`));
    });
  return (scheme, host, port) => (proxies[scheme] && !excepted(host, port) ? proxies[scheme] : undefined);
}

function readProxy(text: string): HostProxy | undefined {
  if (text === "") return undefined;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new Error("the environment names a proxy that is not an http or https URL");
  }
  const scheme = url.protocol === "https:" ? "https" : "http";
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (scheme === "https" ? 443 : 80) : Number(url.port),
    authorization: credentials === ":" ? undefined : `Basic ${Buffer.from(credentials).toString("base64")}`,
  };
}

/**
 * Connects to the proxy and asks it for a tunnel to `host:port`. Rejects with the message `late` when it takes too long.
 * `opened` is told of the socket at once, so that closing the lane can end it.
 */
export async function tunnelThrough(
  proxy: HostProxy,
  host: string,
  port: number,
  opened: (socket: Socket) => void = () => undefined,
): Promise<Socket> {
  const socket: Socket =
    proxy.scheme === "https"
      ? connectTls({ host: proxy.host, port: proxy.port, servername: proxy.host, ALPNProtocols: ["http/1.1"] })
      : connectTcp({ host: proxy.host, port: proxy.port });
  opened(socket);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error("late")), connectTime);
  const closed = () => reject(new Error("the proxy closed the connection"));
  let answer = Buffer.alloc(0);
  const more = () => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      answer = Buffer.concat([answer, chunk as Buffer]);
      const end = answer.indexOf("\r\n\r\n");
      if (end < 0 && answer.length > headerBytes) return reject(new Error("the proxy's answer has no end"));
      if (end < 0) continue;
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer.toString("latin1"))?.[1] ?? "";
      if (!/^2/.test(status)) return reject(new Error(`the proxy answered ${status || "nonsense"}`));
      // The server in a tunnel speaks when it was spoken to; anything here already is not its word.
      if (answer.length > end + 4) return reject(new Error("the proxy said more than its answer"));
      return resolve();
    }
  };
  socket.once(proxy.scheme === "https" ? "secureConnect" : "connect", () => {
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const credentials = proxy.authorization === undefined ? "" : `Proxy-Authorization: ${proxy.authorization}\r\n`;
    socket.setNoDelay(true);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`);
  });
  socket.on("readable", more);
  socket.once("error", reject);
  socket.once("close", closed);
  try {
    await promise;
    socket.off("error", reject);
    socket.on("error", () => undefined);
    return socket;
  } catch (error) {
    socket.on("error", () => undefined);
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off("readable", more);
    socket.off("close", closed);
  }
}
