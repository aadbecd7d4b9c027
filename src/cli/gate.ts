/** `gate`: how the verifiers do on known changes, and whether anything may be signed. */
import { userInfo } from "node:os";
import type { Command } from "commander";
import { exitCode, SallyportError } from "../domain/error.ts";
import type { Entry } from "../domain/event.ts";
import type { Closed } from "../gate/calibration/gate-state.ts";
import type { ErrorRate, VerifierRates } from "../gate/calibration/rates.ts";
import { call } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";
import { onInterrupt, openLive } from "./live.ts";
import { type Cell, fitTable } from "./table.ts";
import type { Line } from "./terminal.ts";
import { clock } from "./when.ts";

interface GateStatus {
  open: boolean;
  closed?: Closed;
  opened?: { time: string; by: string; reason: string };
  rate: number;
  window: number;
  warnings: string[];
  verifiers: VerifierRates[];
  failed: number;
  waiting: number;
  held: string[];
}

type Judged = Extract<Entry, { type: "canary.judged" }>["data"];
interface CanaryAnswer {
  id: string;
  state: "waiting" | "running" | "judged" | "failed";
  event?: Entry;
}

const percent = (part: number) => `${(part * 100).toFixed(1)} %`;

/** `1/16 6.2 % (0.3–26.4 %)`: how often, and the one-sided 95 % bounds below and above. */
export function showErrorRate({ count, of, rate, low, high }: ErrorRate): string {
  if (rate === undefined) return "-";
  return `${count}/${of} ${percent(rate)} (${(low * 100).toFixed(1)}–${percent(high)})`;
}

function describe(gate: GateStatus): Line[] {
  const lines: Line[] = gate.closed
    ? [
        [["the gate is CLOSED", "bad"], ` since ${gate.closed.since}, by ${gate.closed.by}: ${gate.closed.reason}`],
        ...(gate.closed.canary
          ? [`  canary    ${gate.closed.canary}: sallyport audit show --delegation ${gate.closed.canary}`]
          : []),
        "  next      look at that verifier; calibrate another; then: sallyport gate open --reason TEXT",
      ]
    : [
        [
          ["the gate is open", "good"],
          `${gate.opened ? `: opened ${gate.opened.time} by ${gate.opened.by}: ${gate.opened.reason}` : ""}`,
        ],
      ];
  lines.push(
    `  drawn     ${percent(gate.rate)} of real verdicts are followed by a canary; ${gate.waiting} wait or run`,
  );
  if (gate.held.length > 0) lines.push(`  held      ${gate.held.join(", ")}`);
  if (gate.failed > 0) lines.push(`  failed    ${gate.failed}, by no fault of a verifier`);
  if (gate.verifiers.length === 0) lines.push("  nothing is known of any verifier yet; next: sallyport gate calibrate");
  else {
    const rows = gate.verifiers.map((v): Cell[] => [
      [v.harness, "strong"],
      v.policy,
      v.image.slice(7, 19),
      String(v.canaries),
      showErrorRate(v.falseApproval),
      showErrorRate(v.falseRejection),
    ]);
    const columns = [
      { title: "VERIFIER" },
      { title: "POLICY", gives: 1, least: 8 },
      { title: "IMAGE", gives: 3 },
      { title: "CANARIES", gives: 2, align: "right" as const },
      { title: "FALSE APPROVALS" },
      { title: "FALSE REJECTIONS" },
    ];
    lines.push(
      ...fitTable(columns, rows),
      `Over the last ${gate.window} canaries of each; in brackets the one-sided 95 % bounds (Clopper–Pearson).`,
    );
  }
  for (const warning of gate.warnings) lines.push([["warning: ", "warn"], warning]);
  return lines;
}

async function status({ state, json }: Globals): Promise<number> {
  const gate = await call<GateStatus>(state, "GET", "/v1/gate");
  if (json) print(gate);
  else for (const line of describe(gate)) say(line);
  return gate.open ? done : exitCode.refused;
}

interface CalibrateFlags {
  policy?: string;
  harness?: string;
  count: string;
}

