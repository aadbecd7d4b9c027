/** What it tried: every request that the gateway decided, every process by the kernel, and what the harness said it ran. */
import type { DelegationPage } from "../../domain/page.ts";
import { showDuration, showSize } from "../../domain/show-amount.ts";
import { Badge, counted, More, Table } from "./parts.tsx";
import { Clip, Code, Text, Time } from "./text.tsx";

/** The hosts that were asked, then each request; those that were denied first. */
export function NetworkView({ requests }: Pick<DelegationPage, "requests">) {
  const rows = requests.items.toSorted((a, b) =>
    a.decision === b.decision ? a.seq - b.seq : a.decision === "deny" ? -1 : 1,
  );
  return (
    <>
      <Table
        caption="Hosts that were asked"
        none="Nothing was asked of any host."
        rows={requests.hosts.items}
        total={requests.hosts.total}
        columns={[
          { head: "Host", names: true, cell: ({ host }) => <Clip code>{host}</Clip> },
          { head: "Allowed", figures: true, cell: ({ allowed }) => allowed },
          { head: "Denied", figures: true, cell: ({ denied }) => denied },
          { head: "Sent", figures: true, cell: ({ sent }) => showSize(sent) },
          { head: "Received", figures: true, cell: ({ received }) => showSize(received) },
          { head: "Secrets used", cell: ({ secrets }) => <Text>{secrets.join(", ") || "none"}</Text> },
        ]}
      />
      <Table
        caption="Requests, the denied ones first"
        none="There was no request."
        rows={rows}
        total={requests.total}
        rowKey={({ seq }) => seq}
        rowClass={({ decision }) => (decision === "deny" ? "denied" : undefined)}
        columns={[
          { head: "Line", figures: true, cell: ({ seq }) => seq },
          { head: "Time", cell: ({ time }) => <Time date={false}>{time}</Time> },
          { head: "Decision", cell: ({ decision }) => <Badge>{decision}</Badge> },
          { head: "Request", names: true, cell: ({ method, url }) => <Clip code>{`${method} ${url}`}</Clip> },
          { head: "Why", cell: ({ code }) => <Code>{code}</Code> },
          { head: "Rule", cell: ({ rule }) => <Clip code>{rule}</Clip> },
          { head: "Status", figures: true, cell: ({ status }) => status ?? "" },
          { head: "Secret", cell: ({ secret }) => (secret ? <Code>{secret}</Code> : "none") },
          { head: "By", cell: ({ role }) => role ?? "" },
          { head: "Sent", figures: true, cell: ({ sent }) => showSize(sent) },
          { head: "Received", figures: true, cell: ({ received }) => showSize(received) },
          { head: "Took", figures: true, cell: ({ milliseconds }) => showDuration(milliseconds) },
        ]}
      />
    </>
  );
}

/** The kernel's table, and the claims beside it. */
export function ProcessesView({ processes, claims }: Pick<DelegationPage, "processes" | "claims">) {
  const roles = new Map(processes.sandboxes.map(({ sandbox, role }) => [sandbox, role]));
  const isOwn = ({ sandbox }: ProcessItem) => roles.get(sandbox) === "executor";
  const own = processes.items.filter(isOwn);
  const others = processes.items.filter((row) => !isOwn(row));
  return (
    <div class={claims.total > 0 ? "beside" : undefined}>
      <div>
        <Table
          caption="Sandboxes in which the kernel counted"
          none="The kernel's accounting is not in this record: what ran is not known."
          rows={processes.sandboxes}
          columns={[
            { head: "Sandbox", names: true, cell: ({ sandbox }) => <Code>{sandbox}</Code> },
            { head: "Role", cell: ({ role }) => role ?? "" },
            { head: "Processes", figures: true, cell: ({ total }) => total },
            { head: "Not listed", figures: true, cell: ({ dropped }) => dropped },
            {
              head: "Complete",
              cell: ({ whole, gap }) =>
                whole ? <Badge tone="good">all of them</Badge> : <Clip>{gap ?? "not all of them"}</Clip>,
            },
            {
              head: "Names",
              cell: ({ names }) => (
                <Clip code>
                  {names.items
                    .map(({ name, count, failed }) => `${name} ×${count}${failed > 0 ? ` (${failed} failed)` : ""}`)
                    .join(", ")}
                </Clip>
              ),
            },
          ]}
        />
        <Processes caption="The executor's processes, by the kernel" rows={own} />
        {others.length > 0 ? (
          <details class="part">
            <summary>{`Processes of the other sandboxes (${others.length})`}</summary>
            <Processes caption="Processes of testers, verifiers and actions, by the kernel" rows={others} />
          </details>
        ) : null}
        <More total={processes.total} shown={processes.items.length} what="processes" />
      </div>
      {claims.total > 0 ? (
        <Table
          caption="What the harness said it ran: a claim"
          none=""
          rows={claims.items}
          total={claims.total}
          columns={[
            { head: "Command (claimed)", names: true, cell: ({ command }) => <Clip code>{command}</Clip> },
            { head: "Exit (claimed)", figures: true, cell: ({ exit }) => exit ?? "" },
          ]}
        />
      ) : (
        <p class="none">{`The harness's own words about what it ran are not in this record (${counted(claims.total, "claim")}).`}</p>
      )}
    </div>
  );
}

type ProcessItem = DelegationPage["processes"]["items"][number];

function Processes({ caption, rows }: { caption: string; rows: readonly ProcessItem[] }) {
  return (
    <Table
      caption={caption}
      none="No process of the executor's is listed."
      rows={rows}
      columns={[
        { head: "Process", figures: true, cell: ({ pid }) => pid },
        { head: "Parent", figures: true, cell: ({ ppid }) => ppid },
        { head: "Name (its own)", names: true, cell: ({ name }) => <Clip code>{name}</Clip> },
        {
          head: "End",
          cell: ({ exit, signal }) =>
            signal !== undefined ? (
              <Badge tone="bad">{`signal ${signal}`}</Badge>
            ) : exit === 0 ? (
              "exit 0"
            ) : (
              <Badge tone="waiting">{`exit ${exit ?? "?"}`}</Badge>
            ),
        },
        { head: "User", figures: true, cell: ({ uid }) => uid },
        { head: "Began", cell: ({ started }) => <Time date={false}>{started}</Time> },
        { head: "Lived", figures: true, cell: ({ elapsed }) => showDuration(elapsed) },
        { head: "Processor", figures: true, cell: ({ cpu }) => showDuration(cpu) },
        { head: "Sandbox", cell: ({ sandbox }) => <Code>{sandbox}</Code> },
      ]}
    />
  );
}
