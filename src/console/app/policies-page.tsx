/** The policies as a brief may name them, and why one allows or denies a request. */

import type { Explanation } from "../../domain/page.ts";
import type { PolicyView } from "../../host/policies.ts";
import { Badge, Facts, Section } from "../view/parts.tsx";
import { Clip, Code, Names, Text } from "../view/text.tsx";
import { useAnchorOpen } from "./anchor.ts";
import { useAsked } from "./ask.ts";
import { Answered, Frame } from "./frame.tsx";

export function PoliciesPage({ query }: { query: URLSearchParams }) {
  const asked = useAsked<{ policies: PolicyView[] }>("policies");
  useAnchorOpen(asked.found !== undefined);
  return (
    <Frame view="policies" title="Policies">
      <h1>Policies</h1>
      <Answered asked={asked}>
        {({ policies }) => (
          <>
            <Explain policies={policies} query={query} />
            {policies.map((policy) => (
              <Section key={policy.name} id={`policy-${policy.name}`} title={policy.name}>
                <Rendered policy={policy} />
              </Section>
            ))}
          </>
        )}
      </Answered>
    </Frame>
  );
}

function Explain({ policies, query }: { policies: readonly PolicyView[]; query: URLSearchParams }) {
  const [chosen, request] = [query.get("policy"), query.get("request")];
  return (
    <Section id="explain" title="Why is a request allowed or denied?">
      <form class="filters" method="get" action="#explain">
        <input type="hidden" name="view" value="policies" />
        <label>
          Policy
          <select name="policy">
            {policies
              .filter((policy) => !("error" in policy))
              .map(({ name }) => (
                <option key={name} value={name} selected={name === chosen}>
                  {name}
                </option>
              ))}
          </select>
        </label>
        <label>
          Request
          <input
            class="wide"
            name="request"
            required
            maxLength={2000}
            value={request ?? ""}
            placeholder="GET https://registry.npmjs.org/left-pad"
          />
        </label>
        <button type="submit">Explain</button>
      </form>
      {chosen && request ? <Explained policy={chosen} request={request} /> : null}
    </Section>
  );
}

function Explained({ policy, request }: { policy: string; request: string }) {
  const asked = useAsked<Explanation>(
    `policies/${encodeURIComponent(policy)}/explain?request=${encodeURIComponent(request)}`,
  );
  return (
    <Answered asked={asked}>
      {({ allow, text, rule }) => (
        <div class={`note ${allow ? "good" : "bad"}`} role="status">
          <p>
            <Badge>{allow ? "allow" : "deny"}</Badge> <Code>{rule}</Code>
          </p>
          {text.map((line, index) => (
            <p key={index}>
              <Text>{line}</Text>
            </p>
          ))}
        </div>
      )}
    </Answered>
  );
}

const listOf = (names: readonly string[]) => <Names names={names} none="nothing" />;

function Rendered({ policy }: { policy: PolicyView }) {
  if ("error" in policy)
    return (
      <p class="note bad">
        <Code>{policy.error.code}</Code> <Clip>{policy.error.message}</Clip>
      </p>
    );
  const { writable, visible, network, models, budget, tests, verifier } = policy;
  return (
    <Facts
      facts={[
        ["May write", listOf(writable)],
        ["May see", listOf(visible)],
        ["Protected", listOf(policy.protected)],
        ["Network", listOf(network)],
        ["Models", listOf(models)],
        ["Budget", listOf(Object.entries(budget).map(([name, value]) => `${name}: ${JSON.stringify(value)}`))],
        ["Tests", tests ? <Clip code>{`${tests.run} (${tests.report})`}</Clip> : "none"],
        [
          "Verifier",
          <Clip key="v" code>
            {JSON.stringify(verifier)}
          </Clip>,
        ],
      ]}
    />
  );
}
