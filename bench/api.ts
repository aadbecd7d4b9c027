/** The HTTP API on its Unix socket: requests a second against bare fastify, and events to 100 readers against bare node:http. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import fastify from "fastify";
import { Agent } from "undici";
import { acceptedBy, auditor, open, openApiRig } from "../test/host/api-rig.ts";
import { type Figure, percentile, sideBySide, timed } from "./measure.ts";

const readers = 100;

/** Requests a second over 16 kept connections. */
async function load(socketPath: string, path: string, requests: number): Promise<number> {
  const agent = new Agent({ connect: { socketPath }, connections: 16 });
  let left = requests;
  const ask = async () => {
    while (left-- > 0) {
      const { body, statusCode } = await agent.request({ origin: "http://sallyport", path, method: "GET" });
      await body.arrayBuffer();
      if (statusCode !== 200) throw new Error(`${path}: ${statusCode}`);
    }
  };
  const time = await timed(() => Promise.all(Array.from({ length: 16 }, ask)));
  await agent.destroy();
  return (requests / time) * 1000;
}

/** How a stream does: events delivered a second, and the 99th percentile of their delay in milliseconds. */
interface FanOut {
  rate: number;
  delay: number;
  /** MiB of the process, the readers with it, over what it had before. */
  memory: number;
}

async function fanOut(
  socket: string,
  path: string,
  events: number,
  send: (n: number) => void,
  pace?: number,
): Promise<FanOut> {
  const before = process.memoryUsage().rss;
  const sent: number[] = [];
  const delays: number[] = [];
  const done: Promise<void>[] = [];
  const answers: IncomingMessage[] = [];
  for (let n = 0; n < readers; n++) {
    const answer = await open(socket, path);
    answers.push(answer);
    let got = 0;
    done.push(
      new Promise((resolve) => {
        answer.on("data", (chunk: Buffer) => {
          const now = performance.now();
          for (let at = chunk.indexOf("\ndata: "); at !== -1; at = chunk.indexOf("\ndata: ", at + 1)) {
            delays.push(now - (sent[got] ?? now));
            got += 1;
          }
          if (got === events) resolve();
        });
      }),
    );
  }
  const time = await timed(async () => {
    for (let n = 0; n < events; n++) {
      sent.push(performance.now());
      send(n);
      // Either at a pace, or in bursts of ten, and then whatever else there is to do.
      if (pace !== undefined) await new Promise((resolve) => setTimeout(resolve, pace));
      else if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(done);
  });
  for (const answer of answers) answer.destroy();
  return {
    rate: (events * readers * 1000) / time,
    delay: percentile(delays, 0.99),
    memory: Math.max(0.1, (process.memoryUsage().rss - before) / 1024 ** 2),
  };
}

export async function apiFigures(): Promise<Figure[]> {
  await using rig = await openApiRig();
  const socket = await rig.socketFor(auditor);
  const made = Array.from({ length: 100 }, () => acceptedBy("alice"));
  for (const event of made) await rig.store.append(event);
  const all = { delegations: rig.store.list() };
  const bare = fastify();
  const barePath = join(rig.directory, "bare.sock");
  bare.get("/one", async () => all.delegations[0]);
  bare.get("/page", async () => all);
  await bare.listen({ path: barePath });

  // The plainest stream: every frame to every response, nothing kept, nothing bounded, nothing on disk.
  const streams = new Set<ServerResponse>();
  const plain = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    streams.add(response);
    response.on("close", () => streams.delete(response));
  });
  const plainPath = join(rig.directory, "plain.sock");
  await new Promise<void>((resolve) => plain.listen(plainPath, resolve));
  const line = JSON.stringify({
    seq: 1,
    time: new Date().toISOString(),
    type: "host.stopped",
    data: { reason: "1" },
    prev: "0".repeat(64),
    hash: "0".repeat(64),
  });
  try {
    const peer = { runs: 5, unit: "/s", peer: "bare fastify, same answer", more: true };
    const one = await sideBySide(
      { name: "API: GET one delegation, 16 connections", ...peer },
      () => load(socket, `/v1/delegations/${made[0]?.delegation}`, 3000),
      () => load(barePath, "/one", 3000),
    );
    const page = await sideBySide(
      { name: "API: GET a page of 100 delegations", ...peer },
      () => load(socket, "/v1/delegations", 300),
      () => load(barePath, "/page", 300),
    );
    const about = { runs: 5, peer: "bare node:http, not durable" };
    const note = (n: number) => rig.store.note({ type: "host.stopped", data: { reason: String(n) } });
    const append = (n: number) => void rig.store.append({ type: "host.stopped", data: { reason: String(n) } });
    const write = (n: number) => {
      for (const response of streams) response.write(`id: ${n}\ndata: ${line}\n\n`);
    };
    const memory: [number[], number[]] = [[], []];
    const keep = (into: number[], { rate, memory: grown }: FanOut) => {
      into.push(grown);
      return rate;
    };
    const rate = await sideBySide(
      { name: `API: events to ${readers} readers, deliveries`, unit: "/s", more: true, ...about },
      async () => keep(memory[0], await fanOut(socket, "/v1/events", 500, note)),
      async () => keep(memory[1], await fanOut(plainPath, "/", 500, write)),
    );
    // A decision every 20 ms: what is told is durable first.
    const delay = await sideBySide(
      { name: `API: events to ${readers} readers, p99 of the delay at 50 a second`, unit: "ms", ...about },
      async () => (await fanOut(socket, "/v1/events", 100, append, 20)).delay,
      async () => (await fanOut(plainPath, "/", 100, write, 20)).delay,
    );
    const [own, other] = memory.map((values) => percentile(values, 0.5)) as [number, number];
    const grown: Figure = {
      name: `API: events to ${readers} readers, memory grown by 500`,
      unit: "MiB",
      more: false,
      ...about,
      ours: own,
      p95: percentile(memory[0], 0.95),
      theirs: other,
      ratio: own / other,
    };
    return [one, page, rate, delay, grown];
  } finally {
    plain.closeAllConnections();
    plain.close();
    await bare.close();
  }
}
