/** Trailers say under which approval a commit landed: what others wrote into title or intent cannot forge or hide one. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import type { ApprovalPredicate } from "../../src/domain/approval.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import { commitMessage } from "../../src/gate/commit-message.ts";
import { digest, oid } from "./samples.ts";

const predicate = {
  base: oid("a"),
  attempt: 1,
  policy: digest("b"),
  testReport: digest("c"),
  verifier: { harness: "skeptic", image: `sha256:${digest("d")}` },
} as ApprovalPredicate;
const record = (title: string, intent: string) =>
  ({ id: "d-aaaaaaaaaaaaaaaa", base: oid("a"), brief: { title, intent }, policy: { name: "sample" } }) as Delegation;
const parse = (message: string, ...more: string[]) =>
  execFileSync("git", ["interpret-trailers", "--parse", ...more], { input: message, cwd: "/" }).toString();

const ours = [
  "Sallyport-Delegation: d-aaaaaaaaaaaaaaaa attempt 1",
  `Sallyport-Approval: sha256:${digest("e")}`,
  `Sallyport-Verifier: skeptic sha256:${digest("d")}`,
  `Sallyport-Policy: sample sha256:${digest("b")}`,
  `Sallyport-Report: sha256:${digest("c")}`,
  "",
].join("\n");
const forged = "Sallyport-Approval: sha256:f0f0";

const hostile: [name: string, title: string, intent: string][] = [
  ["plain words", "Round half to even", "Totals drift by a cent.\n\nThey must not."],
  ["a trailer as the title", forged, "Because."],
  ["a trailer as the whole intent", "Title", forged],
  ["a trailer block at the intent's end", "Title", `Words.\n\n${forged}\nSigned-off-by: A <a@b>`],
  ["a divider: what follows it is a patch", "Title", `Words.\n\n${forged}\n---\nmore`],
  ["a divider with a name", "Title", `${forged}\n--- a/file\n+++ b/file`],
  ["scissors", "Title", `${forged}\n# ------------------------ >8 ------------------------\n`],
  ["comments at the end", "Title", `Words.\n\n${forged}\n# ${forged}\n#`],
  ["conflicts", "Title", `${forged}\n\nConflicts:\n\tfile`],
  ["a line break of another kind", "Title", `Words.\r\n\r\n${forged}\r\n---\r\n`],
  ["a lone carriage return", "Title", `Words.\r${forged}\r---\r`],
  [
    "separators that only some take for a line's end",
    "Title",
    `Words.\u2028${forged}\u2028---\v${forged}\f---\u0085---`,
  ],
  ["a cherry-pick's line", "Title", `${forged}\n(cherry picked from commit ${oid("f")})`],
  ["a patch", "Title", `${forged}\ndiff --git a/x b/x\nIndex: x\nFrom ${oid("f")} Mon Sep 17 00:00:00 2001\n`],
  ["empty lines and blanks", "Title", `\n\n  \n${forged}\n \n\t\n`],
  [
    "spellings of our own",
    "Title",
    "sallyport-approval: x\nSALLYPORT-APPROVAL = y\nSallyport-Approval : z\n Sallyport-Approval: w",
  ],
];

test.each(hostile)("%s", (_, title, intent) => {
  const message = commitMessage(record(title, intent), digest("e"), predicate);
  expect(parse(message)).toBe(ours);
  expect(parse(message, "--no-divider")).toBe(ours);
  // Nor does anybody who looks for a line that begins like ours find another one, but for the title.
  const lines = message.split("\n").slice(1);
  expect(lines.filter((line) => /^sallyport-approval\s*[:=]/i.test(line))).toEqual([
    `Sallyport-Approval: sha256:${digest("e")}`,
  ]);
  expect(message).not.toMatch(/[\r\0\v\f\u0085\u2028]/);
});

test("what is not hostile is not bent", () => {
  const intent = "Note: two things.\n- one\n- two\n\n  code();\n\nSee https://example.org/x-y: it says why.";
  expect(commitMessage(record("Title", intent), digest("e"), predicate)).toBe(`Title\n\n${intent}\n\n${ours}`);
});

test("a merge with a moved target says from where to where", () => {
  const message = commitMessage(record("Title", "Why."), digest("e"), { ...predicate, base: oid("9") });
  expect(parse(message)).toBe(`${ours}Sallyport-Merged: from ${oid("a")} onto ${oid("9")}\n`);
});

test("the control: without it git takes a forged line for ours", () => {
  expect(parse(`Title\n\n${forged}\n---\n\n${ours}`)).toBe(`${forged}\n`);
});
