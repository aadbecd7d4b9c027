/** A landing on a target that moved is tested first, which takes longer than a client waits: it is told that it goes on. */
import { Client } from "@modelcontextprotocol/client";
import { InMemoryTransport, McpServer } from "@modelcontextprotocol/server";
import { describe, expect, it } from "vitest";
import { addDecide } from "../../src/mcp/decide.ts";
import { delegationSummary } from "../../src/mcp/summary.ts";
import { lived } from "../delegation/lived.ts";

const id = "d-aaaaaaaaaaaaaaaa";

/** What `land` says where the daemon takes so long, or refuses. */
async function land(milliseconds: number, refused?: Error): Promise<Record<string, unknown>> {
  const server = new McpServer({ name: "x", version: "1" }, { capabilities: { tools: {} } });
  const call = async () => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    if (refused) throw refused;
    return { id, state: "landed" };
  };
  addDecide(server, { call: call as never, bytes: async () => Buffer.alloc(0) }, 300);
  const client = new Client({ name: "x", version: "1" });
  const [one, other] = InMemoryTransport.createLinkedPair();
  try {
    await Promise.all([server.connect(one as never), client.connect(other as never)]);
    const { content } = await client.callTool({ name: "land", arguments: { id } });
    return JSON.parse((content as { text: string }[])[0]?.text ?? "") as Record<string, unknown>;
  } finally {
    await client.close();
    await server.close();
  }
}

describe("a landing that takes long", () => {
  it("is answered in time, with the way to go on; a quick one with what it came to", async () => {
    expect(await land(30_000)).toMatchObject({
      id,
      state: "landing",
      rests: false,
      next: expect.stringContaining("wait"),
    });
    expect(await land(0)).toEqual({ id, state: "landed" });
    expect(await land(0, new Error("moved"))).toMatchObject({ error: { message: "moved" } });
  });

  it("that is refused after its answer ends nothing", async () => {
    expect(await land(600, new Error("moved"))).toMatchObject({ state: "landing" });
    await new Promise((resolve) => setTimeout(resolve, 500));
  });

  it("is in the summary while it goes on, and why it came to nothing after", async () => {
    const record = { ...(await lived({ tries: [{ end: "approved" }] })), state: "approved" as const };
    expect(delegationSummary(record)).toMatchObject({ rests: true, next: expect.stringContaining("land") });
    const asked = { ref: "refs/heads/main", turn: 1, after: [] };
    expect(delegationSummary({ ...record, asked })).toMatchObject({
      rests: false,
      landing: "refs/heads/main",
      next: expect.stringContaining("Call wait"),
    });
    const notLanded = {
      ref: "refs/heads/main",
      code: "landing-rejected",
      message: `its tests are red ${"x".repeat(2000)}`,
    };
    const after = delegationSummary({ ...record, notLanded });
    expect(after).toMatchObject({ rests: true, notLanded: { code: "landing-rejected" } });
    expect(JSON.stringify(after.notLanded).length).toBeLessThan(600);
  });
});
