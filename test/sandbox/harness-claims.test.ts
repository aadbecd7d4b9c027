/** Commands out of a harness's own event stream, whatever else it prints. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { events } from "../../src/domain/event.ts";
import { claimedBy } from "../../src/sandbox/harness-claims.ts";

const id = "s-aaaaaaaaaaaaaaaa";
const output = (text: string, bytes?: number) => {
  const all = Buffer.from(text);
  return { bytes: bytes ?? all.length, digest: "0".repeat(64), head: all, tail: bytes ? Buffer.alloc(0) : all };
};
const printed = (...lines: object[]) => output(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));

describe("what a harness says it ran", () => {
  it.each([
    [
      "codex",
      [
        {
          type: "item.started",
          item: { id: "i1", type: "command_execution", command: "bash -lc ls", exit_code: null },
        },
        { type: "item.completed", item: { id: "i1", type: "command_execution", command: "bash -lc ls", exit_code: 2 } },
        { type: "item.completed", item: { id: "i2", type: "agent_message", text: "ls" } },
      ],
      { command: "bash -lc ls", exit: 2 },
    ],
    [
      "claude-code",
      [
        {
          type: "assistant",
          message: {
            content: [
              { type: "text", text: "x" },
              { type: "tool_use", id: "t", name: "Bash", input: { command: "ls" } },
            ],
          },
        },
      ],
      { command: "ls" },
    ],
    [
      "pi",
      [{ type: "tool_execution_start", toolCallId: "c", toolName: "bash", args: { command: "ls" } }],
      { command: "ls" },
    ],
    [
      "opencode",
      [
        {
          type: "tool_use",
          part: { callID: "c", tool: "bash", state: { input: { command: "ls" }, metadata: { exit: 0 } } },
        },
      ],
      { command: "ls", exit: 0 },
    ],
  ])("%s", (_, lines, claimed) => {
    expect(claimedBy(id, printed(...lines))).toEqual({
      sandbox: id,
      by: "harness",
      total: 1,
      cut: false,
      commands: [claimed],
    });
  });

  it("is nothing where it says nothing, and is cut with the output", () => {
    expect(claimedBy(id, output("ls\n{}\n{\n[1]\nnull\n"))).toBeUndefined();
    const line = JSON.stringify({ type: "tool_execution_start", args: { command: "ls" } });
    expect(claimedBy(id, output(`${line}\n`, 1e6))).toMatchObject({ total: 1, cut: true });
    expect(claimedBy(id, output(`${line}\n`.repeat(300)))).toMatchObject({ total: 300, commands: { length: 100 } });
  });

  it("makes a valid event of whatever is printed", () => {
    const value = fc.anything({ withNullPrototype: false });
    const type = fc.constantFrom("item.completed", "assistant", "tool_execution_start", "tool_use");
    fc.assert(
      fc.property(type, value, value, fc.string({ unit: "binary", maxLength: 3000 }), (kind, one, other, text) => {
        const shapes = [
          { type: kind, item: one, message: other, args: one, part: other },
          { type: kind, item: { type: "command_execution", id: one, command: text, exit_code: other } },
          { type: kind, message: { content: [{ type: "tool_use", input: { command: text } }, one] } },
          { type: kind, args: { command: text }, part: { state: { input: { command: text } } } },
        ];
        const lines = shapes.map((shape) => {
          try {
            return JSON.stringify(shape, (_key, v: unknown) => (typeof v === "bigint" ? 1 : v));
          } catch {
            return "{";
          }
        });
        const claimed = claimedBy(id, output(lines.join("\n")));
        if (claimed) events["sandbox.claimed"].parse(JSON.parse(JSON.stringify(claimed)));
      }),
      { numRuns: 200 },
    );
  });
});
