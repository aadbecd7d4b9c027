// One question to the model, in its provider's words. The gateway carries it and puts the key in.
import { request } from "node:http";

const tokens = 4096;
const answerBytes = 1 << 20;
const answerMilliseconds = 120_000;
const attempts = 4;
/** A provider may ask for any pause; a verdict that comes too late is none. */
const longestPause = 20_000;

/** How each protocol is asked, and where its answer's text is. `messages` are `{ role, text }`. */
export const protocols = {
  "anthropic-messages": {
    path: "/v1/messages",
    headers: { "anthropic-version": "2023-06-01" },
    body: (model, system, messages) => ({
      model,
      max_tokens: tokens,
      system,
      messages: messages.map(({ role, text }) => ({ role, content: text })),
    }),
    text: (body) => body.content.map((block) => (block.type === "text" ? block.text : "")).join(""),
  },
  "openai-chat": {
    path: "/v1/chat/completions",
    headers: {},
    body: (model, system, messages) => ({
      model,
      max_completion_tokens: tokens,
      messages: [{ role: "system", content: system }, ...messages.map(({ role, text }) => ({ role, content: text }))],
    }),
    text: (body) => body.choices[0].message.content ?? "",
  },
  "openai-responses": {
    path: "/v1/responses",
    headers: {},
    body: (model, system, messages) => ({
      model,
      max_output_tokens: tokens,
      store: false,
      instructions: system,
      input: messages.map(({ role, text }) => ({ role, content: text })),
    }),
    text: (body) =>
      body.output
        .flatMap((item) => (item.type === "message" ? item.content : []))
        .map((part) => (part.type === "output_text" ? part.text : ""))
        .join(""),
  },
};

/** The text of the model's answer. Throws when there is none after some tries, or the provider refuses the question. */
export async function askModel({ base, model, protocol, pause = wait }, system, messages) {
  const spoken = protocols[protocol];
  if (spoken === undefined) throw new Error(`this verifier does not speak ${JSON.stringify(protocol)}`);
  const body = JSON.stringify(spoken.body(model, system, messages));
  let last = "";
  for (let turn = 0; turn < attempts; turn++) {
    if (turn > 0) await pause(pauseBefore(turn, last.after));
    last = await post(`${base}${spoken.path}`, body, spoken.headers).catch((error) => ({ why: error.message }));
    if (last.status === 200) {
      try {
        const text = spoken.text(JSON.parse(last.text));
        if (typeof text === "string") return text;
      } catch {}
      last = { why: "the answer is not of the protocol" };
    } else if (last.status !== undefined) {
      const fatal = last.status >= 400 && last.status < 500 && last.status !== 408 && last.status !== 429;
      last.why = `the provider answered ${last.status}: ${last.text.slice(0, 300)}`;
      if (fatal) break;
    }
  }
  throw new Error(last.why);
}

/** Milliseconds: what the provider asks for, within bounds, or longer each time. */
function pauseBefore(turn, after) {
  const asked = Number(after) * 1000;
  return Math.min(Number.isFinite(asked) && asked > 0 ? asked : 500 * 2 ** turn, longestPause);
}

function post(url, body, headers) {
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      {
        method: "POST",
        // A private agent: a proxy from the environment must not carry what is meant for the loopback.
        agent: false,
        signal: AbortSignal.timeout(answerMilliseconds),
        headers: { ...headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      },
      (answer) => {
        const chunks = [];
        let size = 0;
        answer.on("data", (chunk) => {
          chunks.push(chunk);
          size += chunk.length;
          if (size > answerBytes) call.destroy(new Error("the answer is too long"));
        });
        answer.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ status: answer.statusCode, text, after: answer.headers["retry-after"] });
        });
        answer.on("error", reject);
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
