import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Brief } from "../../src/domain/brief.ts";
import type { SallyportError } from "../../src/domain/error.ts";
import { loadPolicy } from "../../src/policy/load.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";
import { secretReferences } from "../../src/policy/secret-reference.ts";

const whole = `version: 1
sandbox: { runtime: runc, cpus: 2, memory: 2GiB, pids: 256, disk: 2GiB }
filesystem: { visible: ["**"], writable: ["src/**"], protected: [.git] }
budget: { wall: 10m, requests: 200, attempts: 3, patch: 512KiB, output: 16MiB }
verifier: { harness: skeptic, intent: true }
`;
const withSecrets = `${whole}network:
  - { host: a.org, scheme: https, secret: token }
models:
  m: { base: "https://api.example.org/v1", secret: key }
secrets:
  token: { from: "env:TOKEN", header: authorization, form: "Bearer {}" }
  key: { from: "file:/etc/key", header: x-api-key }
`;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "policy-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));
const put = (name: string, text: string) => writeFile(join(directory, `${name}.yaml`), text);
const load = (name: string) => loadPolicy(name, [directory]);

describe("a secret", () => {
  test("that a rule and a route name is held", async () => {
    await put("p", withSecrets);
    expect(Object.keys((await load("p")).secrets)).toEqual(["token", "key"]);
  });

  test.each([
    [
      "no such name",
      "network: [{ host: a.org, scheme: https, secret: tokn }]\nsecrets: { token: { from: 'env:T', header: x } }",
      /tokn is not declared[\s\S]*did you mean `token`[\s\S]*secret token is bound to nothing/,
    ],
    [
      "a slip",
      "network: [{ host: a.org, scheme: https, secret: tokn }, { host: b.org, scheme: https, secret: token }]\nsecrets: { token: { from: 'env:T', header: x } }",
      /:6:\d+ the secret tokn is not declared.*did you mean `token`/,
    ],
    ["no binding", "secrets:\n  token: { from: 'env:T', header: x }", /:7:3 the secret token is bound to nothing/],
    [
      "a wildcard",
      "network: [{ host: '*.a.org', scheme: https, secret: t }]\nsecrets: { t: { from: 'env:T', header: x } }",
      /carries none/,
    ],
    [
      "plain http",
      "network: [{ host: a.org, scheme: http, secret: t }]\nsecrets: { t: { from: 'env:T', header: x } }",
      /in clear/,
    ],
    [
      "either scheme",
      "network: [{ host: a.org, secret: t }]\nsecrets: { t: { from: 'env:T', header: x } }",
      /allows plain http too/,
    ],
    [
      "plain http to a private host",
      "network: [{ host: a.org, scheme: http, addresses: [127.0.0.1, 10.0.0.1], secret: t }]\nsecrets: { t: { from: 'env:T', header: x } }",
      /in clear/,
    ],
    [
      "a tunnel",
      "network: [{ host: a.org, tls: passthrough, secret: t }]\nsecrets: { t: { from: 'env:T', header: x } }",
      /secret cannot be seen/,
    ],
    [
      "a plain route",
      "models: { m: { base: 'http://m.internal/', addresses: [10.0.0.1], secret: t } }\nsecrets: { t: { from: 'env:T', header: x } }",
      /in clear/,
    ],
    [
      "two carriers",
      "network: [{ host: a.org, scheme: https, secret: t }]\nsecrets: { t: { from: 'env:T', header: x, query: y } }",
      /exactly one of header, basic or query/,
    ],
    [
      "a form without a place",
      "network: [{ host: a.org, scheme: https, secret: t }]\nsecrets: { t: { from: 'env:T', header: x, form: Bearer } }",
      /hold \{\} once/,
    ],
    [
      "a form without a header",
      "network: [{ host: a.org, scheme: https, secret: t }]\nsecrets: { t: { from: 'env:T', query: x, form: '{}' } }",
      /name the `header`/,
    ],
    [
      "a framing header",
      "network: [{ host: a.org, scheme: https, secret: t }]\nsecrets: { t: { from: 'env:T', header: Content-Length } }",
      /gateway's own/,
    ],
    [
      "a bad source",
      "network: [{ host: a.org, scheme: https, secret: t }]\nsecrets: { t: { from: 'plain text', header: x } }",
      /env:NAME/,
    ],
    [
      "one variable for two",
      "network: [{ host: a.org, scheme: https, secret: t }, { host: b.org, scheme: https, secret: u }]\nsecrets: { t: { from: 'env:T', header: x, env: T }, u: { from: 'env:U', header: x, env: T } }",
      /env T is that of the secret/,
    ],
  ])("with %s is refused with its line", async (_, text, message) => {
    await put("p", `${whole}${text}\n`);
    await expect(load("p")).rejects.toMatchObject({
      code: "policy-invalid",
      message: expect.stringMatching(message),
      at: expect.stringMatching(/p\.yaml:\d+:\d+$/),
    });
  });

  test.each([
    "network: [{ host: a.org, scheme: https, secret: t }]\nsecrets: { t: { from: 'exec:/usr/bin/vault read x', basic: user } }",
    "network: [{ host: localhost, scheme: http, addresses: [127.0.0.1, '::1'], secret: t }]\nsecrets: { t: { from: 'credential:t', query: key, env: T_KEY } }",
    "models: { m: { base: 'http://localhost:1/', addresses: [127.0.0.1], secret: t } }\nsecrets: { t: { from: 'env:T', header: x } }",
  ])("%j is taken", async (text) => {
    await put("p", `${whole}${text}\n`);
    expect(Object.keys((await load("p")).secrets)).toEqual(["t"]);
  });
});

