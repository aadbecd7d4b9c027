/** What the tests of the coding CLIs share: a host with their images, model routes to one stand-in, and a key to look for. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { EventData } from "../../src/domain/event.ts";
import { type Action, type Model, startModel, type Turns } from "../model/start-model.ts";
import { type HostOptions, openHost, type TestHost } from "./daemon.ts";

export interface ModelHost {
  host: TestHost;
  model: Model;
  /** The real key of every route: it must be at the model, and nowhere else. */
  key: string;
  /** Starts a delegation with a conversation of its own with the model. */
  begin(turns: Turns, fields: Record<string, unknown>): Promise<{ id: string; conversation: string }>;
  /** `begin`, then waits until it rests. */
  turn(turns: Turns, fields: Record<string, unknown>): Promise<{ d: Delegation; conversation: string }>;
  /** The requests of a delegation as the ledger has them. */
  requests(id: string): EventData<"request">[];
  /** Changes a harness file for the time of `during`. What it says is no part of the image. */
  altered<T>(name: string, change: (text: string) => string, during: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** How each provider takes its key. */
const keyed = {
  openai: { header: "authorization", form: "Bearer {}" },
  "openai-responses": { header: "authorization", form: "Bearer {}" },
  qwen: { header: "authorization", form: "Bearer {}" },
  anthropic: { header: "x-api-key" },
  gemini: { header: "x-goog-api-key" },
} as const;
export type Route = keyof typeof keyed;

/** The header in which a route's key arrives, and its whole value. */
export function keyHeader(route: Route, key: string): [string, string] {
  const { header } = keyed[route];
  return [header, route === "anthropic" || route === "gemini" ? key : `Bearer ${key}`];
}

/** Starts the stand-in and a host whose policy `coding` has a route of every name, all to it, each with the key. */
export async function openModelHost(options: HostOptions & { policy?: object } = {}): Promise<ModelHost> {
  const model = await startModel();
  const key = `key-${randomBytes(18).toString("hex")}`;
  const routes = Object.keys(keyed) as Route[];
  const { policy = {}, ...rest } = options;
  const coding = {
    version: 1,
    extends: "quick",
    sandbox: { cpus: 2, memory: "1GiB", pids: 256 },
    models: Object.fromEntries(
      routes.map((name) => [name, { base: model.url, addresses: ["127.0.0.1"], secret: name }]),
    ),
    secrets: Object.fromEntries(routes.map((name) => [name, { from: "env:TEST_MODEL_KEY", ...keyed[name] }])),
    budget: { wall: "60s", requests: 60, attempts: 1 },
    ...policy,
  };
  let host: TestHost;
  try {
    host = await openHost({
      ...rest,
      policies: {
        coding,
        "coding-large": { version: 1, extends: "coding", sandbox: { memory: "4GiB" } },
        "coding-short": { version: 1, extends: "coding", budget: { wall: "12s" } },
        ...rest.policies,
      },
      env: { ...rest.env, TEST_MODEL_KEY: key },
    });
  } catch (error) {
    await model.close();
    throw error;
  }
  let conversations = 0;
  const begin: ModelHost["begin"] = async (turns, fields) => {
    const conversation = `conversation-${++conversations}-${randomBytes(6).toString("hex")}`;
    model.converse(conversation, turns);
    const id = await host.send(host.repository(), {
      policy: "coding",
      instructions: `Make cents() round to the nearest cent. (${conversation})`,
      ...fields,
    });
    return { id, conversation };
  };
  return {
    host,
    model,
    key,
    begin,
    async turn(turns, fields) {
      const { id, conversation } = await begin(turns, fields);
      return { d: await host.rest(id, 170), conversation };
    },
    requests: (id) =>
      host
        .entries(id)
        .filter((entry) => entry.type === "request")
        .map((entry) => entry.data as EventData<"request">),
    async altered(name, change, during) {
      const file = join(host.directory, "images", name, "harness.yaml");
      const before = readFileSync(file, "utf8");
      const after = change(before);
      if (after === before) throw new Error(`nothing to change in ${file}`);
      writeFileSync(file, after);
      try {
        return await during();
      } finally {
        writeFileSync(file, before);
      }
    },
    async close() {
      try {
        await host.close();
      } finally {
        await model.close();
      }
    },
  };
}

/** Looks for the key wherever a sandbox could hold it. The key is put together inside: the command does not hold it. */
export function searchFor(key: string): Action {
  const half = key.length >> 1;
  const places = "/home /tmp /workspace /worktree /run /brief /etc /dev/shm /var";
  // Without command substitution, which some of the CLIs take for an attack.
  return {
    run: [
      `k=${key.slice(0, half)}; k="$k"${key.slice(half)}`,
      `grep -rlsF -e "$k" ${places} | wc -l | sed s/^/files-with-key=/`,
      'cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" | grep -cF -e "$k" | sed s/^/variables-with-key=/',
      "env | cut -c1-100",
    ].join("; "),
  };
}

/** What `searchFor` found, as the model was told. */
export function foundBy(text: string): string[] {
  return text.match(/(?:files|variables)-with-key=\d+/g) ?? [];
}
