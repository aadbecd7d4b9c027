/** What an executor finds when it looks around: its script's output comes out as a proposed file, which the test reads. */
import type { Delegation } from "../../src/domain/delegation.ts";
import type { TestHost } from "../e2e/daemon.ts";

export interface Looked {
  /** What the script printed. */
  text: string;
  record: Delegation;
}

/** Runs a script as the executor of one delegation and gives what it printed (48 KiB at most). */
export async function inside(
  host: TestHost,
  repository: { path: string },
  script: string,
  fields: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Promise<Looked> {
  // A shell of its own: the scripted executor's echoes each command.
  const instructions = `cat > /tmp/look.sh <<'LOOK'
${script}
LOOK
sh /tmp/look.sh > /tmp/said 2>&1
head -c 49152 /tmp/said | tr -d '\\000-\\010\\013-\\037' > src/said.txt
echo end >> src/said.txt`;
  const record = await host.turn(repository, { instructions, budget: { attempts: 1 }, ...fields }, more);
  const { status, body } = await host.api("GET", `/v1/delegations/${record.id}/diff`);
  if (status !== 200) throw new Error(`nothing came out: ${status} ${body} ${JSON.stringify(record.attempts)}`);
  const part = body.slice(body.indexOf("b/src/said.txt"));
  const lines = part.split("\n").filter((line) => line.startsWith("+") && !line.startsWith("+++"));
  return { text: lines.map((line) => line.slice(1)).join("\n"), record };
}
