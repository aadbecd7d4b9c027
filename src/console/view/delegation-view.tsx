/** The page of one delegation: the five questions first, then everything from brief to landing. */
import type { ComponentChildren } from "preact";
import type { DelegationPage } from "../../domain/page.ts";
import type { SandboxPage, Step } from "../../domain/page-parts.ts";
import { showDuration, showSize } from "../../domain/show-amount.ts";
import { Answers, shortRef } from "./answers.tsx";
import { AttemptColumns, AttemptView } from "./attempts-view.tsx";
import { Badge, counted, Facts, More, Section, Table } from "./parts.tsx";
import { Heading } from "./place.tsx";
import { BudgetView, LandingView, LedgerView } from "./proof-view.tsx";
import { Clip, Code, Digest, Names, Text, Time } from "./text.tsx";
import { NetworkView, ProcessesView } from "./tried-view.tsx";

interface Props {
  page: DelegationPage;
  /** Before an id, a link to its page; a report has none. */
  link?: (id: string) => ComponentChildren;
  /** What stands beside the title, such as whether the page is live. */
  beside?: ComponentChildren;
}

/** Everything about one delegation. */
export function DelegationView({ page, link, beside }: Props) {
  const { summary, attempts, verifiers } = page;
  const last = attempts.items.at(-1)?.number;
  const sandboxes = attempts.items.flatMap((attempt) => attempt.sandboxes.items);
  return (
    <article class="delegation">
      <header>
        <Heading level={1}>
          <Text>{summary.title}</Text>
        </Heading>
        <p class="headline">
          <Badge>{summary.state}</Badge> <Code>{summary.id}</Code> {beside}
        </p>
        {summary.reason ? (
          <p class="note bad">
            <Clip>{summary.reason}</Clip>
          </p>
        ) : null}
        {summary.held ? (
          <p class="note waiting">
            Held: <Clip>{summary.held}</Clip>
          </p>
        ) : null}
        <Facts
          facts={[
            ["Executor", <Text key="e">{summary.executor ?? "none: the host combined what was approved"}</Text>],
            ["Model", summary.model ? <Text key="m">{summary.model}</Text> : undefined],
            ["Verifier", <Text key="v">{verifiers.map(({ harness }) => harness).join(", ")}</Text>],
            ["Target", <Code key="t">{`${summary.repository} ${shortRef(summary.ref)}`}</Code>],
            ["Base", <Digest key="b">{summary.base}</Digest>],
            [
              "Landed",
              summary.landed ? (
                <span key="l">
                  <Digest>{summary.landed.commit}</Digest> on <Code>{shortRef(summary.landed.ref)}</Code>
                </span>
              ) : undefined,
            ],
            [
              "Policy",
              <span key="p">
                <Text>{page.policy.name}</Text> <Digest>{page.policy.digest}</Digest>
              </span>,
            ],
            ["Planner", <Text key="pl">{summary.planner}</Text>],
            ["Plan", summary.plan ? (link?.(summary.plan) ?? <Code>{summary.plan}</Code>) : undefined],
            ["Accepted", <Time key="a">{summary.created}</Time>],
            ["Last change", <Time key="u">{summary.updated}</Time>],
          ]}
        />
      </header>
      <Answers page={page} />
      <Section id="did" title="What did it do?">
        <Heading level={3}>From brief to landing</Heading>
        <Timeline steps={page.timeline.items} />
        <More total={page.timeline.total} shown={page.timeline.items.length} what="steps" />
        <Heading level={3}>Attempts</Heading>
        <AttemptColumns attempts={attempts.items} />
        <More total={attempts.total} shown={attempts.items.length} what="attempts" />
        {attempts.items.map((attempt) => (
          <AttemptView
            key={attempt.number}
            attempt={attempt}
            delegation={summary.id}
            isLast={attempt.number === last}
          />
        ))}
      </Section>
      <Section
        id="tried"
        title="What did it try?"
        lead="What it asked of the network, as the gateway decided it, and what ran, as the kernel recorded it."
      >
        <Heading level={3}>Network</Heading>
        <NetworkView requests={page.requests} />
        <Heading level={3}>Processes</Heading>
        <ProcessesView processes={page.processes} claims={page.claims} />
        <Heading level={3}>Sandboxes and their controls</Heading>
        <Sandboxes sandboxes={sandboxes} />
      </Section>
      <Section id="landed" title="Who let it land?">
        <LandingView page={page} />
      </Section>
      <Section id="whole" title="Is this log whole?">
        <LedgerView ledger={page.ledger} lines={page.lines} />
      </Section>
      <Section id="cost" title="What did it cost?">
        <BudgetView budget={page.budget} />
      </Section>
      <Section id="brief" title="The brief">
        <Brief brief={page.brief} />
      </Section>
    </article>
  );
}

