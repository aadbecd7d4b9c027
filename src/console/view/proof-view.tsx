/** Who let it land, whether the log is whole, and what it cost. */
import type { DelegationPage } from "../../domain/page.ts";
import { showDuration, showMoney } from "../../domain/show-amount.ts";
import { shortRef } from "./answers.tsx";
import { Badge, counted, Facts, Table } from "./parts.tsx";
import { Heading } from "./place.tsx";
import { Clip, Code, Digest, Text, Time } from "./text.tsx";

/** The approval with what was checked of it, the way to the branch, and the actions after it. */
export function LandingView({ page }: { page: DelegationPage }) {
  const { approval, landing, actions, summary } = page;
  const predicate = approval?.predicate;
  return (
    <>
      {approval && predicate ? (
        <>
          <p class={`note ${approval.verified ? "good" : "bad"}`}>
            <Badge tone={approval.verified ? "good" : "bad"}>
              {approval.verified ? "The approval holds" : "The approval does not hold"}
            </Badge>{" "}
            <Text>{approval.why}</Text>
          </p>
          <Facts
            facts={[
              ["Approval", <Digest key="d">{approval.digest}</Digest>],
              ["Attempt", approval.attempt],
              [
                "Judged by",
                <span key="v">
                  <Text>{predicate.verifier.harness}</Text> <Digest>{predicate.verifier.image}</Digest>
                </span>,
              ],
              ["Panel", predicate.panel?.map(({ harness, decision }) => `${harness}: ${decision}`).join(", ")],
              ["Signed by key", approval.keyids.map((keyid) => <Digest key={keyid}>{keyid}</Digest>)],
              ["For", <Code key="r">{`${predicate.repository} ${shortRef(predicate.ref)}`}</Code>],
              ["Base", <Digest key="b">{predicate.base}</Digest>],
              ["Tree", <Digest key="t">{predicate.tree}</Digest>],
              ["Patch", <Digest key="p">{predicate.patch}</Digest>],
              ["Test report", <Digest key="tr">{predicate.testReport}</Digest>],
              ["Verdict", <Digest key="ve">{predicate.verdict}</Digest>],
              ["Policy", <Digest key="po">{predicate.policy}</Digest>],
              ["Brief", <Digest key="br">{predicate.brief}</Digest>],
              ["Issued", <Time key="i">{predicate.issued}</Time>],
              ["Expires", <Time key="e">{predicate.expires}</Time>],
              [
                "In place of",
                approval.replaces.length > 0
                  ? approval.replaces.map((digest) => <Digest key={digest}>{digest}</Digest>)
                  : undefined,
              ],
            ]}
          />
        </>
      ) : (
        <p class="none">There is no approval: nothing of it may land.</p>
      )}
      {summary.landed ? (
        <p class="note good">
          Landed <Digest>{summary.landed.commit}</Digest> on <Code>{shortRef(summary.landed.ref)}</Code>
        </p>
      ) : null}
      <Table
        caption="The way to the branch"
        none="Nobody asked for it to land."
        rows={landing.items}
        total={landing.total}
        columns={[
          { head: "Line", figures: true, cell: ({ seq }) => seq },
          { head: "Time", cell: ({ time }) => <Time>{time}</Time> },
          { head: "What", names: true, cell: ({ text }) => <Clip>{text}</Clip> },
        ]}
      />
      {actions.length > 0 ? (
        <Table
          caption="Actions with what was approved"
          none=""
          rows={actions}
          columns={[
            { head: "Action", names: true, cell: ({ action, run }) => <Text>{`${action} (run ${run})`}</Text> },
            { head: "Outcome", cell: ({ outcome }) => <Badge>{outcome ?? "runs"}</Badge> },
            { head: "Began", cell: ({ begun }) => <Time>{begun}</Time> },
            { head: "Message", cell: ({ message }) => (message ? <Clip>{message}</Clip> : "") },
          ]}
        />
      ) : null}
    </>
  );
}

