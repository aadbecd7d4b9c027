/** A fixed number of lanes, a bounded queue in order, and every end of both. */
import { expect, it } from "vitest";
import { openLanes } from "../../src/host/lanes.ts";

/** Lanes whose work ends when the test says so. */
function rig(lanes: number, queue: number) {
  const begun: { id: string; lane: number; end: (error?: Error) => void; signal: AbortSignal }[] = [];
  const errors: string[] = [];
  const opened = openLanes({
    lanes,
    queue,
    run: (id, lane, signal) =>
      new Promise<void>((resolve, reject) => {
        begun.push({ id, lane, signal, end: (error) => (error ? reject(error) : resolve()) });
        signal.addEventListener("abort", () => resolve());
      }),
    onError: (id) => errors.push(id),
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
  return { lanes: opened, begun, errors, settle };
}

it("runs as many as there are lanes, the others in order, each in a lane of its own", async () => {
  const { lanes, begun, settle } = rig(2, 10);
  for (const id of ["a", "b", "c", "d"]) lanes.enqueue(id);
  await settle();
  expect(begun.map((b) => [b.id, b.lane])).toEqual([
    ["a", 0],
    ["b", 1],
  ]);
  expect(lanes.status()).toEqual({ lanes: 2, running: ["a", "b"], waiting: ["c", "d"] });
  begun[1]?.end();
  await settle();
  expect(begun.map((b) => [b.id, b.lane]).at(-1)).toEqual(["c", 1]);
});

it("gives a lane back after a fault, and tells", async () => {
  const { lanes, begun, errors, settle } = rig(1, 10);
  lanes.enqueue("a");
  lanes.enqueue("b");
  await settle();
  begun[0]?.end(new Error("fault"));
  await settle();
  expect([errors, begun.map((b) => b.id)]).toEqual([["a"], ["a", "b"]]);
});

it("refuses what the queue cannot hold, and takes again when there is room", async () => {
  const { lanes, begun, settle } = rig(1, 1);
  lanes.enqueue("a");
  await settle();
  lanes.enqueue("b");
  expect(lanes.hasRoom()).toBe(false);
  expect(() => lanes.enqueue("c")).toThrow(expect.objectContaining({ code: "queue-full" }));
  begun[0]?.end();
  await settle();
  expect(lanes.hasRoom()).toBe(true);
});

it("stops one that runs with the reason, takes one that waits out, and knows no other", async () => {
  const { lanes, begun, settle } = rig(1, 10);
  lanes.enqueue("a");
  lanes.enqueue("b");
  lanes.enqueue("c");
  await settle();
  expect(await lanes.stop("b", "discarded")).toBe(true);
  expect(await lanes.stop("a", "discarded")).toBe(true);
  expect(begun[0]?.signal.reason).toBe("discarded");
  await settle();
  expect(begun.map((b) => b.id)).toEqual(["a", "c"]);
  expect(await lanes.stop("a", "discarded")).toBe(false);
});

it("drains: ends all as a shutdown and takes no more", async () => {
  const { lanes, begun, settle } = rig(2, 10);
  for (const id of ["a", "b", "c"]) lanes.enqueue(id);
  await settle();
  await lanes.drain();
  expect(begun.map((b) => [b.id, b.signal.reason])).toEqual([
    ["a", "shutdown"],
    ["b", "shutdown"],
  ]);
  expect(lanes.status()).toEqual({ lanes: 2, running: [], waiting: [] });
  expect(() => lanes.enqueue("d")).toThrow(expect.objectContaining({ code: "queue-full" }));
});

it("lends a held lane to canaries alone, one at a time, and takes it back when that is over", async () => {
  const { lanes, begun, settle } = rig(1, 10);
  lanes.enqueue("d-held");
  await settle();
  for (const id of ["d-next", "c-one", "c-two"]) lanes.enqueue(id);
  await settle();
  expect(begun.map((b) => b.id)).toEqual(["d-held"]);
  const takeBack = lanes.lend("d-held");
  await settle();
  expect(begun.map((b) => [b.id, b.lane])).toEqual([
    ["d-held", 0],
    ["c-one", 0],
  ]);
  begun[1]?.end();
  await settle();
  expect(begun.map((b) => b.id)).toEqual(["d-held", "c-one", "c-two"]);
  let back = false;
  void takeBack().then(() => {
    back = true;
  });
  lanes.enqueue("c-three");
  await settle();
  expect(back).toBe(false);
  begun[2]?.end();
  await settle();
  expect(back).toBe(true);
  // Not lent any more: the next ones wait for the lane itself.
  expect(begun.map((b) => b.id)).toEqual(["d-held", "c-one", "c-two"]);
  begun[0]?.end();
  await settle();
  expect(begun.at(-1)?.id).toBe("d-next");
  expect(lanes.status().waiting).toEqual(["c-three"]);
});