/** Steps in their order; what a sandbox did between two of the others is folded into one line. */
function Timeline({ steps }: { steps: readonly Step[] }) {
  const groups: Step[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (step.kind === "sandbox" && last?.[0]?.kind === "sandbox") last.push(step);
    else groups.push([step]);
  }
  return (
    <ol class="timeline">
      {groups.map((group) => {
        const [first] = group;
        if (!first) return null;
        if (group.length === 1) return <StepLine key={first.seq} step={first} />;
        const took = group.reduce((sum, { milliseconds }) => sum + (milliseconds ?? 0), 0);
        return (
          <li key={first.seq} class={toneOfGroup(group)}>
            <Time date={false}>{first.time}</Time>{" "}
            <details class="step">
              <summary>
                <Text>{first.title}</Text>
                <span class="took">{` and ${group.length - 1} more, ${showDuration(took)}`}</span>
              </summary>
              <ol class="timeline">
                {group.map((step) => (
                  <StepLine key={step.seq} step={step} />
                ))}
              </ol>
            </details>
          </li>
        );
      })}
    </ol>
  );
}

const toneOfGroup = (steps: readonly Step[]): Step["tone"] =>
  steps.some(({ tone }) => tone === "bad") ? "bad" : (steps[0]?.tone ?? "plain");

function StepLine({ step }: { step: Step }) {
  const { title, detail, milliseconds } = step;
  const isMore = detail !== undefined && detail.toLowerCase() !== title.toLowerCase();
  return (
    <li class={step.tone}>
      <Time date={false}>{step.time}</Time>{" "}
      <span class="step">
        <Text>{title}</Text>
        {milliseconds === undefined ? null : <span class="took">{` ${showDuration(milliseconds)}`}</span>}
        {isMore ? (
          <span class="detail">
            <Clip>{detail}</Clip>
          </span>
        ) : null}
      </span>
    </li>
  );
}

/** A control's value on a line: what is nested is written as JSON. */
const shownValue = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? "none"));

function Sandboxes({ sandboxes }: { sandboxes: readonly SandboxPage[] }) {
  return (
    <>
      <Table
        caption="Sandboxes"
        none="No sandbox was started."
        rows={sandboxes}
        columns={[
          { head: "Sandbox", names: true, cell: ({ id }) => <Code>{id}</Code> },
          { head: "Role", cell: ({ role }) => role },
          { head: "For", cell: ({ purpose }) => <Clip>{purpose}</Clip> },
          { head: "Attempt", figures: true, cell: ({ attempt }) => attempt },
          { head: "Image", cell: ({ image }) => <Digest>{image}</Digest> },
          { head: "Engine", cell: ({ engine }) => <Text>{engine}</Text> },
          {
            head: "End",
            cell: ({ end, exit }) => (end ? `${end}${typeof exit === "number" ? ` ${exit}` : ""}` : "none recorded"),
          },
          {
            head: "Took",
            figures: true,
            cell: ({ milliseconds }) => (milliseconds === undefined ? "" : showDuration(milliseconds)),
          },
          { head: "Output", figures: true, cell: ({ output }) => (output ? showSize(output.bytes) : "") },
          {
            head: "Wrote",
            cell: ({ wrote }) =>
              wrote ? (
                <Clip>{`${counted(wrote.files, "file")}, ${showSize(wrote.bytes)}\n${wrote.paths.join("\n")}`}</Clip>
              ) : (
                ""
              ),
          },
        ]}
      />
      {[...Map.groupBy(sandboxes, ({ controls }) => JSON.stringify(controls)).values()].map((alike) => {
        const [first] = alike;
        if (!first) return null;
        const names = alike.map(({ id, role, attempt }) => `${id} (${role} of attempt ${attempt})`);
        return (
          <details key={first.id} class="part">
            <summary>
              {alike.length === 1
                ? "Controls in force in "
                : `The same controls in force in ${alike.length} sandboxes: `}
              <Text>{names.join(", ")}</Text>
            </summary>
            <Facts
              facts={Object.entries(first.controls).map(([name, value]) => [
                name,
                <Clip key={name} code>
                  {shownValue(value)}
                </Clip>,
              ])}
            />
          </details>
        );
      })}
    </>
  );
}

function Brief({ brief }: Pick<DelegationPage, "brief">) {
  const { scope } = brief;
  return (
    <>
      <Heading level={3}>Intent, for the verifier</Heading>
      <pre class="prose">
        <Text>{brief.intent}</Text>
      </pre>
      <Heading level={3}>Instructions, for the executor</Heading>
      <pre class="prose">
        <Text>{brief.instructions}</Text>
      </pre>
      <Table
        caption="Criteria"
        none="The brief has no criterion."
        rows={brief.criteria}
        columns={[
          { head: "Criterion", names: true, cell: ({ id }) => <Code>{id}</Code> },
          { head: "Must", cell: ({ must }) => <Clip>{must}</Clip> },
          { head: "Checks", cell: ({ checks }) => <Names names={checks} none="none" /> },
        ]}
      />
      <Heading level={3}>Scope</Heading>
      <Facts
        facts={[
          ["May write", <Names key="w" names={scope.writable} none="nothing" />],
          ["May see", <Names key="v" names={scope.visible} none="nothing" />],
          ["Protected", <Names key="p" names={scope.protected} none="nothing" />],
          ["Network", <Names key="n" names={scope.network} none="nothing" />],
          ["Models", <Names key="m" names={scope.models} none="none" />],
          ["Secrets (names)", <Names key="s" names={scope.secrets} none="none" />],
          ["Actions", <Names key="a" names={scope.actions} none="none" />],
          ["Tests it may break", brief.breaks.length > 0 ? <Names names={brief.breaks} none="" /> : undefined],
          ["Digest", <Digest key="d">{brief.digest}</Digest>],
        ]}
      />
    </>
  );
}
