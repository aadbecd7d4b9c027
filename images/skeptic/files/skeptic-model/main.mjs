// The verifier: reads the case, asks its model, and posts the verdict to the host. What it prints is for people; only
// the posted verdict counts. Without one the host rejects.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { judge, mended, subjectOf } from "./judge.mjs";
import { askModel, protocols } from "./model.mjs";

if (process.argv[2] === "--check") {
  process.stdout.write(`${Object.keys(protocols).join(" ")}\n`);
  process.exit(0);
}

const folder = process.env.SALLYPORT_CASE ?? "/case";
const read = (name) => readFileSync(join(folder, name), "utf8");
const say = (text) => process.stdout.write(`${text}\n`);

/** A whole number of the environment within bounds, or the default. */
function number(name, fallback, least, most) {
  const value = Number(process.env[name] ?? fallback);
  return Number.isInteger(value) && value >= least && value <= most ? value : fallback;
}

function post(verdict) {
  const body = JSON.stringify(verdict);
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: "127.0.0.1",
        port: 3128,
        method: "POST",
        path: "/verdict",
        agent: false,
        timeout: 30_000,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      },
      (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString("utf8") }));
        answer.on("error", reject);
      },
    );
    call.on("timeout", () => call.destroy(new Error("no answer in 30 s")));
    call.on("error", reject);
    call.end(body);
  });
}

function problemsIn(text) {
  try {
    const { problems } = JSON.parse(text);
    return Array.isArray(problems) ? problems : [];
  } catch {
    return [];
  }
}

const settings = {
  base: process.env.SKEPTIC_BASE ?? "",
  model: process.env.SKEPTIC_MODEL ?? "",
  protocol: process.env.SKEPTIC_PROTOCOL ?? "",
};
const question = JSON.parse(read("question.json"));
const limit = number("SKEPTIC_DIFF_LIMIT", 400_000, 1000, 4_000_000);
const subject = subjectOf(question, read("diff.patch"), JSON.parse(read("report.json")), limit);
let verdict;
try {
  verdict = await judge(question, subject, {
    ask: (system, messages) => askModel(settings, system, messages),
    rounds: number("SKEPTIC_ROUNDS", 3, 1, 10),
    say,
  });
} catch (error) {
  say(`no verdict: ${error.message}`);
  process.exit(1);
}
let answer = await post(verdict);
for (let turn = 0; turn < 2 && answer.status === 422; turn++) {
  say(`the host refused it: ${answer.text}`);
  verdict = mended(verdict, problemsIn(answer.text));
  answer = await post(verdict);
}
say(`${verdict.decision}: ${answer.status} ${answer.text}`);
process.exitCode = answer.status === 200 ? 0 : 1;
