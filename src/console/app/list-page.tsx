/** All delegations, plans and missions, newest first, a page at a time, with filters that stand in the address. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { State } from "../../domain/delegation.ts";
import type { Summaries, Summary } from "../../domain/page.ts";
import { showMoney } from "../../domain/show-amount.ts";
import { shortRef } from "../view/answers.tsx";
import { Badge, counted, Table } from "../view/parts.tsx";
import { Clip, Text, Time } from "../view/text.tsx";
import { useAsked } from "./ask.ts";
import { Answered, Frame, pageOf } from "./frame.tsx";
import { areKeysOn, setKeys, useListKeys } from "./list-keys.ts";
import { useLive } from "./live.ts";
import { states } from "./states.ts";

const filterNames = ["q", "state", "kind", "executor"] as const;
const kinds = ["delegation", "plan", "mission"] as const;

/** The list, as the address asks for it. */
export function ListPage({ query }: { query: URLSearchParams }) {
  const { tick, mode } = useLive();
  const wanted = new URLSearchParams({ limit: "50" });
  for (const name of [...filterNames, "before"]) {
    const value = query.get(name);
    if (value) wanted.set(name, value);
  }
  const asked = useAsked<Summaries>(`summaries?${wanted}`, tick);
  const news = useNews(asked.found?.summaries);
  useListKeys();
  return (
    <Frame view="" title="Delegations" mode={mode} news={news}>
      <h1>Delegations</h1>
      <Filters query={query} />
      <Answered asked={asked}>{(found) => <Rows found={found} query={query} />}</Answered>
      <KeysHint />
    </Frame>
  );
}

function Filters({ query }: { query: URLSearchParams }) {
  const chosen = query.get("state");
  return (
    <search>
      <form class="filters" method="get">
        <label>
          Words in title, id, executor, model, repository
          <input type="search" name="q" id="words" value={query.get("q") ?? ""} maxLength={200} />
        </label>
        <label>
          State
          <select name="state" value={chosen ?? ""}>
            <option value="">any</option>
            {/* The address may ask for several, with commas. */}
            {[...states, ...(chosen && !states.includes(chosen as State) ? [chosen] : [])].map((state) => (
              <option key={state} value={state} selected={state === chosen}>
                {state}
              </option>
            ))}
          </select>
        </label>
        <label>
          Kind
          <select name="kind" value={query.get("kind") ?? ""}>
            <option value="">any</option>
            {kinds.map((kind) => (
              <option key={kind} value={kind} selected={kind === query.get("kind")}>
                {kind}
              </option>
            ))}
          </select>
        </label>
        <label>
          Executor
          <input name="executor" value={query.get("executor") ?? ""} maxLength={64} size={14} />
        </label>
        <button type="submit">Show</button>
        {filterNames.some((name) => query.get(name)) ? <a href="?">Show all</a> : null}
      </form>
    </search>
  );
}

function Rows({ found, query }: { found: Summaries; query: URLSearchParams }) {
  const older = new URLSearchParams(query);
  if (found.next) older.set("before", found.next);
  const newest = new URLSearchParams(query);
  newest.delete("before");
  return (
    <div class="list">
      <Table
        caption={counted(found.total, "entry", "entries")}
        none="Nothing is here: delegate something, or show all."
        rows={found.summaries}
        total={found.total}
        rowKey={({ id }) => id}
        columns={[
          {
            head: "Title",
            names: true,
            cell: ({ id, title, kind, plan, brief }) => (
              <>
                <a href={pageOf(id)}>
                  <Text>{title}</Text>
                </a>
                {kind === "delegation" && plan === undefined ? null : (
                  <div class="small">
                    {kind === "delegation" ? (
                      <Text>{brief === undefined ? `the whole of ${plan}` : `brief ${brief} of ${plan}`}</Text>
                    ) : (
                      kind
                    )}
                  </div>
                )}
              </>
            ),
          },
          {
            head: "State",
            cell: ({ state, held, reason }) => (
              <>
                <Badge>{state}</Badge>
                {held ? <Badge tone="waiting">held</Badge> : null}
                {reason ? (
                  <div class="small">
                    <Clip>{reason}</Clip>
                  </div>
                ) : null}
              </>
            ),
          },
          {
            head: "Executor",
            cell: ({ executor, model }) => (
              <>
                <Text>{executor ?? "none"}</Text>
                {model ? (
                  <div class="small">
                    <Text>{model}</Text>
                  </div>
                ) : null}
              </>
            ),
          },
          {
            head: "Target",
            cell: ({ repository, ref }) => (
              <span title={repository}>
                <Text>{repository.split("/").at(-1) ?? ""}</Text>
                <div class="small">
                  <Text>{shortRef(ref)}</Text>
                </div>
              </span>
            ),
          },
          {
            head: "Attempts",
            figures: true,
            cell: ({ attempts, attemptsMax }) => (attemptsMax === undefined ? attempts : `${attempts}/${attemptsMax}`),
          },
          {
            head: "Denied",
            figures: true,
            cell: ({ denied }) => (denied > 0 ? <Badge tone="bad">{String(denied)}</Badge> : 0),
          },
          { head: "Cost", figures: true, cell: ({ spend }) => showMoney(spend.microusd) },
          { head: "Updated", class: "nowrap", cell: ({ updated }) => <Time>{updated}</Time> },
          { head: "Id", class: "nowrap", cell: ({ id }) => <code>{id}</code> },
        ]}
      />
      <p class="pager">
        {query.get("before") ? <a href={`?${newest}`}>Newest</a> : null}
        {found.next ? <a href={`?${older}`}>Older</a> : null}
      </p>
    </div>
  );
}

/** What changed between two answers, in a sentence; only what a reader already saw. */
function useNews(rows: readonly Summary[] | undefined): string | undefined {
  const before = useRef(new Map<string, string>());
  const [news, setNews] = useState<string>();
  useEffect(() => {
    if (!rows) return;
    const changed = rows.filter(({ id, state }) => {
      const was = before.current.get(id);
      return was !== undefined && was !== state;
    });
    before.current = new Map(rows.map(({ id, state }) => [id, state]));
    const [first] = changed;
    if (first) {
      const more = changed.length > 1 ? `, and ${changed.length - 1} more changed` : "";
      setNews(`${first.title} is ${first.state}${more}`);
    }
  }, [rows]);
  return news;
}

function KeysHint() {
  const [on, setOn] = useState(areKeysOn());
  return (
    <p class="keys">
      <label>
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            setKeys(event.currentTarget.checked);
            setOn(event.currentTarget.checked);
          }}
        />{" "}
        Keys: <kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>Enter</kbd> opens, <kbd>/</kbd> searches
      </label>
    </p>
  );
}
