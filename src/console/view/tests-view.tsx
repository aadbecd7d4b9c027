/** The test report: what the change made green comes first, then what it broke. */
import type { TestsPage } from "../../domain/page-parts.ts";
import { showDuration } from "../../domain/show-amount.ts";
import { Badge, counted, More, Table, type Tone } from "./parts.tsx";
import { Clip, Code, Text } from "./text.tsx";

type Lists = "failToPass" | "broken" | "disappeared" | "newlySkipped" | "unproven" | "flaky" | "passToPass";
const lists: readonly { name: Lists; title: string; tone: Tone }[] = [
  { name: "failToPass", title: "Failed before, pass now", tone: "good" },
  { name: "broken", title: "Passed before, fail now", tone: "bad" },
  { name: "disappeared", title: "Disappeared", tone: "bad" },
  { name: "newlySkipped", title: "Skipped since the change", tone: "bad" },
  { name: "unproven", title: "New, and pass without the change too", tone: "waiting" },
  { name: "flaky", title: "Did not end the same each time", tone: "waiting" },
  { name: "passToPass", title: "Passed before, pass now", tone: "plain" },
];
const runNames = { base: "The base", proposal: "The result as it is", proven: "The result with the base's evidence" };

/** The report of one attempt. */
export function TestsView({ tests }: { tests: TestsPage }) {
  return (
    <div class="tests">
      {tests.tested ? null : <p class="none">The policy names no tests: only the checks below ran.</p>}
      {lists.map(({ name, title, tone }) => {
        const list = tests[name];
        // That nothing was fixed, or broken, is said too.
        if (list.total === 0 && name !== "failToPass" && name !== "broken") return null;
        if (!tests.tested) return null;
        return (
          <details key={name} open={list.total > 0 && name !== "passToPass"}>
            <summary>
              <Badge tone={list.total === 0 ? "plain" : tone}>{title}</Badge> {list.total}
            </summary>
            <ul>
              {list.items.map((test, index) => (
                <li key={index}>
                  <Clip code>{test}</Clip>
                </li>
              ))}
            </ul>
            <More total={list.total} shown={list.items.length} what="tests" />
          </details>
        );
      })}
      <Table
        caption="Checks of the brief"
        none="The brief has no check that runs."
        rows={tests.checks.items}
        total={tests.checks.total}
        columns={[
          { head: "Check", names: true, cell: ({ id }) => <Code>{id}</Code> },
          { head: "Holds", cell: ({ ok }) => <Badge tone={ok ? "good" : "bad"}>{ok ? "holds" : "fails"}</Badge> },
          { head: "Kind", cell: ({ kind }) => kind },
          {
            head: "Detail",
            cell: ({ detail, found }) => (
              <>
                <Clip>{detail}</Clip>
                {found.map(({ path, line }) => (
                  <Code key={`${path}:${line}`}>{`${path}:${line}`}</Code>
                ))}
              </>
            ),
          },
        ]}
      />
      <Table
        caption="Runs of the test command, by the host"
        none="No test command ran."
        rows={tests.runs}
        columns={[
          { head: "On", names: true, cell: ({ what }) => runNames[what] },
          {
            head: "Result",
            cell: ({ green }) => <Badge tone={green ? "good" : "bad"}>{green ? "green" : "red"}</Badge>,
          },
          { head: "Passed", figures: true, cell: ({ passed }) => passed },
          { head: "Failed", figures: true, cell: ({ failed }) => failed },
          { head: "Skipped", figures: true, cell: ({ skipped }) => skipped },
          { head: "Ended", cell: ({ ended, exit }) => (exit === null ? ended : `${ended} ${exit}`) },
          { head: "Took", figures: true, cell: ({ milliseconds }) => showDuration(milliseconds) },
          { head: "Forged", cell: ({ forged }) => (forged ? <Clip>{forged}</Clip> : "no") },
          {
            head: "Last output (a claim)",
            cell: ({ tail }) => (tail ? <Clip code>{tail.includes("\n") ? tail : `${tail}\n`}</Clip> : "none"),
          },
        ]}
      />
      {tests.putBack.total > 0 ? (
        <Table
          caption="Put back to the base's for the second run"
          none=""
          rows={tests.putBack.items}
          total={tests.putBack.total}
          columns={[
            { head: "Path", names: true, cell: ({ path }) => <Code>{path}</Code> },
            { head: "Why", cell: ({ why }) => <Text>{why}</Text> },
          ]}
        />
      ) : null}
      {tests.notes.map((note) => (
        <p key={note}>
          <Clip>{note}</Clip>
        </p>
      ))}
      {tests.coverage ? (
        <p class="none">
          {`${counted(tests.coverage.covered, "line")} of ${tests.coverage.lines} that the patch adds were run: a claim of the code under test.`}
        </p>
      ) : null}
    </div>
  );
}
