/** The policy file: what an executor may see, reach, spend and touch. Schema only; meaning is in src/policy/. */
import { z } from "zod";
import { shortName } from "./identity.ts";
import { modelException, modelGlob, modelProtocol } from "./model.ts";
import { priceTable } from "./price.ts";
import { settledStuck, writtenStuck } from "./stuck.ts";
import { settled, type Units, written } from "./units.ts";

/** A glob over paths relative to the repository's root. */
export const pathPattern = z
  .string()
  .min(1)
  .max(512)
  .refine((p) => !p.startsWith("/") && !p.startsWith("!") && !p.split("/").includes(".."), {
    message: "a path pattern is relative to the repository's root, without `..` and without a leading `/` or `!`",
  });

export const httpMethod = z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export const networkRule = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .max(253)
      .describe("A host name, or `*.example.org` for the names one label or more below it."),
    port: z.number().int().min(1).max(65535).optional().describe("Left out: 443 for https, 80 for http."),
    scheme: z.enum(["http", "https"]).optional().describe("Left out: both."),
    methods: z.array(httpMethod).min(1).optional().describe("Left out: every method."),
    paths: z
      .array(z.string().startsWith("/").max(1024))
      .min(1)
      .optional()
      .describe("Globs on the canonical path. Left out: every path."),
    query: z
      .record(z.string().min(1).max(128), z.string().max(1024))
      .optional()
      .describe(
        "Query parameters that must be there, each once, with a value that matches this glob. Left out: any query.",
      ),
    websocket: z.boolean().optional().describe("Whether a WebSocket may be opened. Left out: no."),
    tls: z
      .enum(["open", "passthrough"])
      .optional()
      .describe(
        "`open` (left out): the gateway reads the requests. `passthrough`: a tunnel for a pinned client; no methods, paths, query or secret.",
      ),
    secret: shortName
      .optional()
      .describe(
        "The secret that requests under this rule may carry; its placeholder is replaced here and nowhere else.",
      ),
    addresses: z
      .array(z.string())
      .min(1)
      .optional()
      .describe("Exact private addresses this name may resolve to. Left out: public addresses only."),
  })
  .describe("One thing that a sandbox may reach. What no rule names is denied.");
export type NetworkRule = z.infer<typeof networkRule>;

function quotaOf(units: Units) {
  return z.strictObject({
    requests: units.count.describe("Requests in one window."),
    window: units.duration.describe("How long a window is; it slides."),
  });
}

function routeOf(units: Units) {
  return z.strictObject({
    base: z.url({ protocol: /^https?$/ }).describe("The provider's base URL; requests go to this URL and below it."),
    addresses: z.array(z.string()).min(1).optional().describe("Exact private addresses the base may resolve to."),
    secret: shortName.optional().describe("The secret that the gateway puts into every request of this route."),
    protocol: modelProtocol
      .optional()
      .describe("What is spoken on it. Left out: known for the providers' own bases, else what the harness speaks."),
    prices: shortName
      .optional()
      .describe("The price table, `prices/<name>.yaml` of a policy directory. A money budget needs one."),
    models: z.array(modelGlob).min(1).max(200).optional().describe("Globs over the models that may be asked for."),
    output: units.count.optional().describe("The most tokens of output that one request may ask for."),
    allow: z
      .array(modelException)
      .max(20)
      .optional()
      .describe("What the provider may do beyond answering: each is refused unless it is named here."),
    quota: z
      .array(quotaOf(units))
      .min(1)
      .max(5)
      .optional()
      .describe("A subscription: nothing is paid for a request, and so many may be made in a window of time."),
  });
}
/** A model route as it is written. */
export const writtenRoute = routeOf(written);
/** A model route once it is read: with its price table, so that what was spent can be told from the ledger alone. */
export const modelRoute = routeOf(settled).extend({ table: priceTable.optional() });
export type ModelRoute = z.infer<typeof modelRoute>;

/** Where a secret comes from and how a request carries it. It is bound to the rules and model routes that name it. */
export const secretBinding = z
  .strictObject({
    from: z
      .string()
      .regex(
        /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+|exec:\/.+|credential:[A-Za-z0-9._-]+)$/,
        "expected env:NAME, file:/path, exec:/path args or credential:name",
      )
      .describe(
        "env: the daemon's environment. file: a file of mode 0600, no link. exec: a program's output (a vault's CLI). credential: a systemd credential.",
      ),
    header: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/)
      .optional()
      .describe("The header that carries it, such as x-api-key or authorization."),
    form: z
      .string()
      .max(200)
      .optional()
      .describe(
        "How the header's value is written, with {} for the secret, such as `Bearer {}`. Left out: the secret alone.",
      ),
    basic: z.string().max(200).optional().describe("The user name, where it is the password of Basic authentication."),
    query: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/)
      .optional()
      .describe("The query parameter that carries it."),
    env: z
      .string()
      .regex(/^[A-Z_][A-Z0-9_]*$/)
      .optional()
      .describe("The variable in the sandbox that holds its placeholder."),
  })
  .refine((s) => [s.header, s.basic, s.query].filter((v) => v !== undefined).length === 1, {
    message: "a secret is carried in exactly one of header, basic or query",
  });
