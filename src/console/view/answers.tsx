/** The five questions of somebody who was not there, each with its answer in a line and the way to the whole of it. */
import type { DelegationPage } from "../../domain/page.ts";
import { showDuration, showMoney } from "../../domain/show-amount.ts";
import { counted, type Tone } from "./parts.tsx";
import { Jump } from "./place.tsx";
import { Text } from "./text.tsx";

export interface Answer {
  id: "did" | "tried" | "landed" | "whole" | "cost";
  question: string;
  answer: string;
  tone: Tone;
}

/** The answers, out of nothing but the page. */
export function answersOf(page: DelegationPage): Answer[] {
  const { summary, attempts, requests, processes, approval, ledger, budget } = page;
  const last = attempts.items.findLast(({ proposal }) => proposal !== undefined);
  const changes = last?.proposal?.changes.total ?? 0;
  const ran = processes.total === 0 ? "" : `; ${counted(processes.total, "process", "processes")} ran`;
  const did =
    last === undefined
      ? `Nothing was proposed${ran}.`
      : `Attempt ${last.number} of ${attempts.total} changed ${counted(changes, "file")}${ran}.`;
  const refused = attempts.items.filter(({ outcome }) => outcome.startsWith("rejected")).length;
  const { requests: wanted, modelRequests, tokens, microusd, milliseconds } = budget.total;
  const whole = ledger.whole;
  return [
    { id: "did", question: "What did it do?", answer: did, tone: "plain" },
    {
      id: "tried",
      question: "What did it try?",
      answer: `${counted(requests.total, "request")}, ${requests.denied} denied; ${counted(refused, "attempt")} rejected.`,
      tone: requests.denied > 0 ? "bad" : refused > 0 ? "waiting" : "good",
    },
    {
      id: "landed",
      question: "Who let it land?",
      answer: approval
        ? `${approval.predicate.verifier.harness} judged, ${approval.verified ? "and the host's signature holds" : "but the approval does NOT hold"}; ${summary.landed ? `it is on ${shortRef(summary.landed.ref)}` : "it has not landed"}.`
        : "Nobody: it has no approval, and nothing landed.",
      tone: approval ? (approval.verified ? "good" : "bad") : "plain",
    },
    {
      id: "whole",
      question: "Is this log whole?",
      answer:
        whole.state === "whole"
          ? `Yes, up to line ${whole.upTo}${whole.signedUpTo === null ? "; no segment is signed yet" : `; signed up to ${whole.signedUpTo}`}.`
          : whole.state === "broken"
            ? `NO: ${whole.problem ?? "the chain is broken"}${whole.at ? ` at ${whole.at}` : ""}.`
            : "It was not verified here.",
      tone: whole.state === "whole" ? "good" : whole.state === "broken" ? "bad" : "waiting",
    },
    {
      id: "cost",
      question: "What did it cost?",
      answer: `${showMoney(microusd)}, ${counted(tokens, "token")} in ${counted(modelRequests, "model request")}; ${counted(wanted, "request")} in all; ${showDuration(milliseconds)} in sandboxes.`,
      tone: summary.state === "over-budget" ? "bad" : "plain",
    },
  ];
}

export const shortRef = (ref: string): string => ref.replace(/^refs\/heads\//, "");

/** The questions, each a link to its section. */
export function Answers({ page }: { page: DelegationPage }) {
  return (
    <nav aria-label={`Five questions about ${page.summary.id}`} class="answers">
      <ol>
        {answersOf(page).map(({ id, question, answer, tone }) => (
          <li key={id} class={tone}>
            <Jump to={id}>{question}</Jump>
            <p>
              <Text>{answer}</Text>
            </p>
          </li>
        ))}
      </ol>
    </nav>
  );
}
