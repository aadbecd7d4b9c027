/** A daemon that has lived: work that landed, that was rejected, that is hostile, that is a plan. Real containers, scripted words. */
import { openHost, type TestHost } from "../e2e/daemon.ts";
import { part, parts, planOf, planTurn, tested } from "../e2e/plan-turn.ts";

export interface LivedHost {
  host: TestHost;
  landed: string;
  rejected: string;
  odd: string;
  plan: string;
}

/** Leaves the bug on its first attempt, and mends it when it is told where. */
const mendingFix = `
curl -s -m 5 http://telemetry.example/v1/usage > /dev/null
if grep -q "Math.ceil" src/money.js; then
  sed -i s/Math.ceil/Math.round/ src/money.js
else
  sed -i s/Math.floor/Math.ceil/ src/money.js
fi
grep -q "parts of" test/money.test.js || cat >> test/money.test.js <<'END'
test("parts of a cent", () => assert.equal(cents(1.006), 101));
END`;

const rounds = {
  decision: "approve",
  criteria: [
    {
      id: "A1",
      status: "met",
      evidence: [
        { path: "src/money.js", line: 2 },
        { path: "src/money.js", line: 2, side: "old" },
        { test: "parts of a cent" },
        { check: "A1.1" },
      ],
      why: "The line rounds half up, and the new test is red without it.",
    },
  ],
  refutations: [
    {
      tried: "Amounts on both sides of half a cent",
      how: "cents(1.004), cents(1.006), cents(0)",
      found: false,
      detail: "100, 101 and 0, as the criterion asks.",
    },
    { tried: "A test that was weakened", found: false, detail: "Only one test was added; none changed." },
  ],
  feedback: [],
};
const ceils = {
  decision: "reject",
  criteria: [
    {
      id: "A1",
      status: "unmet",
      evidence: [{ path: "src/money.js", line: 2 }],
      why: "Rounding up makes 1.001 into 101 cents.",
    },
  ],
  refutations: [{ tried: "An amount just above a cent", how: "cents(1.001)", found: true, detail: "101, not 100." }],
  feedback: [
    {
      path: "src/money.js",
      line: 2,
      what: "Use Math.round: Math.ceil gives a cent away on every fraction.",
      why: "cents(1.001) is 101; the nearest cent is 100.",
    },
  ],
};
/** What the scripted verifier runs: it looks at the diff that it was given. */
const judge = `
if grep -q '^+.*Math.round' /case/diff.patch; then
  verdict raw '${JSON.stringify(rounds)}'
else
  verdict raw '${JSON.stringify(ceils)}'
fi`;

const checkFile =
  'import { cents } from "/workspace/src/money.js";\nif (cents(1.006) !== 101 || cents(2) !== 200) process.exit(1);\n';

/** What a browser would do if it took a text for markup. */
export const markup = '<img src=x onerror="globalThis.pwned=1">';

/** A title, a criterion, a path and code that are not what they seem. */
const oddTitle = `Fix ${markup} javascript:globalThis.pwned=1 </script><script>globalThis.pwned=1</script>`;
const oddCode = [
  "mkdir -p 'src/<b onclick=globalThis.pwned=1>'",
  `printf 'export const a = "\\342\\200\\256 <script>globalThis.pwned=1</script>"; // \\033]0;owned\\007\\n' > 'src/<b onclick=globalThis.pwned=1>/a.js'`,
  "curl -s 'http://evil.example/%3Cscript%3E?q=<img+src=x+onerror=globalThis.pwned=1>'",
  "cp /bin/true '/tmp/<script>x' && '/tmp/<script>x'",
  "true",
].join("\n");

/** `hostile: false` leaves out what is not what it seems, for pictures. */
export async function openLivedHost({ hostile = true } = {}): Promise<LivedHost> {
  const sandbox = { cpus: 1, memory: "512MiB", pids: 128, disk: "128MiB" };
  const host = await openHost({
    policies: {
      library: {
        version: 1,
        extends: "node-library",
        sandbox,
        budget: { wall: "60s", attempts: 3 },
        verifier: { harness: "verifier-script" },
      },
      tested,
    },
  });
  try {
    const money = host.repository("money");
    const checked = {
      checkFiles: { "check.mjs": Buffer.from(checkFile).toString("base64") },
    };
    const right = await host.turn(
      money,
      {
        policy: "library",
        instructions: mendingFix,
        intent: judge,
        accept: [
          {
            id: "A1",
            must: "cents() rounds to the nearest cent",
            checks: [
              { run: "node check.mjs", files: ["check.mjs"] },
              { absent: "Math\\.floor", in: "src/**" },
            ],
          },
        ],
      },
      checked,
    );
    const { status, body } = await host.api("POST", `/v1/delegations/${right.id}/land`, {});
    if (status !== 200) throw new Error(`not landed: ${body} ${JSON.stringify(right.attempts)}`);
    const rejected = await host.turn(host.repository("stock"), {
      title: "Round, and ask the network",
      intent: "verdict reject",
      instructions: "curl -s http://10.0.0.1/x; sed -i s/Math.floor/Math.round/ src/money.js",
    });
    const odd = hostile
      ? await host.turn(host.repository("odd"), {
          title: oddTitle,
          instructions: oddCode,
          accept: [{ id: "A1", must: `It says ${markup}` }],
        })
      : right;
    const view = await planTurn(
      host,
      host.repository("parts", parts),
      planOf([
        part("B1", { instructions: "sed -i 's|1;|1; //B1|' src/one.js", writable: ["src/one.js"] }),
        part("B2", { instructions: "sed -i 's|2;|2; //B2|' src/two.js", writable: ["src/two.js"] }),
      ]),
    );
    return { host, landed: right.id, rejected: rejected.id, odd: odd.id, plan: view.id };
  } catch (error) {
    await host.close().catch(() => {});
    throw error;
  }
}