/** The state of the chain, and this delegation's lines of it. */
export function LedgerView({ ledger, lines }: Pick<DelegationPage, "ledger" | "lines">) {
  const { whole } = ledger;
  return (
    <>
      <p class={`note ${whole.state === "whole" ? "good" : whole.state === "broken" ? "bad" : "waiting"}`}>
        <Badge>{whole.state}</Badge>{" "}
        {whole.state === "whole"
          ? `Every line up to ${whole.upTo} follows from the one before it.`
          : whole.state === "broken"
            ? "The chain is broken."
            : "The chain was not verified here: run sallyport audit verify."}{" "}
        {whole.problem ? <Text>{`${whole.problem}${whole.at ? ` at ${whole.at}` : ""}`}</Text> : null}
      </p>
      <Facts
        facts={[
          ["Lines of this", `${ledger.lines}, from ${ledger.from} to ${ledger.to}`],
          ["Verified up to line", whole.state === "unread" ? "none" : whole.upTo],
          ["Hash of that line", whole.hash ? <Digest key="h">{whole.hash}</Digest> : undefined],
          ["Signed up to line", whole.signedUpTo ?? "no segment is closed and signed yet"],
          [
            "Signed by",
            whole.keyids.length > 0 ? whole.keyids.map((keyid) => <Digest key={keyid}>{keyid}</Digest>) : undefined,
          ],
          ["Checked", whole.checked ? <Time key="c">{whole.checked}</Time> : undefined],
        ]}
      />
      <p>
        What this cannot prove: <Text>{whole.cannotProve}</Text>
      </p>
      <details class="part">
        <summary>
          <Heading level={3}>{`Ledger lines (${lines.total})`}</Heading>
        </summary>
        <Table
          caption="Lines of the ledger"
          none="There is no line."
          rows={lines.items}
          total={lines.total}
          rowKey={({ seq }) => seq}
          columns={[
            { head: "Line", figures: true, cell: ({ seq }) => seq },
            { head: "Time", cell: ({ time }) => <Time>{time}</Time> },
            { head: "Type", cell: ({ type }) => <Code>{type}</Code> },
            { head: "What", names: true, cell: ({ text }) => <Clip>{text}</Clip> },
            { head: "Hash", cell: ({ hash }) => <Code>{hash.slice(0, 12)}</Code> },
          ]}
        />
      </details>
    </>
  );
}

const limitNames: Readonly<Record<string, (value: number) => string>> = {
  wall: showDuration,
  usd: showMoney,
  microusd: showMoney,
};

/** By tier, and of that what went into attempts that were not approved. */
export function BudgetView({ budget }: Pick<DelegationPage, "budget">) {
  const rows = [...budget.tiers, { ...budget.total, tier: "all" }];
  return (
    <>
      <Table
        caption="Cost by tier"
        none=""
        rows={rows}
        rowClass={({ tier }) => (tier === "all" ? "total" : undefined)}
        columns={[
          { head: "Tier", names: true, cell: ({ tier }) => tier },
          { head: "Paid", figures: true, cell: ({ microusd }) => showMoney(microusd) },
          { head: "List price", figures: true, cell: ({ list }) => showMoney(list) },
          { head: "Tokens", figures: true, cell: ({ tokens }) => tokens.toLocaleString("en") },
          { head: "Model requests", figures: true, cell: ({ modelRequests }) => modelRequests },
          { head: "Requests", figures: true, cell: ({ requests }) => requests },
          { head: "In sandboxes", figures: true, cell: ({ milliseconds }) => showDuration(milliseconds) },
          { head: "For what was rejected", figures: true, cell: ({ rejected }) => showMoney(rejected.microusd) },
          { head: "Not exact", figures: true, cell: ({ inexact }) => inexact },
        ]}
      />
      {budget.total.inexact > 0 ? (
        <p class="none">{`Of ${counted(budget.total.inexact, "request")} nobody knows the usage: the worst case counts.`}</p>
      ) : null}
      <Facts
        facts={Object.entries(budget.limits).map(([name, value]) => [
          `Limit: ${name}`,
          (limitNames[name] ?? ((n: number) => n.toLocaleString("en")))(value),
        ])}
      />
    </>
  );
}