describe("secrets under `extends`", () => {
  test("a child replaces one by its name, and drops what it names no more", async () => {
    await put("p", withSecrets);
    await put("c", "version: 1\nextends: p\nsecrets: { token: { from: 'env:OTHER', header: x-token } }\n");
    expect((await load("c")).secrets).toEqual({
      token: { from: "env:OTHER", header: "x-token" },
      key: { from: "file:/etc/key", header: "x-api-key" },
    });
    await put("d", "version: 1\nextends: p\nnetwork: []\n");
    expect(Object.keys((await load("d")).secrets)).toEqual(["key"]);
    await put("e", "version: 1\nextends: p\nnetwork: []\nmodels: {}\n");
    expect((await load("e")).secrets).toEqual({});
  });

  test("a child may bind what a parent declares, and a name that nobody declares is the child's line", async () => {
    await put("p", withSecrets);
    await put("c", "version: 1\nextends: p\nnetwork: [{ host: b.org, scheme: https, secret: key }]\n");
    expect((await load("c")).network[0]?.secret).toBe("key");
    await put("d", "version: 1\nextends: p\nnetwork: [{ host: b.org, scheme: https, secret: kye }]\n");
    await expect(load("d")).rejects.toMatchObject({
      message: expect.stringMatching(/d\.yaml:3:49 .*did you mean `key`/),
    });
  });
});

describe("a brief and secrets", () => {
  const brief = (lines: Partial<Brief>): Brief => ({
    title: "A title",
    intent: "i",
    instructions: "x",
    accept: [{ id: "A1", must: "m", checks: [] }],
    executor: "codex",
    policy: "p",
    breaks: [],
    ...lines,
  });
  const narrow = async (lines: Partial<Brief>) => {
    await put("p", withSecrets);
    return narrowPolicy(await load("p"), brief(lines));
  };
  const refusal = async (lines: Partial<Brief>): Promise<SallyportError | undefined> =>
    narrow(lines).then(
      () => undefined,
      (error) => error,
    );

  test("it holds only the secrets that what is left of the policy names", async () => {
    expect(Object.keys((await narrow({})).secrets)).toEqual(["token", "key"]);
    expect(Object.keys((await narrow({ network: [] })).secrets)).toEqual(["key"]);
    expect(Object.keys((await narrow({ models: [] })).secrets)).toEqual(["token"]);
    expect((await narrow({ network: [{ host: "a.org", scheme: "https" }], models: [] })).secrets).toEqual({});
  });

  test("it can leave secrets out: the rule stays without, the route that needs one goes", async () => {
    const narrowed = await narrow({ secrets: [] });
    expect(narrowed.secrets).toEqual({});
    expect(narrowed.network).toEqual([{ host: "a.org", scheme: "https" }]);
    expect(narrowed.models).toEqual({});
    expect(Object.keys((await narrow({ secrets: ["key"] })).models)).toEqual(["m"]);
  });

  test("it cannot name another, nor bind one to more", async () => {
    expect(await refusal({ secrets: ["other"] })).toMatchObject({
      code: "policy-widened",
      message: expect.stringMatching(/secrets\[0\]: other/),
    });
    expect(await refusal({ network: [{ host: "a.org", scheme: "https", secret: "key" }] })).toMatchObject({
      code: "policy-widened",
    });
    expect(await refusal({ network: [{ host: "a.org", scheme: "https", secret: "token" }] })).toBeUndefined();
  });

  test("secret://name must be one that this work holds", async () => {
    expect(await refusal({ instructions: "Log in with secret://token." })).toBeUndefined();
    expect(await refusal({ instructions: "Log in with secret://toke" })).toMatchObject({
      code: "policy-widened",
      message: expect.stringMatching(/instructions: secret:\/\/toke/),
    });
    expect(await refusal({ instructions: "Log in with secret://token", secrets: ["key"] })).toMatchObject({
      code: "policy-widened",
    });
    expect(await refusal({ instructions: "Log in with secret://" })).toMatchObject({ code: "brief-invalid" });
    expect(
      await refusal({ accept: [{ id: "A1", must: "m", checks: [{ run: "curl -H secret://none", files: [] }] }] }),
    ).toMatchObject({ code: "policy-widened" });
  });

  test("references are found in every text, in either case of the scheme", () => {
    expect(secretReferences({ a: ["x SECRET://one, secret://two.", { b: "secret://!" }] })).toEqual([
      { path: ["a", 0], name: "one" },
      { path: ["a", 0], name: "two" },
      { path: ["a", 1, "b"], name: undefined },
    ]);
  });
});
