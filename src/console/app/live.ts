/** When something happened: told by the daemon's stream of events, or asked for where there is none. */
import { useEffect, useState } from "preact/hooks";
import { addressOf } from "./ask.ts";

export type LiveMode = "starting" | "live" | "asking";

/** Milliseconds: between two looks at what changed, between two questions without a stream, before a lost one is opened again. */
const rest = { change: 700, ask: 3000, again: 2000 };

/** Counts up when there is something new. A page that nobody sees asks nothing, and holds no connection. */
export function useLive(delegation?: string): { tick: number; mode: LiveMode } {
  const [tick, setTick] = useState(0);
  const [mode, setMode] = useState<LiveMode>("starting");
  useEffect(() => {
    let leave: AbortController | undefined;
    let waiting: ReturnType<typeof setTimeout> | undefined;
    let asking: ReturnType<typeof setInterval> | undefined;
    const changed = () => {
      waiting ??= setTimeout(() => {
        waiting = undefined;
        setTick((count) => count + 1);
      }, rest.change);
    };
    const stop = () => {
      leave?.abort();
      clearInterval(asking);
      clearTimeout(waiting);
      waiting = undefined;
      asking = undefined;
    };
    const start = async () => {
      stop();
      const own = new AbortController();
      leave = own;
      while (!own.signal.aborted) {
        const outcome = await listen(delegation, changed, () => setMode("live"), own.signal);
        if (own.signal.aborted) return;
        changed();
        if (outcome === "none") {
          setMode("asking");
          asking = setInterval(changed, rest.ask);
          return;
        }
        setMode("starting");
        await new Promise((resolve) => setTimeout(resolve, rest.again));
      }
    };
    const onVisible = () => {
      if (document.hidden) stop();
      else {
        changed();
        void start();
      }
    };
    document.addEventListener("visibilitychange", onVisible);
    if (!document.hidden) void start();
    return () => {
      document.removeEventListener("visibilitychange", onVisible);
      stop();
    };
  }, [delegation]);
  return { tick, mode };
}

/** Reads the stream until it ends. What an event says is not read: the page asks for the state, so that none is missed. */
async function listen(
  delegation: string | undefined,
  changed: () => void,
  opened: () => void,
  signal: AbortSignal,
): Promise<"ended" | "none"> {
  try {
    const path = delegation === undefined ? "events" : `events?delegation=${encodeURIComponent(delegation)}`;
    const answer = await fetch(addressOf(path), { signal, headers: { accept: "text/event-stream" } });
    if (!answer.ok || !answer.body) return "none";
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "ended";
      if (/^(data|id|event):/m.test(value)) changed();
    }
  } catch {
    return "ended";
  }
}
