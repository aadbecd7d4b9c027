/** What the MCP server needs of the daemon's API: one call, over whatever carries it. */
export interface Api {
  /** Errors are the daemon's own `SallyportError`s. `signal` ends it early. */
  call<T>(method: "GET" | "POST", path: string, body?: unknown, signal?: AbortSignal): Promise<T>;
  /** The answer's bytes. */
  bytes(path: string): Promise<Buffer>;
}

/** Where the API has what an id names: a plan's begins with `p-`, a mission's with `m-`. */
export function pathOf(id: string): string {
  const kind = id.startsWith("p-") ? "plans" : id.startsWith("m-") ? "missions" : "delegations";
  return `/v1/${kind}/${encodeURIComponent(id)}`;
}
