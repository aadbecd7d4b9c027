/** The typed client over a real ledger's API: events across lost connections, bounds, and errors as the daemon gave them. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { describe, expect, expectTypeOf, it } from "vitest";
import { type Client, openClient } from "../../src/client/client.ts";
import { eventsIn } from "../../src/client/event-stream.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import { routes } from "../../src/domain/routes.ts";
import { auditor, openApiRig, plannerCalled } from "../host/api-rig.ts";
import { numbered } from "../ledger/signing.ts";

const closes = (client: Client) => ({ client, [Symbol.asyncDispose]: () => client.close() });

/** A server of the test's own on the rig's directory: what no daemon would answer. */
async function serving(
  path: string,
  answer: Parameters<typeof createServer>[1],
): Promise<AsyncDisposable & { server: Server }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("the client", () => {
  it("has a method for every route", () => {
    const source = readFileSync(join(import.meta.dirname, "../../src/client/client.ts"), "utf8");
    for (const key of Object.keys(routes)) {
      const generic = key
        .replace(/\/v1\/(delegations|plans|missions)/, "/v1/$${kind}")
        .replace(/^POST \/v1\/\$\{kind\}$/, key);
      const there = [key, generic].some((one) => source.includes(`"${one}"`) || source.includes(`\`${one}\``));
      expect([key, there || key === "GET /v1/events"]).toEqual([key, true]);
    }
    expectTypeOf<Awaited<ReturnType<Client["delegations"]["show"]>>>().toExtend<Delegation>();
    expectTypeOf<Awaited<ReturnType<Client["plans"]["show"]>>>().toHaveProperty("briefs");
    expectTypeOf<Awaited<ReturnType<Client["status"]>>["head"]["seq"]>().toEqualTypeOf<number>();
  });

  it("gives what is asked, and errors as the daemon gave them", async () => {
    await using rig = await openApiRig();
    await using one = closes(openClient({ socket: await rig.socketFor(auditor) }));
    expect(await one.client.delegations.list()).toEqual({ delegations: [] });
    const unknown = one.client.delegations.show("d-aaaaaaaaaaaaaaaa");
    await expect(unknown).rejects.toMatchObject({ code: "not-found", next: expect.stringContaining("list") });
    await expect(one.client.delegations.show("../../status")).rejects.toMatchObject({ code: "request-invalid" });
    await expect(one.client.gate.close("not mine to say")).rejects.toMatchObject({ code: "role-refused" });
    await using nobody = closes(openClient({ socket: join(rig.directory, "none.sock") }));
    await expect(nobody.client.status()).rejects.toMatchObject({ code: "host-unreachable" });
    expect(() => openClient({ url: "http://127.0.0.1:1", token: "x" })).toThrow("is not https");
  });

  it("follows the ledger over lost connections: no gap, no line twice", async () => {
    await using rig = await openApiRig();
    const socket = await rig.socketFor(auditor);
    // Between the two: a relay that cuts every connection after some bytes.
    const path = join(rig.directory, "cut.sock");
    let cuts = 0;
    await using relay = await serving(path, (asked, answer) => {
      let left = 3000;
      void import("node:http").then(({ request }) => {
        const on = request({ socketPath: socket, path: asked.url ?? "", headers: asked.headers }, (from) => {
          answer.writeHead(from.statusCode ?? 500, from.headers);
          from.on("data", (chunk: Buffer) => {
            const part = chunk.subarray(0, Math.max(left, 0));
            left -= chunk.length;
            answer.write(part, () => {
              if (left > 0) return;
              cuts += 1;
              answer.destroy();
              on.destroy();
            });
          });
          from.on("error", () => answer.destroy());
          from.on("end", () => answer.end());
        });
        on.on("error", () => answer.destroy());
        on.end();
      });
    });
    void relay;
    await using one = closes(openClient({ socket: path }));
    const got: number[] = [];
    const reading = (async () => {
      for await (const entry of one.client.events({ from: 1 })) {
        got.push(entry.seq);
        if (got.length === 100) break;
      }
    })();
    for (let n = 1; n <= 100; n++) await rig.store.append(numbered(n));
    await reading;
    expect(got).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(cuts).toBeGreaterThan(3);
  }, 120_000);

  it("ends with its signal, and is not held up by what the daemon refuses", async () => {
    await using rig = await openApiRig();
    await using one = closes(openClient({ socket: await rig.socketFor(plannerCalled("alice")) }));
    const ending = new AbortController();
    const reading = (async () => {
      for await (const _ of one.client.events({ from: 1, signal: ending.signal }));
      return "ended";
    })();
    setTimeout(() => ending.abort(), 100);
    expect(await reading).toBe("ended");
    const refused = one.client.events({ from: 1, delegation: "d-aaaaaaaaaaaaaaaa" }).next();
    await expect(refused).rejects.toMatchObject({ code: "not-found" });
  });

  it("bounds an answer in bytes and time, and says what is no answer of the API's", async () => {
    await using rig = await openApiRig();
    const path = join(rig.directory, "odd.sock");
    await using odd = await serving(path, (asked, answer) => {
      if (asked.url === "/v1/policies") return void answer.end("x".repeat(4096));
      if (asked.url === "/v1/status") return;
      if (asked.url === "/v1/gate") return void answer.writeHead(500).end("<html>no</html>");
      if (asked.url?.startsWith("/v1/events"))
        return void answer.writeHead(200, { "content-type": "text/event-stream" }).write(`data: ${"x".repeat(4096)}`);
      answer.end("{");
    });
    void odd;
    await using one = closes(openClient({ socket: path, timeout: 300, mostBytes: 1024 }));
    const refused = { code: "answer-refused" };
    await expect(one.client.policies()).rejects.toMatchObject(refused);
    await expect(one.client.status()).rejects.toMatchObject(refused);
    await expect(one.client.gate.status()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("500"),
    });
    await expect(one.client.executors()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("JSON"),
    });
    await expect(one.client.events({ from: 1 }).next()).rejects.toMatchObject(refused);
  }, 30_000);
});

describe("server-sent events", () => {
  const read = async (text: string, size: number) => {
    async function* chunks() {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    const all = [];
    for await (const one of eventsIn(chunks(), 10_000)) all.push(one);
    return all;
  };
  it("are read alike however they are cut", async () => {
    const text =
      ': hello\nretry: 10\n\nid: 1\ndata: {"a":"ü—"}\n\nid: 2\n: alive\n\nevent: resume\r\ndata:x\r\ndata: y\r\n\r\ndata: cut';
    const whole = await read(text, text.length * 4);
    expect(whole).toEqual([
      { id: "1", event: "message", data: '{"a":"ü—"}' },
      { id: "2", event: "message", data: "" },
      { id: "2", event: "resume", data: "x\ny" },
    ]);
    for (const size of [1, 2, 3, 7]) expect(await read(text, size)).toEqual(whole);
  });
});
