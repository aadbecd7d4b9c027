/** Whether the gate is open, and how its verifiers did on canaries: changes whose right answer is known. */
import type { Closed, GateState } from "../../gate/calibration/gate-state.ts";
import type { VerifierRates } from "../../gate/calibration/rates.ts";
import { Badge, Facts, Section, Table } from "../view/parts.tsx";
import { Clip, Code, Digest, Text, Time } from "../view/text.tsx";
import { useAsked } from "./ask.ts";
import { Answered, Frame, pageOf } from "./frame.tsx";
import { useLive } from "./live.ts";

interface GateStatus extends Pick<GateState, "opened" | "failed"> {
  open: boolean;
  closed?: Closed;
  rate: number;
  window: number;
  warnings: string[];
  verifiers: VerifierRates[];
  waiting: number;
  held: string[];
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const shown = ({ count, of, high }: VerifierRates["falseApproval"]) =>
  of === 0 ? "none tried" : `${count} of ${of}, below ${percent(high)}`;

export function GatePage() {
  const { tick, mode } = useLive();
  const asked = useAsked<GateStatus>("gate", tick);
  const gate = asked.found;
  return (
    <Frame
      view="gate"
      title="Gate"
      mode={mode}
      news={gate ? `The gate is ${gate.open ? "open" : "closed"}` : undefined}
    >
      <h1>Gate</h1>
      <Answered asked={asked}>{(found) => <Status gate={found} />}</Answered>
    </Frame>
  );
}

function Status({ gate }: { gate: GateStatus }) {
  const { open, closed, opened, verifiers, warnings, held } = gate;
  return (
    <>
      <p class={`note ${open ? "good" : "bad"}`}>
        <Badge tone={open ? "good" : "bad"}>{open ? "open" : "closed"}</Badge>{" "}
        {closed ? (
          <>
            by <Text>{closed.by}</Text> since <Time>{closed.since}</Time>: <Clip>{closed.reason}</Clip>
          </>
        ) : (
          "What is approved may be signed and land."
        )}
      </p>
      <Facts
        facts={[
          [
            "Last opened",
            opened ? (
              <span key="o">
                <Time>{opened.time}</Time> by <Text>{opened.by}</Text>: <Clip>{opened.reason}</Clip>
              </span>
            ) : undefined,
          ],
          ["Canaries for a hundred verdicts", Math.round(gate.rate * 100)],
          ["Canaries that count", gate.window],
          ["Waiting", gate.waiting],
          ["Failed by no fault of a verifier", gate.failed],
        ]}
      />
      {warnings.map((warning) => (
        <p key={warning} class="note waiting">
          <Text>{warning}</Text>
        </p>
      ))}
      {held.length > 0 ? (
        <Section id="held" title="Held until it opens">
          <ul>
            {held.map((id) => (
              <li key={id}>
                <a href={pageOf(id)}>{id}</a>
              </li>
            ))}
          </ul>
        </Section>
      ) : null}
      <Section id="canaries" title="Canaries" lead="Bounds are exact, one-sided, 95 %.">
        <Table
          caption="Verifiers on their last canaries"
          none="No canary has been judged yet: sallyport gate calibrate."
          rows={verifiers}
          columns={[
            { head: "Verifier", names: true, cell: ({ harness }) => <Text>{harness}</Text> },
            { head: "Policy", cell: ({ policy }) => <Code>{policy}</Code> },
            { head: "Image", cell: ({ image }) => <Digest>{image}</Digest> },
            { head: "Canaries", figures: true, cell: ({ canaries }) => canaries },
            {
              head: "Bad ones approved",
              cell: ({ falseApproval }) => (
                <Badge tone={falseApproval.count > 0 ? "bad" : "good"}>{shown(falseApproval)}</Badge>
              ),
            },
            { head: "Good ones rejected", cell: ({ falseRejection }) => shown(falseRejection) },
            { head: "Since", cell: ({ since }) => <Time>{since}</Time> },
            {
              head: "Wrong about",
              cell: ({ wrong }) => (
                <Clip>
                  {Object.entries(wrong)
                    .map(([name, count]) => `${name} ×${count}`)
                    .join(", ") || "nothing"}
                </Clip>
              ),
            },
          ]}
        />
      </Section>
    </>
  );
}