export type SecretBinding = z.infer<typeof secretBinding>;

const paths = z.array(pathPattern).max(256);

function limitsOf(units: Units) {
  return z.strictObject({
    runtime: z.enum(["runc"]).describe("The engine's runtime."),
    cpus: z.number().min(0.1).max(256).describe("How many processors a sandbox may use."),
    memory: units.size.describe("Memory, without swap, such as 4GiB."),
    pids: z.number().int().min(16).max(65536).describe("Processes and threads of a sandbox together."),
    disk: units.size.describe("The most a sandbox may write to its layer, such as 4GiB."),
  });
}

function budgetOf(units: Units) {
  return z.strictObject({
    wall: units.duration.describe(
      "Wall time of the executor over all attempts; each run of the tester and the verifier may take as long.",
    ),
    requests: units.count.describe("Requests of the executor through the gateway over all attempts. 0 means none."),
    attempts: z.number().int().min(1).max(20).describe("How often an executor may try, the first time included."),
    patch: units.size.describe("The largest patch that may be proposed."),
    output: units.size.describe("The most a harness may print in one attempt before it is ended."),
    tokens: units.count
      .optional()
      .describe("Tokens of models, of every role and attempt together. 0 means none; left out: not counted against."),
    usd: units.money
      .optional()
      .describe("Dollars for models, of every role and attempt together, such as 0.50. 0 means none."),
  });
}
export const writtenBudget = budgetOf(written);
export const settledBudget = budgetOf(settled);
export type Budget = z.infer<typeof settledBudget>;

function testsOf(units: Units) {
  return z.strictObject({
    setup: z.string().min(1).optional().describe("Runs once on the base tree, with the policy's network."),
    run: z.string().min(1).describe("Runs the tests, without any socket."),
    report: z
      .enum(["exit", "junit", "jest", "go", "cargo"])
      .describe(
        "`exit`: the exit code alone. Else what is written to $SALLYPORT_REPORT: `junit` XML, `jest --json`, `go test -json`, or all that `cargo test` prints.",
      ),
    runner: z
      .enum(["node-test", "vitest", "jest", "mocha", "pytest", "go", "cargo", "none"])
      .optional()
      .describe(
        "Whose test files the host plants; every report but `exit` names one. `none` plants nothing: a forged report is then believed if the exit code agrees.",
      ),
    plant: pathPattern
      .optional()
      .describe(
        "A folder whose tests are run: planted tests go there, and beside the base's tests. Left out: the runner's usual one.",
      ),
    evidence: paths.describe("Tests and their configuration: put back from the base for the second run."),
    keep: paths
      .optional()
      .describe("Configuration that the host would put back from the base by itself, and that stays as proposed."),
    repeat: z
      .number()
      .int()
      .min(1)
      .max(5)
      .optional()
      .describe("How often base and proposal are run: a test that does not always end the same is flaky. Left out: 1."),
    coverage: z
      .enum(["lcov", "cobertura", "go"])
      .optional()
      .describe("The form of what `run` writes to $SALLYPORT_COVERAGE. Left out: not read."),
    wall: units.duration.optional().describe("Wall time of one run; left out: the budget's."),
    image: shortName.optional().describe("The image the tests and checks run in; left out: `base`."),
  });
}
const settledTests = testsOf(settled);
export type TestCommands = z.infer<typeof settledTests>;

function verifierOf(units: Units) {
  return z.strictObject({
    harness: shortName.describe("The image that verifies."),
    intent: z.boolean().describe("Whether it sees the brief's intent beside the acceptance criteria."),
    turns: z
      .number()
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe("How many turns of a verifier a delegation may take, over all attempts. Left out: one an attempt."),
    tokens: units.count
      .optional()
      .describe("Tokens of models that a delegation's verifiers may use, within the budget's."),
    usd: units.money
      .optional()
      .describe("Dollars for models that a delegation's verifiers may use, within the budget's."),
    independent: z
      .enum(["image", "model"])
      .optional()
      .describe(
        "What it may not share with the executor beside the harness. `image`: the image. `model`: the family of models too.",
      ),
    panel: z
      .strictObject({
        of: z
          .array(shortName)
          .min(2)
          .max(9)
          .refine((names) => new Set(names).size === names.length, { message: "two verifiers have the same name" })
          .describe("The verifiers, in the order in which they are asked."),
        approve: z.number().int().min(1).describe("How many of them must approve."),
      })
      .refine((panel) => panel.approve <= panel.of.length, { message: "more approvals than verifiers" })
      .optional()
      .describe(
        "Several verifiers in the place of `harness`, each in a sandbox of its own; none sees another's verdict.",
      ),
    families: z
      .record(modelGlob, shortName)
      .optional()
      .describe("The families of models whose names the host does not know: globs over names, each with its family."),
  });
}
const settledVerifier = verifierOf(settled);

