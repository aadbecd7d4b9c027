import { execFileSync } from "node:child_process";
const code = `import { Invoice, percent } from "/workspace/src/index.mjs";
const invoice = new Invoice({ customer: "Ada" }).add({ text: "Work", quantity: 0.5, price: 25 });
process.stdout.write(JSON.stringify([invoice.lines()[0].amount, percent(50, 100), percent(150, 100)]));`;
const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 10_000 });
process.exit(answer === "[12,0,2]" ? 0 : 1);
