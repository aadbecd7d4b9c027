/** A verdict: each criterion with its evidence, what was tried against the change, what is to be mended. */
import type { VerdictPage } from "../../domain/page-parts.ts";
import { Badge, Table } from "./parts.tsx";
import { Clip, Code, Digest, Text } from "./text.tsx";

type Evidence = VerdictPage["criteria"][number]["evidence"][number];

function pointer(one: Evidence): string {
  if ("path" in one) return `${one.path}:${one.line}${one.side === "old" ? " (removed)" : ""}`;
  return "test" in one ? `test ${one.test}` : `check ${one.check}`;
}

/** One verdict, as the verifier answered it. */
export function VerdictView({ verdict }: { verdict: VerdictPage }) {
  return (
    <div class="verdict">
      <p>
        <Badge>{verdict.decision}</Badge> by <Text>{verdict.by}</Text>
        {verdict.member ? ", one of a panel" : ""}
        {verdict.digest ? (
          <>
            , <Digest>{verdict.digest}</Digest>
          </>
        ) : null}
      </p>
      <Table
        caption={`Criteria, as ${verdict.by} judged them`}
        none="No criterion was answered."
        rows={verdict.criteria}
        columns={[
          { head: "Criterion", names: true, cell: ({ id }) => <Code>{id}</Code> },
          { head: "Must", cell: ({ must }) => (must ? <Clip>{must}</Clip> : "") },
          { head: "Status", cell: ({ status }) => <Badge>{status}</Badge> },
          { head: "Why", cell: ({ why }) => <Clip>{why}</Clip> },
          {
            head: "Evidence",
            cell: ({ evidence }) => (
              <ul class="plain">
                {evidence.map((one, index) => (
                  <li key={index}>
                    <Clip code>{pointer(one)}</Clip>
                  </li>
                ))}
              </ul>
            ),
          },
        ]}
      />
      <Table
        caption={`What ${verdict.by} tried against the change`}
        none="Nothing was tried against it."
        rows={verdict.refutations}
        columns={[
          { head: "Tried", names: true, cell: ({ tried }) => <Clip>{tried}</Clip> },
          { head: "How", cell: ({ how }) => (how ? <Clip>{how}</Clip> : "") },
          {
            head: "Found",
            cell: ({ found }) => <Badge tone={found ? "bad" : "good"}>{found ? "something" : "nothing"}</Badge>,
          },
          { head: "Detail", cell: ({ detail }) => <Clip>{detail}</Clip> },
        ]}
      />
      {verdict.feedback.length > 0 ? (
        <Table
          caption={`What ${verdict.by} wants mended`}
          none=""
          rows={verdict.feedback}
          columns={[
            {
              head: "Where",
              names: true,
              cell: ({ path, line }) => (path ? <Code>{line ? `${path}:${line}` : path}</Code> : "the whole change"),
            },
            { head: "What", cell: ({ what }) => <Clip>{what}</Clip> },
            { head: "Why", cell: ({ why }) => <Clip>{why}</Clip> },
          ]}
        />
      ) : null}
    </div>
  );
}
