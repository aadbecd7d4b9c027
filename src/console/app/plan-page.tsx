/** The page of a plan, or of a mission with its plan: its briefs, their states, its planner's turns. */

import type { PlanPage as Page } from "../../domain/page.ts";
import { showDuration } from "../../domain/show-amount.ts";
import { shortRef } from "../view/answers.tsx";
import { Badge, Facts, Section, Table } from "../view/parts.tsx";
import { LedgerView } from "../view/proof-view.tsx";
import { Clip, Code, Digest, Text, Time } from "../view/text.tsx";
import { useAsked } from "./ask.ts";
import { Answered, Frame, pageOf } from "./frame.tsx";
import { useLive } from "./live.ts";

export function PlanPage({ id, kind }: { id: string; kind: "plans" | "missions" }) {
  const { tick, mode } = useLive();
  const asked = useAsked<Page>(`${kind}/${encodeURIComponent(id)}/page`, tick);
  const summary = asked.found?.summary;
  return (
    <Frame
      view="one"
      title={summary ? summary.title : id}
      mode={mode}
      news={summary ? `${summary.title} is ${summary.state}` : undefined}
    >
      <Answered asked={asked}>{(page) => <PlanView page={page} />}</Answered>
    </Frame>
  );
}

function PlanView({ page }: { page: Page }) {
  const { summary, briefs, combined, conflicts, warnings, turns, report } = page;
  return (
    <article>
      <header>
        <h1>
          <Text>{summary.title}</Text>
        </h1>
        <p class="headline">
          <Badge>{summary.state}</Badge> <Code>{summary.id}</Code> {summary.kind}
        </p>
        {summary.reason ? (
          <p class="note bad">
            <Clip>{summary.reason}</Clip>
          </p>
        ) : null}
        <Facts
          facts={[
            ["Target", <Code key="t">{`${summary.repository} ${shortRef(summary.ref)}`}</Code>],
            ["Base", <Digest key="b">{summary.base}</Digest>],
            ["Planner", <Text key="p">{summary.planner}</Text>],
            ["Mission", summary.mission ? <a href={pageOf(summary.mission)}>{summary.mission}</a> : undefined],
            ["Plan", summary.plan ? <a href={pageOf(summary.plan)}>{summary.plan}</a> : undefined],
            [
              "Landed",
              summary.landed ? (
                <span key="l">
                  <Digest>{summary.landed.commit}</Digest> on <Code>{shortRef(summary.landed.ref)}</Code>
                </span>
              ) : undefined,
            ],
            ["Accepted", <Time key="a">{summary.created}</Time>],
            ["Last change", <Time key="u">{summary.updated}</Time>],
          ]}
        />
        <pre class="prose">
          <Text>{page.text}</Text>
        </pre>
      </header>
      <Section id="briefs" title="Briefs">
        <Table
          caption="Briefs of the plan"
          none="There is no plan yet."
          rows={briefs.items}
          total={briefs.total}
          columns={[
            { head: "Brief", names: true, cell: ({ id }) => <Code>{id}</Code> },
            { head: "State", cell: ({ state }) => <Badge>{state}</Badge> },
            {
              head: "Title",
              cell: ({ title, delegation, state }) =>
                state === "waiting" ? (
                  <Text>{title}</Text>
                ) : (
                  <a href={pageOf(delegation)}>
                    <Text>{title}</Text>
                  </a>
                ),
            },
            { head: "After", cell: ({ after }) => <Text>{after.join(", ") || "nothing"}</Text> },
            { head: "Attempts", figures: true, cell: ({ attempts }) => attempts },
            { head: "Reason", cell: ({ reason }) => (reason ? <Clip>{reason}</Clip> : "") },
          ]}
        />
        {combined ? (
          <p class="note">
            The combined whole: <Badge>{combined.state}</Badge>{" "}
            {combined.state === "waiting" ? null : <a href={pageOf(combined.delegation)}>its approval and landing</a>}
            {combined.reason ? <Clip>{combined.reason}</Clip> : null}
          </p>
        ) : null}
      </Section>
      {conflicts.length > 0 ? (
        <Section id="conflicts" title="Conflicts">
          <Table
            caption="Briefs whose work does not merge"
            none=""
            rows={conflicts}
            columns={[
              { head: "Between", names: true, cell: ({ between }) => <Text>{between.join(", ")}</Text> },
              { head: "Paths", cell: ({ paths }) => <Clip code>{paths.join("\n")}</Clip> },
            ]}
          />
        </Section>
      ) : null}
      {warnings.length > 0 ? (
        <Section id="warnings" title="What the lint let pass">
          <ul>
            {warnings.map(({ rule, message }, index) => (
              <li key={index}>
                <Code>{rule}</Code> <Clip>{message}</Clip>
              </li>
            ))}
          </ul>
        </Section>
      ) : null}
      {turns.length > 0 ? (
        <Section id="turns" title="The planner's turns">
          <Table
            caption="Turns of the planner harness"
            none=""
            rows={turns}
            columns={[
              { head: "Turn", names: true, cell: ({ number, purpose }) => `${number}: ${purpose}` },
              { head: "Began", cell: ({ started }) => <Time>{started}</Time> },
              { head: "End", cell: ({ end }) => end ?? "runs" },
              {
                head: "Took",
                figures: true,
                cell: ({ milliseconds }) => (milliseconds === undefined ? "" : showDuration(milliseconds)),
              },
              { head: "Plans refused", cell: ({ refused }) => <Clip>{refused.join("\n") || "none"}</Clip> },
              { head: "Message", cell: ({ message }) => (message ? <Clip>{message}</Clip> : "") },
            ]}
          />
        </Section>
      ) : null}
      {report ? (
        <Section id="report" title={report.by === "planner" ? "Report, as the planner says" : "Report, by the host"}>
          <pre class="prose">
            <Text>{report.text}</Text>
          </pre>
        </Section>
      ) : null}
      <Section id="whole" title="Is this log whole?">
        <LedgerView ledger={page.ledger} lines={page.lines} />
      </Section>
    </article>
  );
}
