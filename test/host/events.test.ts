/** The stream of events: no gap and no line twice, whoever comes back when; and no reader costs more than its bound. */
import type { IncomingMessage } from "node:http";
import { createParser } from "eventsource-parser";
import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import { numbered } from "../ledger/signing.ts";
import { type ApiRig, acceptedBy, auditor, open, openApiRig, plannerCalled } from "./api-rig.ts";

interface Seen {
  id: string | undefined;
  event: string | undefined;
  data: string;
}

/** Reads events until `enough` says so, or the stream ends. */
async function take(answer: IncomingMessage, enough: (seen: Seen[]) => boolean): Promise<Seen[]> {
  const seen: Seen[] = [];
  const parser = createParser({ onEvent: ({ id, event, data }) => void seen.push({ id, event, data }) });
  for await (const chunk of answer) {
    parser.feed(String(chunk));
    if (enough(seen)) break;
  }
  answer.destroy();
  return seen;
}

const append = async (rig: ApiRig, first: number, count: number, text = "") => {
  for (let n = first; n < first + count; n++) await rig.store.append(numbered(n, text));
};
const seqs = (seen: Seen[]) => seen.map(({ id }) => Number(id));
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

describe("the stream of events", () => {
  it("is that of the WHATWG's: each line once, in order, with its seq as id", async () => {
    await using rig = await openApiRig();
    await append(rig, 1, 5);
    const socket = await rig.socketFor(auditor);
    const answer = await open(socket, "/v1/events?from=1");
    expect(answer.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(answer.headers["cache-control"]).toBe("no-store");
    const reading = take(answer, (seen) => seen.length === 8);
    await append(rig, 6, 3);
    const seen = await reading;
    expect(seqs(seen)).toEqual(upTo(8));
    const entry = JSON.parse(seen[6]?.data ?? "") as Entry;
    expect(entry).toMatchObject({ seq: 7, type: "host.stopped", data: { reason: "7" } });
    expect(seen.every(({ event }) => event === undefined)).toBe(true);
  });

  it("goes on without a gap or a line twice, wherever it was cut, while lines come", async () => {
    await using rig = await openApiRig();
    const socket = await rig.socketFor(auditor);
    let stop = false;
    const total = 600;
    const writing = (async () => {
      for (let n = 1; n <= total && !stop; n++) await rig.store.append(numbered(n));
    })();
    const got: number[] = [];
    try {
      for (let cut = 1; got.length < total; cut++) {
        const last = got.at(-1);
        // A browser asks for the same address again: what it has counts more than what it first asked for.
        const answer = await open(socket, "/v1/events?from=1", last ? { "last-event-id": String(last) } : {});
        const part = await take(answer, (seen) => seen.length >= (cut * 37) % 101 || got.length + seen.length >= total);
        got.push(...seqs(part));
      }
    } finally {
      stop = true;
      await writing;
    }
    expect(got).toEqual(upTo(total));
  }, 60_000);

  it("begins with what comes from now on, where nothing is asked", async () => {
    await using rig = await openApiRig();
    await append(rig, 1, 3);
    const reading = take(await open(await rig.socketFor(auditor), "/v1/events"), (seen) => seen.length === 1);
    await append(rig, 4, 1);
    expect(seqs(await reading)).toEqual([4]);
  });

  it("refuses an id that is none, or of another ledger, and takes one that is", async () => {
    await using rig = await openApiRig();
    await append(rig, 1, 3);
    const socket = await rig.socketFor(auditor);
    const status = async (path: string, headers?: Record<string, string>) => {
      const answer = await open(socket, path, headers);
      answer.destroy();
      return answer.statusCode;
    };
    for (const id of ["abc", "-1", "1e3", "9999999999999999999"])
      expect([id, await status("/v1/events", { "last-event-id": id })]).toEqual([id, 400]);
    expect(await status("/v1/events", { "last-event-id": "4" })).toBe(400);
    expect(await status("/v1/events", { "last-event-id": "3" })).toBe(200);
    expect(await status("/v1/events?from=5")).toBe(400);
    expect(await status("/v1/events?from=4")).toBe(200);
    expect(await status("/v1/events?from=0")).toBe(400);
    expect(await status("/v1/events?type=no.such")).toBe(400);
    expect(await status("/v1/events?type=host.stopped,delegation.landed")).toBe(200);
  });

  it("gives the types that are asked for, and moves the place past the others", async () => {
    await using rig = await openApiRig({ heartbeat: 50 });
    const answer = await open(await rig.socketFor(auditor), "/v1/events?from=1&type=gate.closed");
    await append(rig, 1, 2);
    await rig.store.append({ type: "gate.closed", data: { by: "x", reason: "why not" } });
    await append(rig, 4, 2);
    let text = "";
    const seen: Seen[] = [];
    const parser = createParser({ onEvent: ({ id, event, data }) => void seen.push({ id, event, data }) });
    for await (const chunk of answer) {
      text += String(chunk);
      parser.feed(String(chunk));
      if (text.includes("id: 5\n")) break;
    }
    answer.destroy();
    expect(seqs(seen)).toEqual([3]);
    // A sign of life with an id alone is no event, and still the place to go on from.
    expect(text).toContain(": alive\nid: 5\n\n");
  });

  it("shows a planner nothing that is not of its own work", async () => {
    await using rig = await openApiRig({ heartbeat: 50 });
    await append(rig, 1, 3);
    const [mine, other] = [acceptedBy("alice"), acceptedBy("bob")];
    await rig.store.append(other);
    await rig.store.append(mine);
    for (const { delegation } of [mine, other])
      await rig.store.append({ type: "delegation.started", delegation, data: { lane: 0 } });
    const answer = await open(await rig.socketFor(plannerCalled("alice")), "/v1/events?from=1");
    let text = "";
    for await (const chunk of answer) {
      text += String(chunk);
      if (text.includes("id: 7\n")) break;
    }
    answer.destroy();
    expect([...text.matchAll(/^id: (\d+)\ndata:/gm)].map(([, id]) => id)).toEqual(["5", "6"]);
    expect(text).not.toContain(other.delegation);
    const bob = await rig.socketFor(plannerCalled("bob"));
    for (const [id, status] of [
      [mine.delegation, 404],
      ["d-aaaaaaaaaaaaaaaa", 404],
      [other.delegation, 200],
    ] as const) {
      const asked = await open(bob, `/v1/events?delegation=${id}`);
      expect([id, asked.statusCode]).toEqual([id, status]);
      asked.destroy();
    }
  });

  it("ends a reader that does not read, tells it where to go on, and keeps none of it for the others", async () => {
    await using rig = await openApiRig({ mostWaiting: 256 * 1024 });
    const socket = await rig.socketFor(auditor);
    const slow = await open(socket, "/v1/events");
    slow.pause();
    const quick = take(await open(socket, "/v1/events"), (seen) => seen.length === 60);
    const before = process.memoryUsage().arrayBuffers;
    await append(rig, 1, 60, "x".repeat(32 * 1024));
    expect(seqs(await quick)).toEqual(upTo(60));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    // Now it reads: what it was sent, and then the word where to go on, and the end.
    const seen = await take(slow, () => false);
    const last = seen.at(-1);
    expect(last?.event).toBe("resume");
    const { from } = JSON.parse(last?.data ?? "") as { from: number };
    const had = seqs(seen.slice(0, -1));
    expect(had).toEqual(upTo(from - 1));
    expect(from).toBeLessThan(61);
    const rest = await take(await open(socket, `/v1/events?from=${from}`), (more) => more.length === 61 - from);
    expect([...had, ...seqs(rest)]).toEqual(upTo(60));
  }, 60_000);

  it("ends a reader that is long past its time, though what waits for it is little", async () => {
    await using rig = await openApiRig({ heartbeat: 50, patience: 200 });
    await append(rig, 1, 40, "x".repeat(60 * 1024));
    const slow = await open(await rig.socketFor(auditor), "/v1/events?from=1");
    slow.pause();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const seen = await take(slow, () => false);
    expect(seen.at(-1)?.event).toBe("resume");
  }, 30_000);
});
