/** How each executor has done, as the ledger's record says. */

import { showDuration, showMoney } from "../../domain/show-amount.ts";
import type { TrackRecordView } from "../../host/track-records.ts";
import { Table } from "../view/parts.tsx";
import { Text } from "../view/text.tsx";
import { useAsked } from "./ask.ts";
import { Answered, Frame } from "./frame.tsx";

type Row = TrackRecordView["records"][number];
type Rate = Row["approved"];

const percent = (share: number) => `${Math.round(share * 100)} %`;
const shownRate = ({ count, of, rate, low, high }: Rate) =>
  rate === undefined ? "none" : `${percent(rate)} (${count} of ${of}; ${percent(low)} to ${percent(high)})`;

export function ExecutorsPage() {
  const asked = useAsked<TrackRecordView>("executors");
  return (
    <Frame view="executors" title="Executors">
      <h1>Executors</h1>
      <p class="lead">Rates with their 95 % interval: few delegations say little.</p>
      <Answered asked={asked}>
        {({ totals, records }) => (
          <>
            <Rows caption="Every model and kind of work together" rows={totals} />
            <Rows caption="By model and kind of work" rows={records} />
          </>
        )}
      </Answered>
    </Frame>
  );
}

function Rows({ caption, rows }: { caption: string; rows: readonly Row[] }) {
  return (
    <Table
      caption={caption}
      none="No delegation has come to an end yet."
      rows={rows}
      columns={[
        { head: "Executor", names: true, cell: ({ executor }) => <Text>{executor}</Text> },
        { head: "Model", cell: ({ model }) => <Text>{model || "none"}</Text> },
        { head: "Kind", cell: ({ kind }) => kind },
        { head: "Delegations", figures: true, cell: ({ delegations }) => delegations },
        { head: "Approved", cell: ({ approved }) => shownRate(approved) },
        { head: "At the first attempt", cell: ({ firstTry }) => shownRate(firstTry) },
        { head: "After a rejection", cell: ({ retry }) => shownRate(retry) },
        { head: "Stuck", cell: ({ stuck }) => shownRate(stuck) },
        { head: "Over budget", cell: ({ overBudget }) => shownRate(overBudget) },
        {
          head: "Rejected by host, tests, verifier",
          figures: true,
          cell: ({ rejections }) => `${rejections.host}, ${rejections.tests}, ${rejections.verifier}`,
        },
        { head: "Protected paths", figures: true, cell: ({ protectedPaths }) => protectedPaths },
        { head: "Denied", figures: true, cell: ({ denials }) => denials },
        {
          head: "Cost of an approved change",
          figures: true,
          cell: ({ costPerApproved }) => (costPerApproved === undefined ? "none" : showMoney(costPerApproved)),
        },
        {
          head: "Median time",
          figures: true,
          cell: ({ medianMilliseconds }) =>
            medianMilliseconds === undefined ? "none" : showDuration(medianMilliseconds),
        },
      ]}
    />
  );
}
