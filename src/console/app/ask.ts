/** Reads of the daemon's API from a page. */
import { useEffect, useRef, useState } from "preact/hooks";
import { shown } from "../view/shown.ts";

/** What the daemon, or the way to it, says is wrong. */
export interface Wrong {
  code: string;
  message: string;
  next: string;
}

export interface Asked<T> {
  found: T | undefined;
  wrong: Wrong | undefined;
}

/** Milliseconds until an answer is given up. */
const patience = 30_000;

const base = () => document.querySelector<HTMLMetaElement>('meta[name="sallyport-api"]')?.content ?? "v1/";

/** The address of a path of the API, such as `summaries?limit=50`. */
export const addressOf = (path: string): string => new URL(`${base()}${path}`, document.location.href).href;

/** One read. Rejects with a `Wrong`. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(patience);
  const answer = await fetch(addressOf(path), {
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    headers: { accept: "application/json" },
  }).catch((cause: unknown) => {
    throw wrongOf(
      "host-unreachable",
      signal?.aborted ? "left" : `the console's server does not answer (${String(cause)})`,
      "Is `sallyport console` still running? Start it again and open the address that it shows.",
    );
  });
  if (answer.ok) return (await answer.json()) as T;
  const body = (await answer.json().catch(() => undefined)) as { error?: Wrong } | undefined;
  throw body?.error ?? wrongOf(String(answer.status), `the answer is ${answer.status}`, "");
}

const wrongOf = (code: string, message: string, next: string): Wrong => ({ code, message, next });

/** What a path of the API says now; asked again when `tick` changes, and the last answer stands until the next is there. */
export function useAsked<T>(path: string, tick = 0): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { path: string }>({ found: undefined, wrong: undefined, path });
  const last = useRef(0);
  useEffect(() => {
    const leave = new AbortController();
    const turn = ++last.current;
    const isLast = () => turn === last.current && !leave.signal.aborted;
    ask<T>(path, leave.signal).then(
      (found) => isLast() && setAsked({ found: shown(found), wrong: undefined, path }),
      (thrown: Wrong) => isLast() && setAsked((before) => ({ ...before, wrong: shown(thrown), path })),
    );
    return () => leave.abort();
  }, [path, tick]);
  return asked;
}
