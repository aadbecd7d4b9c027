/**
 * What the stand-in's model says in the demo. The planner first cuts the work too fine and is told so; the first executor's
 * first attempt fits the examples alone, which the skeptic refutes; the rest is right.
 */
import type { Action, ModelRequest, Turn } from "../test/model/start-model.ts";

type Request = ModelRequest & { asked: NonNullable<ModelRequest["asked"]> };

const check = `import { roundMoney } from "/workspace/src/money.mjs";
for (const [amount, cents] of [[0.125, 0.12], [0.135, 0.14]])
  if (roundMoney(amount) !== cents) throw new Error(\`roundMoney(\${amount}) is \${roundMoney(amount)}\`);
`;

const brief = (id: string, title: string, file: string, instructions: string, harness: string) => ({
  id, title, instructions, intent: "Invoice totals drift by a cent; money must round half to even everywhere.",
  executor: harness, policy: "team", writable: [file],
});
const money = (harness: string) => ({
  ...brief("B1", "Round half to even in the money module", "src/money.mjs", "Change roundMoney in src/money.mjs. Keep its name and signature.", harness),
  accept: [{ id: "A1", must: "roundMoney rounds half to even, so that 0.125 is 0.12 and 0.135 is 0.14", checks: [{ run: "node check-money.mjs", files: ["check-money.mjs"] }] }],
});
const invoice = (harness: string) => ({
  ...brief("B2", "No caller rounds on its own", "src/invoice.mjs", "Use roundMoney of src/money.mjs in src/invoice.mjs.", harness),
  after: ["B1"],
  accept: [{ id: "A1", must: "the invoice module does not round on its own", checks: [{ absent: "Math\\.round\\(", in: "src/invoice.mjs" }] }],
});
const planOf = (briefs: object[]) => ({
  title: "Money rounds half to even everywhere", intent: "Invoice totals drift by a cent.", briefs, policy: "team",
});

const post = (plan: object): Action => ({
  run: `cat > /tmp/check-money.mjs <<'CHECK'\n${check}CHECK\ncat > /tmp/plan.json <<'PLAN'\n${JSON.stringify(plan)}\nPLAN\nreport plan /tmp/plan.json`,
});

const special = `/** Rounds an amount to cents. */
export function roundMoney(amount) {
  if (amount === 0.125) return 0.12;
  return Math.round(amount * 100) / 100;
}
`;
const right = `/** Rounds an amount to cents, half to even. */
export function roundMoney(amount) {
  const cents = Number((amount * 100).toFixed(9));
  const floor = Math.floor(cents);
  const half = cents - floor;
  const up = half > 0.5 || (half === 0.5 && floor % 2 !== 0);
  return (floor + (up ? 1 : 0)) / 100;
}
`;
const caller = `import { roundMoney } from "./money.mjs";

/** The total of an invoice's lines, each rounded to cents. */
export function invoiceTotal(lines) {
  return roundMoney(lines.reduce((sum, line) => sum + roundMoney(line.price * line.quantity), 0));
}
`;

function planner(request: Request, harness: string): Turn {
  const turns: Turn[] = request.asked.text.includes("/mission/outcome.json")
    ? [{ do: [{ run: "printf 'Money rounds half to even, and no caller rounds on its own. Nothing is left to do.\\n' > /tmp/report.txt && report summary /tmp/report.txt" }] }]
    : [
        { do: [post(planOf([money(harness), { ...money(harness), id: "B2", title: "Also look at halves" }]))] },
        { do: [post(planOf([money(harness), invoice(harness)]))] },
      ];
  return turns[request.turn] ?? { text: "done" };
}

function executor(request: Request): Turn {
  if (request.turn > 0) return { text: "done" };
  if (request.asked.text.includes("No caller rounds on its own")) return { do: [{ write: "src/invoice.mjs", content: caller }] };
  return { do: [{ write: "src/money.mjs", content: request.asked.text.includes("This is attempt 2") ? right : special }] };
}

/** The skeptic's model: what it says of a criterion is about the diff and the report that it was shown. */
function skeptic(request: Request): Turn {
  const { text } = request.asked;
  const criterion = /The criterion: \{"id":"([A-Z0-9-]+)"/.exec(text)?.[1] ?? "";
  const checked = [...text.matchAll(/\{"id":"([^"]+)","criterion":"([^"]+)","kind":"[^"]+","ok":true\}/g)].find(([, , of]) => of === criterion)?.[1];
  // A line that was added, as the skeptic's diff shows it: a review also shows what has gone since.
  const answer = /\+\| .*amount === 0\.125/.test(text)
    ? {
        status: "unmet", evidence: [{ path: "src/money.mjs", line: 3 }], why: "Only the example rounds half to even.",
        refutations: [{ tried: "another half that is exact: 0.375 must be 0.38 and 0.625 must be 0.62", found: true, detail: "0.625 is 0.63: the code names 0.125 alone" }],
      }
    : {
        status: "met", evidence: [{ check: checked ?? "" }], why: "The check passes, and no input was found that it fails on.",
        refutations: [{ tried: "halves that are exact in binary, negative amounts, whole cents", found: false, detail: "all as they must be" }],
      };
  return { text: JSON.stringify(answer) };
}

/** The answer to a request, by who asks. */
export function scriptFor(harness: string): (request: Request) => Turn {
  return (request) => {
    if (request.asked.text.includes("You are the planner")) return planner(request, harness);
    if (request.asked.text.includes("You are a skeptic")) return skeptic(request);
    return executor(request);
  };
}
