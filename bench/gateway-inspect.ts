/** The gateway's inspector, opened from outside by a signal that only root can send it: nothing in it is made for this. */
import type { Ours } from "./gateway-peers.ts";

/** Milliseconds for the inspector to open. */
const openTime = 10_000;

/** One connection to it. */
export interface Inspector {
  ask<T>(method: string, parameters?: object): Promise<T>;
  close(): void;
}

/** Opens the inspector of a gateway (SIGUSR1; Node then listens on a port of loopback) and speaks with it. */
export async function inspect(ours: Ours): Promise<Inspector> {
  process.kill(ours.gateway.pid, "SIGUSR1");
  const until = performance.now() + openTime;
  let url: string | undefined;
  while (url === undefined) {
    url = /ws:\/\/127\.0\.0\.1:\d+\/[0-9a-f-]+/.exec(ours.words())?.[0];
    if (performance.now() > until) throw new Error(`the gateway's inspector did not open: ${ours.words()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the gateway's inspector cannot be reached"));
  });
  const waiting = new Map<number, (value: never) => void>();
  let nextId = 0;
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result: never };
    if (id !== undefined) waiting.get(id)?.(result);
  };
  return {
    ask(method, params = {}) {
      const id = ++nextId;
      const { promise, resolve } = Promise.withResolvers<never>();
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
      return promise;
    },
    close: () => socket.close(),
  };
}

/** Lets the gateway collect what is garbage, twice: what the first frees may hold the last of others. */
export async function collectGarbage(ours: Ours): Promise<void> {
  const inspector = await inspect(ours);
  try {
    for (let turn = 0; turn < 2; turn++) await inspector.ask("HeapProfiler.collectGarbage");
  } finally {
    inspector.close();
  }
}
