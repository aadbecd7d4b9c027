// The verifier: reads the case, judges it, and posts the verdict to the host. What it prints is for people; only the
// posted verdict counts.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { parseDiff } from "./diff.mjs";
import { attempts, judge } from "./verdict.mjs";

if (process.argv[2] === "--check") {
  process.stdout.write(`${attempts.length} rules\n`);
  process.exit(0);
}

const folder = process.env.SALLYPORT_CASE ?? "/case";
const read = (name) => readFileSync(join(folder, name), "utf8");

/** The verdict on a case whose diff cannot be read: what cannot be read cannot be approved. */
function unreadable(accept, error) {
  return {
    decision: "reject",
    criteria: accept.map(({ id }) => ({ id, status: "unproven", evidence: [], why: "the diff cannot be read" })),
    refutations: [{ tried: "can the diff be read?", found: true, detail: error.message }],
    feedback: [{ what: "the diff cannot be read", why: error.message }],
  };
}

function decide() {
  const { intent, accept } = JSON.parse(read("question.json"));
  const report = JSON.parse(read("report.json"));
  let files;
  try {
    files = parseDiff(read("diff.patch"));
  } catch (error) {
    return unreadable(accept, error);
  }
  return judge({ files, report, accept, intent });
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

/** The same decision with only the pointers that need no position: checks and tests. A wrong pointer is dropped, never guessed. */
function mended(verdict) {
  return {
    ...verdict,
    criteria: verdict.criteria.map((c) => ({ ...c, evidence: c.evidence.filter((e) => "check" in e || "test" in e) })),
    feedback: verdict.feedback.map(({ what, why }) => ({ what, why })),
  };
}

const verdict = decide();
process.stdout.write(`${JSON.stringify(verdict, null, 2)}\n`);
let answer = await post(verdict);
if (answer.status === 422) {
  process.stdout.write(`the host refused it: ${answer.text}\n`);
  answer = await post(mended(verdict));
}
process.stdout.write(`${answer.status} ${answer.text}\n`);
process.exitCode = answer.status === 200 ? 0 : 1;
