/** The attempts side by side, and each of them whole: findings, diff, tests, verdicts. */
import type { AttemptPage } from "../../domain/page-parts.ts";
import { showSize } from "../../domain/show-amount.ts";
import { DiffView } from "./diff-view.tsx";
import { Badge, counted, Facts, More, Section, Table } from "./parts.tsx";
import { Heading, Jump } from "./place.tsx";
import { remarksOf } from "./remarks.ts";
import { TestsView } from "./tests-view.tsx";
import { Clip, Code, Digest, Text, Time } from "./text.tsx";
import { VerdictView } from "./verdict-view.tsx";

/** A column for each attempt. */
export function AttemptColumns({ attempts }: { attempts: readonly AttemptPage[] }) {
  if (attempts.length === 0) return <p class="none">No attempt began.</p>;
  return (
    <ol class="attempts" aria-label="Attempts side by side">
      {attempts.map((attempt) => (
        <li key={attempt.number}>
          <p>
            <Jump to={`attempt-${attempt.number}`}>Attempt {attempt.number}</Jump> <Badge>{attempt.outcome}</Badge>
          </p>
          <Facts
            facts={[
              ["Executor", <Text key="e">{attempt.executor}</Text>],
              ["Model", attempt.model ? <Text key="m">{attempt.model}</Text> : undefined],
              ["Began", <Time key="t">{attempt.started}</Time>],
              ["Executor ended", attempt.end],
              [
                "Changes",
                attempt.proposal
                  ? `${counted(attempt.proposal.changes.total, "file")}, ${showSize(attempt.proposal.patch.bytes)}`
                  : "no proposal",
              ],
              [
                "Tests",
                attempt.tests?.tested
                  ? `${attempt.tests.failToPass.total} fixed, ${attempt.tests.broken.total} broken, ${attempt.tests.passToPass.total} as before`
                  : undefined,
              ],
              ["Decided by", attempt.by ? `the ${attempt.by}` : undefined],
              ["Findings", attempt.findings.total > 0 ? attempt.findings.total : undefined],
            ]}
          />
        </li>
      ))}
    </ol>
  );
}

interface AttemptProps {
  attempt: AttemptPage;
  /** Its delegation's id. */
  delegation: string;
  isLast: boolean;
}

/** One attempt whole. */
export function AttemptView({ attempt, delegation, isLast }: AttemptProps) {
  const { number, findings, notes, failure, proposal, tests, verdicts } = attempt;
  const id = `attempt-${number}`;
  return (
    <Section id={id} title={`Attempt ${number}: ${attempt.outcome}`} level={3}>
      {attempt.reasons.length > 0 ? (
        <details>
          <summary>
            Why <Text>{attempt.executor}</Text>
          </summary>
          <ul>
            {attempt.reasons.map((reason) => (
              <li key={reason}>
                <Text>{reason}</Text>
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      {failure ? (
        <p class="note bad">
          <Code>{failure.code}</Code> <Clip>{failure.message}</Clip>
        </p>
      ) : null}
      {findings.total > 0 ? (
        <Table
          caption={`Why attempt ${number} was rejected`}
          none=""
          rows={findings.items}
          total={findings.total}
          columns={[
            { head: "Reason", names: true, cell: ({ reason }) => <Code>{reason}</Code> },
            {
              head: "Where",
              cell: ({ path, line, criterion, check, test }) => (
                <Clip code>
                  {path ? (line ? `${path}:${line}` : path) : (criterion ?? check ?? test ?? "the change")}
                </Clip>
              ),
            },
            { head: "What", cell: ({ message }) => <Clip>{message}</Clip> },
          ]}
        />
      ) : null}
      {notes.total > 0 ? (
        <Table
          caption={`Said about attempt ${number} without rejecting it`}
          none=""
          rows={notes.items}
          total={notes.total}
          columns={[
            { head: "Reason", names: true, cell: ({ reason }) => <Code>{reason}</Code> },
            { head: "What", cell: ({ message }) => <Clip>{message}</Clip> },
          ]}
        />
      ) : null}
      {tests ? (
        <details class="part" open={isLast}>
          <summary>
            <Heading level={4}>Tests and checks of attempt {number}</Heading>
          </summary>
          <TestsView tests={tests} />
        </details>
      ) : null}
      {proposal ? (
        <details class="part" open={isLast}>
          <summary>
            <Heading level={4}>Diff of attempt {number}</Heading>
          </summary>
          <Facts
            facts={[
              ["Tree", <Digest key="t">{proposal.tree}</Digest>],
              ["Patch", <Digest key="p">{proposal.patch.digest}</Digest>],
              ["Size", showSize(proposal.patch.bytes)],
              [
                "Left out, as the base ignores them",
                proposal.ignored > 0 ? counted(proposal.ignored, "file") : undefined,
              ],
            ]}
          />
          {proposal.patch.text === undefined ? (
            <ChangedPaths attempt={attempt} />
          ) : (
            <DiffView
              of={`attempt ${number} of ${delegation}`}
              id={`${id}-file`}
              text={proposal.patch.text}
              cut={proposal.patch.cut === true}
              remarks={remarksOf(attempt)}
            />
          )}
        </details>
      ) : null}
      {verdicts.length > 0 ? (
        <details class="part" open={isLast}>
          <summary>
            <Heading level={4}>
              {verdicts.length === 1 ? `Verdict on attempt ${number}` : `Verdicts on attempt ${number}`}
            </Heading>
          </summary>
          {verdicts.map((verdict, index) => (
            <VerdictView key={index} verdict={verdict} />
          ))}
        </details>
      ) : null}
    </Section>
  );
}

function ChangedPaths({ attempt: { proposal } }: { attempt: AttemptPage }) {
  if (!proposal) return null;
  const { changes, patch } = proposal;
  return (
    <>
      <p class="none">
        The patch's text is not here{patch.missing ? ": " : ""}
        <Text>{patch.missing ?? ""}</Text>
      </p>
      <ul>
        {changes.items.map(({ path, kind }) => (
          <li key={path}>
            {kind} <Code>{path}</Code>
          </li>
        ))}
      </ul>
      <More total={changes.total} shown={changes.items.length} what="paths" />
    </>
  );
}
