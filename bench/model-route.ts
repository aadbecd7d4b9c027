/**
 * A model route beside a direct call to the same provider on loopback: the first byte of a stream with 50 streams at
 * once, its reservation durable on the disk before it goes out; and what gets past a cap.
 */
import { type ChildProcess, fork } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BudgetAccount } from "../src/domain/budget.ts";
import { type Gateway, startGateway } from "../src/gateway/process.ts";
import { type Budgets, openBudgets } from "../src/host/budgets.ts";
import { openLedger } from "../src/ledger/open.ts";
import { type Figure, median } from "./measure.ts";

const streams = 50;
const rounds = 9;
/** Tokens of one answer, and the bytes of its pieces. */
const answer = { prompt: 2000, completion: 100 };
const piece = `data: ${JSON.stringify({ model: "m", choices: [{ index: 0, delta: { content: "word ".repeat(20) } }] })}\n\n`;
const body = JSON.stringify({
  model: "m",
  stream: true,
  max_tokens: 1000,
  messages: Array.from({ length: 40 }, (_, at) => ({
    role: at % 2 ? "assistant" : "user",
    content: "text ".repeat(100),
  })),
});

/** The provider, in a process of its own: says how many requests came when it is asked. */
function serve(): void {
  let asked = 0;
  const server = createServer((incoming, outgoing) => {
    if (incoming.method === "GET") return void outgoing.end(String(asked));
    asked += 1;
    incoming.resume().on("end", () => {
      outgoing.writeHead(200, { "content-type": "text/event-stream" });
      for (let turn = 0; turn < 5; turn++) outgoing.write(piece);
      const usage = { prompt_tokens: answer.prompt, completion_tokens: answer.completion };
      outgoing.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
}

interface Asked {
  status: number;
  /** Milliseconds to the first byte of the body. */
  first: number;
  /** When the answer was whole, on the clock of `performance`. */
  end: number;
}

function ask(to: { socketPath: string } | { port: number }, path: string): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>();
  const began = performance.now();
  const headers = {
    host: "127.0.0.1:3128",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  const sent = request({ ...to, host: "127.0.0.1", path, method: "POST", agent: false, headers }, (response) => {
    let first = 0;
    response.on("data", () => {
      first ||= performance.now() - began;
    });
    response.on("end", () => resolve({ status: response.statusCode ?? 0, first, end: performance.now() }));
    response.on("error", reject);
  });
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

async function count(port: number): Promise<number> {
  return Number(await (await fetch(`http://127.0.0.1:${port}/`)).text());
}

const many = (work: () => Promise<Asked>) => Promise.all(Array.from({ length: streams }, work));
const percentile = (values: readonly number[], part: number) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? Number.NaN;

/** All figures of model routes. */
export async function modelRouteFigures(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-bench-model-"));
  const { privateKey } = generateKeyPairSync("ed25519");
  let gateway: Gateway | undefined;
  let provider: ChildProcess | undefined;
  const ledger = await openLedger({
    directory: join(directory, "ledger"),
    now: () => new Date(),
    sign: (bytes) => ({ keyid: "0".repeat(64), signature: sign(null, bytes, privateKey).toString("base64") }),
  });
  try {
    provider = fork(fileURLToPath(import.meta.url), ["serve"], { execArgv: [] });
    const started = Promise.withResolvers<number>();
    provider.once("message", (value) => started.resolve(Number(value)));
    provider.once("exit", () => started.reject(new Error("the provider did not start")));
    const port = await started.promise;
    const budgets: Budgets = openBudgets({
      append: (event) => ledger.append(event),
      note: (event) => ledger.record(event),
      now: () => new Date(),
      onOver: () => undefined,
    });
    gateway = await startGateway({
      directory: join(directory, "sockets"),
      uid: 10002,
      gid: 10002,
      onRequest: (data) => ledger.record({ type: "request", data }),
      onVerb: async () => ({ status: 200, body: null }),
      onReserve: budgets.reserve,
      onSettle: budgets.settle,
      onExit: (reason) => console.warn(`the gateway ended: ${reason}`),
    });
    const open = async (number: number, tokens?: number): Promise<{ socketPath: string }> => {
      const sandbox = `s-${"b".repeat(15)}${String.fromCharCode(97 + number)}`;
      const base = `http://127.0.0.1:${port}`;
      const models = { m: { base, addresses: ["127.0.0.1"], protocol: "openai-chat" as const } };
      const account: BudgetAccount = { id: `delegation:${sandbox}`, whose: "this lane", rule: "budget", tokens };
      budgets.open({ sandbox, delegation: undefined, role: "executor", attempt: 1, models, accounts: () => [account] });
      const spec = { sandbox, role: "executor" as const, network: [], models, requests: 1_000_000, verbs: [] };
      return { socketPath: join((await gateway?.openLane(spec))?.directory ?? "", "host.sock") };
    };
    const route = "/model/m/v1/chat/completions";
    const lane = await open(0);
    const ours: number[] = [];
    const theirs: number[] = [];
    const alone: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
    for (let round = 0; round <= rounds; round++) {
      const through = await many(() => ask(lane, route));
      const direct = await many(() => ask({ port }, "/v1/chat/completions"));
      if (through.some(({ status }) => status !== 200)) throw new Error("a request was refused");
      // The first round warms both up.
      if (round === 0) continue;
      ours.push(...through.map(({ first }) => first));
      theirs.push(...direct.map(({ first }) => first));
      for (let turn = 0; turn < 10; turn++) {
        alone.ours.push((await ask(lane, route)).first);
        alone.theirs.push((await ask({ port }, "/v1/chat/completions")).first);
      }
    }
    const figure = (name: string, unit: string, mine: number, other: number, peer: string, p95 = mine): Figure => ({
      name,
      unit,
      ours: mine,
      p95,
      peer,
      theirs: other,
      ratio: mine / other,
      runs: rounds,
      more: false,
    });
    const peer = "the same provider, asked directly";
    const figures = [
      figure(
        "model route, one stream: first byte",
        "ms",
        median(alone.ours),
        median(alone.theirs),
        peer,
        percentile(alone.ours, 0.95),
      ),
      figure(
        `model route, ${streams} streams at once: first byte, median`,
        "ms",
        median(ours),
        median(theirs),
        peer,
        percentile(ours, 0.95),
      ),
      figure(
        `model route, ${streams} streams at once: first byte, 99th percentile`,
        "ms",
        percentile(ours, 0.99),
        percentile(theirs, 0.99),
        peer,
      ),
    ];

    // Each may need some 24,000 tokens and uses 2,100, so a cap of 60,000 is met in the middle of fifty.
    const cap = 60_000;
    const capped = await open(1, cap);
    const before = await count(port);
    let refused = Number.POSITIVE_INFINITY;
    let last = 0;
    const said = await many(() =>
      ask(capped, route).then((one) => {
        if (one.status === 402) refused = Math.min(refused, one.end);
        else if (one.status === 200) last = Math.max(last, one.end);
        return one;
      }),
    );
    const forwarded = (await count(port)) - before;
    const each = answer.prompt + answer.completion;
    const passed = said.filter(({ status }) => status === 200).length;
    if (passed !== forwarded || refused === Number.POSITIVE_INFINITY)
      throw new Error("the cap was not met as it should be");
    figures.push(
      figure(
        `tokens past a cap of ${cap}, ${streams} requests at once`,
        "",
        Math.max(0, forwarded * each - cap),
        streams * each - cap,
        "without a cap",
      ),
      figure("requests that were refused and went out", "", forwarded - passed, streams - passed, "refused"),
      figure(
        "from the first refusal at the cap to the last byte of an answer",
        "ms",
        Math.max(0, last - refused),
        10_000,
        "the grace of a sandbox",
      ),
    );
    return figures;
  } finally {
    await gateway?.stop();
    provider?.kill("SIGKILL");
    await ledger.close().catch(() => undefined);
    rmSync(directory, { recursive: true, force: true });
  }
}

if (process.argv[2] === "serve" && process.send) serve();
