/** The page of one delegation, live until it rests. */
import type { DelegationPage as Page } from "../../domain/page.ts";
import { DelegationView } from "../view/delegation-view.tsx";
import { useAnchorOpen } from "./anchor.ts";
import { useAsked } from "./ask.ts";
import { Answered, Frame, pageOf } from "./frame.tsx";
import { useLive } from "./live.ts";

export function DelegationPage({ id }: { id: string }) {
  const { tick, mode } = useLive(id);
  const asked = useAsked<Page>(`delegations/${encodeURIComponent(id)}/page`, tick);
  const summary = asked.found?.summary;
  useAnchorOpen(asked.found !== undefined);
  return (
    <Frame
      view="one"
      title={summary ? summary.title : id}
      mode={mode}
      news={summary ? `${summary.title} is ${summary.state}` : undefined}
    >
      <Answered asked={asked}>
        {(page) => <DelegationView page={page} link={(other) => <a href={pageOf(other)}>{other}</a>} />}
      </Answered>
    </Frame>
  );
}