async function calibrate({ state, json }: Globals, options: CalibrateFlags): Promise<number> {
  const count = Number(options.count);
  if (!Number.isInteger(count) || count < 1)
    throw new SallyportError("usage", `--count: ${JSON.stringify(options.count)} is no number of canaries`, {
      next: "Write a whole number, such as 24.",
    });
  const { canaries } = await call<{ canaries: string[] }>(state, "POST", "/v1/gate/calibrate", {
    count,
    ...(options.policy ? { policy: options.policy } : {}),
    ...(options.harness ? { harness: options.harness } : {}),
  });
  const begun = Date.now();
  const answers: CanaryAnswer[] = [];
  const progress = openLive(!json, (now) => [
    [
      [`  ${answers.length} of ${canaries.length} judged`, "name"],
      `, wrong: ${answers.filter(isWrong).length}, elapsed ${clock(now - begun)}`,
    ],
  ]);
  const took = onInterrupt(progress, ["the canaries go on without you", "  look: sallyport gate status"]);
  try {
    for (const id of canaries) {
      for (;;) {
        const answer = await call<CanaryAnswer>(state, "GET", `/v1/gate/canaries/${id}`);
        if (answer.event) {
          answers.push(answer);
          progress.line(describeAnswer(answer), answer.event.time);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  } finally {
    took();
    progress.end();
  }
  const gate = await call<GateStatus>(state, "GET", "/v1/gate");
  const judged = answers.flatMap(({ event }) => (event?.type === "canary.judged" ? [event.data] : []));
  if (json) print({ canaries: answers.map(({ id, state: now, event }) => ({ id, state: now, ...event?.data })), gate });
  else {
    for (const line of summary(judged, answers.length)) say(line);
    for (const line of describe(gate)) say(line);
  }
  return judged.some(({ label, approved }) => label === "bad" && approved) ? exitCode.rejected : done;
}

const isWrong = ({ event }: CanaryAnswer) =>
  event?.type === "canary.judged" && event.data.approved !== (event.data.label === "good");

function describeAnswer({ event }: CanaryAnswer): string {
  if (event?.type !== "canary.judged") return `failed: ${JSON.stringify(event?.data ?? {})}`;
  const { case: name, label, approved, reasons } = event.data;
  const right = approved === (label === "good");
  return `${right ? "right" : "WRONG"}  ${label.padEnd(4)} ${name}: ${approved ? "approved" : `rejected (${reasons.join(", ")})`}`;
}

function summary(judged: readonly Judged[], all: number): string[] {
  const of = (label: Judged["label"]) => judged.filter((one) => one.label === label);
  const approved = of("bad").filter((one) => one.approved).length;
  const rejected = of("good").filter((one) => !one.approved).length;
  return [
    `${judged.length} of ${all} judged: ${approved} of ${of("bad").length} bad approved, ${rejected} of ${of("good").length} good rejected`,
  ];
}

const decide =
  (verb: "open" | "close", text: string) =>
  async ({ state, json }: Globals, options: { reason: string }): Promise<number> => {
    const who = process.env.SUDO_USER || userInfo().username;
    const answer = await call<object>(state, "POST", `/v1/gate/${verb}`, { reason: options.reason, who });
    if (json) print(answer);
    else say(text);
    return done;
  };

export function gateCommand(): Command {
  return command("gate", "How the verifiers do on known changes, and whether anything may be signed.", [
    "sallyport gate status",
    "sallyport gate calibrate --policy node-library --count 24",
  ])
    .addCommand(
      command("status", "Open or closed, who waits, and each verifier's error rates with bounds.", [
        "sallyport gate status --json",
      ]).action(action(status)),
    )
    .addCommand(
      command("calibrate", "Run known changes through the live verifier now. One bad one approved closes the gate.", [
        "sallyport gate calibrate --policy node-library --count 24",
        "sallyport gate calibrate --harness skeptic --count 48",
      ])
        .option("--policy <name>", "whose verifier and limits (default: base)")
        .option("--harness <name>", "another verifier than the policy's")
        .option("--count <n>", "how many; every case comes as often as the others", "24")
        .action(action(calibrate)),
    )
    .addCommand(
      command("open", "Open it again, saying why: what waited is asked, signed and may land.", [
        'sallyport gate open --reason "another verifier; 48 canaries without a miss"',
      ])
        .requiredOption("--reason <text>", "why it may be trusted again; it is written down")
        .action(action(decide("open", "the gate is open"))),
    )
    .addCommand(
      command("close", "Close it: nothing is signed and nothing lands until it is opened.", [
        'sallyport gate close --reason "the provider was broken into"',
      ])
        .requiredOption("--reason <text>", "why; it is written down")
        .action(action(decide("close", "the gate is closed: nothing is signed, nothing lands"))),
    );
}