export const expectation = z.strictObject({
  request: z
    .string()
    .regex(
      /^(?:CONNECT [^\s/]+:\d+|GET wss?:\/\/\S+|[A-Z]+ https?:\/\/\S+)$/,
      "expected `METHOD URL`, `GET wss://…` for a WebSocket, or `CONNECT host:port`",
    )
    .describe("`METHOD URL`; `GET wss://…` opens a WebSocket, `CONNECT host:port` begins TLS."),
  is: z.enum(["allow", "deny"]).describe("What the policy must decide."),
});

function actionOf(units: Units) {
  return z.strictObject({
    on: z
      .enum(["landed", "approved"])
      .describe("What must have happened before. `approved`: it may also be done before the landing."),
    run: z.string().min(1).max(10_000).describe("The command: it comes from here alone."),
    image: shortName.optional().describe("The image that it runs in; left out: `base`."),
    mount: z
      .enum(["tree", "bundle", "none"])
      .optional()
      .describe(
        "What lies at /landed, read-only. `tree` (left out): a checkout, without history. `bundle`: landed.bundle, for git, with all history; after landing alone. `none`: nothing.",
      ),
    network: z.array(networkRule).max(500).optional().describe("What it may reach. Left out: nothing."),
    secrets: z
      .record(shortName, secretBinding)
      .optional()
      .describe("Its own secrets, bound to its own rules: no other sandbox has them."),
    requests: units.count.optional().describe("Requests through the gateway. Left out: 100."),
    wall: units.duration.optional().describe("Wall time; left out: five minutes."),
  });
}
const settledAction = actionOf(settled);
export type Action = z.infer<typeof settledAction>;

/** How long an approval may be used where the policy does not say, in milliseconds: seven days. */
export const approvalLifetime = 7 * 24 * 3_600_000;

function landingOf(units: Units) {
  return z.strictObject({
    expires: units.duration
      .refine((ms) => ms > 0, { message: "an approval that is over at once could never be used" })
      .optional()
      .describe("How long an approval may be used after it was signed, such as 7d. Left out: seven days."),
  });
}
export const writtenLanding = landingOf(written);
export const settledLanding = landingOf(settled);

/** A policy as written: everything but `version` may come from what it extends. */
export const policyFile = z.strictObject({
  version: z.literal(1).describe("The version of this form: 1."),
  extends: shortName.optional().describe("The policy that this one is laid over, by its file's name without .yaml."),
  sandbox: limitsOf(written).partial().optional().describe("What each sandbox may use; laid over key by key."),
  filesystem: z
    .strictObject({
      visible: paths.optional().describe("Globs over the paths that the executor is given at all."),
      writable: paths.optional().describe("Globs over the paths that it may change; a change elsewhere is rejected."),
      protected: paths
        .optional()
        .describe("What no change may touch, also where it does not exist yet; adds up over what is extended."),
    })
    .optional()
    .describe("Paths of the repository; laid over key by key."),
  network: z
    .array(networkRule)
    .max(5000)
    .optional()
    .describe("What a sandbox may reach: a request that any rule allows. Replaces that of the extended policy whole."),
  models: z
    .record(shortName, writtenRoute)
    .optional()
    .describe(
      "Routes to model providers, at /model/<name>/ in the sandbox. Replaces that of the extended policy whole.",
    ),
  secrets: z
    .record(shortName, secretBinding)
    .optional()
    .describe(
      "Values that stay outside of the sandbox, bound to the rules and routes that name them; laid over by name.",
    ),
  budget: writtenBudget.partial().optional().describe("What a delegation may spend; laid over key by key."),
  stuck: writtenStuck
    .partial()
    .optional()
    .describe(
      "When the host ends an executor that gets nowhere; laid over key by key. What is left out is not watched.",
    ),
  tests: testsOf(written)
    .optional()
    .describe("How the host tests a proposal. Replaces that of the extended policy whole."),
  verifier: verifierOf(written).partial().optional().describe("Who verifies; laid over key by key."),
  landing: writtenLanding.optional().describe("What holds for landing; laid over key by key."),
  actions: z
    .record(shortName, actionOf(written))
    .optional()
    .describe(
      "What may be done with what was approved or landed, by name. Replaces that of the extended policy whole.",
    ),
  expect: z
    .array(expectation)
    .max(1000)
    .optional()
    .describe("The policy's own tests, run by `sallyport policy test`; those of the extended policy stay there."),
});
export type PolicyFile = z.infer<typeof policyFile>;

/** A policy with everything settled: what the host enforces. */
export const policy = z.strictObject({
  version: z.literal(1),
  name: shortName,
  sandbox: limitsOf(settled),
  filesystem: z.strictObject({ visible: paths, writable: paths, protected: paths }),
  network: z.array(networkRule),
  models: z.record(shortName, modelRoute),
  secrets: z.record(shortName, secretBinding),
  budget: settledBudget,
  stuck: settledStuck.partial().optional(),
  tests: settledTests.optional(),
  verifier: settledVerifier,

  landing: settledLanding.optional(),
  actions: z.record(shortName, settledAction).optional(),
});
export type Policy = z.infer<typeof policy>;

/** The policy file's schema for editors, as JSON Schema (draft 2020-12) of what a person writes. */
export function policyJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(policyFile, { io: "input" });
  return { ...schema, title: "Sallyport policy" };
}
