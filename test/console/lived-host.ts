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

const rightFix = `
sed -i s/Math.floor/Math.round/ src/money.js
cat >> test/money.test.js <<'END'
test("parts of a cent", () => assert.equal(cents(1.006), 101));
END`;
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

export async function openLivedHost(): Promise<LivedHost> {
  const sandbox = { cpus: 1, memory: "512MiB", pids: 128, disk: "128MiB" };
  const host = await openHost({
    policies: {
      library: { version: 1, extends: "node-library", sandbox, budget: { wall: "60s", attempts: 2 } },
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
        instructions: rightFix,
        intent: "A cent is lost: half a cent goes down.",
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
    if (status !== 200) throw new Error(`not landed: ${body}`);
    const rejected = await host.turn(host.repository("stock"), {
      title: "Round, and ask the network",
      intent: "verdict reject",
      instructions: "curl -s http://10.0.0.1/x; sed -i s/Math.floor/Math.round/ src/money.js",
    });
    const odd = await host.turn(host.repository("odd"), {
      title: oddTitle,
      instructions: oddCode,
      accept: [{ id: "A1", must: `It says ${markup}` }],
    });
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
