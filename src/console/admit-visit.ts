/**
 * Who may see the console on loopback: the browser of whoever has the terminal. Any program of the machine, and any web page
 * in that browser, can send requests to the port. Pure.
 */
import { createHash, timingSafeEqual } from "node:crypto";

export interface Visit {
  method: string;
  /** The request target's path with its query. */
  target: string;
  host: string | undefined;
  origin: string | undefined;
  /** Fetch Metadata: where the request comes from, as the browser says; a page cannot set it. */
  site: string | undefined;
  cookie: string | undefined;
}

export interface Place {
  port: number;
  /** A random part of every path: a cookie of this path is not sent to another port of the same name. */
  path: string;
  cookieName: string;
  session: string;
}

export interface Refusal {
  status: 403 | 404 | 405 | 414;
  message: string;
}

const longestTarget = 4096;
const digest = (text: string) => createHash("sha256").update(text).digest();
/** Equal, in a time that does not depend on where they differ. */
export const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

/** What every request must have, whatever it asks for. */
export function refuseForeign(visit: Visit, port: number): Refusal | undefined {
  if (visit.method !== "GET" && visit.method !== "HEAD") return { status: 405, message: "the console only shows" };
  if (visit.target.length > longestTarget) return { status: 414, message: "the address is too long" };
  // A name of the attacker's that resolves to 127.0.0.1 arrives with that name (DNS rebinding).
  const names = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (visit.host === undefined || !names.includes(visit.host))
    return { status: 403, message: `the console is at http://127.0.0.1:${port}` };
  if (visit.origin !== undefined && visit.origin !== `http://${visit.host}`)
    return { status: 403, message: "a page of another origin asks" };
  // `none`: typed, or opened from the terminal. A link of another page is `cross-site`, another port `same-site`.
  if (visit.site !== undefined && visit.site !== "same-origin" && visit.site !== "none")
    return { status: 403, message: "another page sends here: open the address that the terminal shows" };
  return undefined;
}

/** Whether a request below the console's path has its cookie. */
export function hasSession(visit: Visit, { cookieName, session }: Place): boolean {
  const values = (visit.cookie ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${cookieName}=`))
    .map((pair) => pair.slice(cookieName.length + 1));
  // Two of one name: somebody else set one of them.
  return values.length === 1 && isSame(values[0] ?? "", session);
}
