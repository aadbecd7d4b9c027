// One turn: reads the case, asks the model, and posts the verdict until the host takes it.
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { judge, mended, nothingShown, subjectOf } from "./judge.mjs";
import { askModel } from "./model.mjs";

/** How often a refused verdict is mended before the plainest one is sent. */
const mendings = 3;

/**
 * Judges the case in `folder` and posts the verdict to `desk` (`{ host, port }`). Resolves to the verdict that was sent last,
 * and the host's answer to it.
 */
export async function verify({ folder, settings, desk, rounds, limit, say = () => {} }) {
  const read = (name) => readFileSync(join(folder, name), "utf8");
  const question = JSON.parse(read("question.json"));
  const delta = existsSync(join(folder, "delta.patch")) ? read("delta.patch") : undefined;
  const subject = subjectOf(question, read("diff.patch"), JSON.parse(read("report.json")), limit, delta);
  const ask = (system, messages) => askModel(settings, system, messages);
  let verdict = await judge(question, subject, { ask, rounds, say });
  let answer = await post(desk, verdict);
  for (let turn = 0; turn <= mendings && answer.status === 422; turn++) {
    say(`the host refused it: ${answer.text}`);
    // What cannot be mended is not guessed: nothing is shown then.
    verdict = turn < mendings ? mended(verdict, problemsIn(answer.text)) : nothingShown(question);
    answer = await post(desk, verdict);
  }
  return { verdict, answer };
}

function post({ host, port }, verdict) {
  const body = JSON.stringify(verdict);
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host,
        port,
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
