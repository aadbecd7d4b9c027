/** The real coding CLI in its image: its model behind one Unix socket, no network, and a file edited as told. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadHarness } from "../../src/sandbox/images/harness.ts";
import { type Model, startModel } from "../model/start-model.ts";
import { hostSocket, image, imagesDirectory, run, scratch } from "./engine.ts";

let digest: string;
let folder: ReturnType<typeof scratch>;
let model: Model | undefined;
let server: Server | undefined;

beforeAll(async () => {
  digest = (await image("pi")).digest;
}, 600_000);
beforeEach(() => {
  folder = scratch();
});
afterEach(async () => {
  server?.close().closeAllConnections();
  await model?.close();
  folder.drop();
});

/** What the gateway does with a model route, and no more: `/model/openai/<rest>` goes to the model's `/<rest>`. */
async function relay(target: Model): Promise<string> {
  const socket = await hostSocket(folder.path, (incoming, outgoing) => {
    const rest = incoming.url?.startsWith("/model/openai/") ? incoming.url.slice("/model/openai".length) : undefined;
    if (rest === undefined) {
      outgoing.writeHead(403).end();
      return;
    }
    const upstream = httpRequest(
      `${target.url}${rest}`,
      { method: incoming.method ?? "GET", headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  });
  server = socket.server;
  return socket.directory;
}

/** Runs pi in its image as the harness file says, with `work` as the workspace and the model behind the socket. */
async function runPi(target: Model, work: string): ReturnType<typeof run> {
  const home = join(folder.path, "home");
  const harness = await loadHarness("pi", imagesDirectory);
  const slots: Record<string, string> = {
    prompt: "Round half to even.",
    model: harness.model?.name ?? "",
    base: "http://127.0.0.1:3128/model/openai",
  };
  const fill = (text: string): string =>
    text.replaceAll(/\{(prompt|model|base)\}/g, (_, slot: string) => slots[slot] ?? "");
  for (const file of harness.files) {
    const path = join(home, file.path);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, fill(file.content));
  }
  execFileSync("chown", ["-R", "10001:10001", work], { timeout: 10_000 });
  const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map(
    (name) => `${name}=http://127.0.0.1:3128`,
  );
  return run(digest, ["/opt/sallyport/entry", ...harness.command.map(fill)], {
    binds: [`${await relay(target)}:/run/sallyport:ro`, `${work}:/workspace`, `${home}:/run/sallyport-home:ro`],
    env: [...Object.entries(harness.environment).map(([name, value]) => `${name}=${fill(value)}`), ...proxies],
    directory: "/workspace",
    seconds: 60,
  });
}

function workspace(): string {
  const work = join(folder.path, "work");
  mkdirSync(work);
  writeFileSync(join(work, "money.js"), "export const money = (x) => Math.round(x);\n");
  return work;
}

describe("pi", () => {
  it("edits a file as its model says, through the forwarder, and asks for nothing else", async () => {
    model = await startModel({
      script: [
        { do: [{ read: "money.js" }] },
        { do: [{ edit: "money.js", from: "Math.round(x)", to: "halfEven(x)" }] },
        { do: [{ run: "cat money.js > seen.txt" }] },
        { text: "Rounded." },
      ],
    });
    const work = workspace();
    const done = await runPi(model, work);
    expect(done.exit, done.output).toBe(0);
    expect(readFileSync(join(work, "money.js"), "utf8")).toBe("export const money = (x) => halfEven(x);\n");
    expect(readFileSync(join(work, "seen.txt"), "utf8")).toContain("halfEven");
    expect(model.requests.map((r) => `${r.method} ${r.path}`)).toEqual(Array(4).fill("POST /v1/chat/completions"));
    expect(model.requests.map((r) => r.turn)).toEqual([0, 1, 2, 3]);
    expect(model.requests[0]?.body["model"]).toBe((await loadHarness("pi", imagesDirectory)).model?.name);
    expect(model.requests[0]?.asked?.text).toContain("Round half to even.");
    expect(model.requests[0]?.headers.authorization).toBe("Bearer placeholder");
  }, 90_000);

  it("changes nothing when its model refuses", async () => {
    model = await startModel({ script: () => ({ status: 400, text: "no such model" }) });
    const work = workspace();
    const done = await runPi(model, work);
    expect(done.output).toContain("no such model");
    expect(readFileSync(join(work, "money.js"), "utf8")).toBe("export const money = (x) => Math.round(x);\n");
  }, 90_000);

  it("is the version that its harness file and lockfile pin", async () => {
    const harness = await loadHarness("pi", imagesDirectory);
    const { dependencies } = JSON.parse(readFileSync(join(imagesDirectory, "pi/package.json"), "utf8"));
    expect(dependencies).toEqual({ [harness.package?.name ?? ""]: harness.package?.version });
    expect(await run(digest, harness.smoke)).toEqual({ exit: 0, output: `${harness.package?.version}\n` });
  });
});
