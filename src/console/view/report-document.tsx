/** Delegations' pages as one HTML file for a file share or a ticket: no script, no request, the style inside. */
import type { VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import type { DelegationPage } from "../../domain/page.ts";
import style from "../console.css?inline";
import type { ReportMarkup, ReportOptions } from "../report-options.ts";
import { DelegationView } from "./delegation-view.tsx";
import { Badge, counted, Facts, Table } from "./parts.tsx";
import { Place } from "./place.tsx";
import { shown } from "./shown.ts";
import { Code, Text, Time } from "./text.tsx";

/** Renders the pages. What is inside them is text, whatever it says. */
export function renderMarkup(pages: readonly DelegationPage[], options: ReportOptions): ReportMarkup {
  const shownPages = shown(pages);
  const [only] = shownPages;
  const title =
    options.title ?? (shownPages.length === 1 && only ? `${only.summary.title} (${only.summary.id})` : "Audit report");
  return { body: renderToString(<Report pages={shownPages} options={shown(options)} />), style, title: shown(title) };
}

function Report({ pages, options }: { pages: readonly DelegationPage[]; options: ReportOptions }): VNode {
  const isOne = pages.length === 1;
  return (
    <>
      <a class="skip" href="#main">
        Skip to the report
      </a>
      <header class="bar">
        <p class="brand">Sallyport audit report</p>
        <p>
          Made <Time>{options.made}</Time> UTC by Sallyport <Text>{options.version}</Text>
          {options.asked ? <Text>{`, ${options.asked}`}</Text> : null}
        </p>
      </header>
      <main id="main" tabIndex={-1}>
        {isOne ? null : (
          <>
            <h1>{counted(pages.length, "delegation")}</h1>
            <Table
              caption="Delegations in this report"
              none="No delegation was asked for, or none is there."
              rows={pages.map(({ summary }) => summary)}
              columns={[
                { head: "Delegation", names: true, cell: ({ id }) => <a href={`#${id}`}>{id}</a> },
                { head: "State", cell: ({ state }) => <Badge>{state}</Badge> },
                { head: "Title", cell: ({ title }) => <Text>{title}</Text> },
                { head: "Executor", cell: ({ executor }) => <Text>{executor ?? ""}</Text> },
                { head: "Denied", figures: true, cell: ({ denied }) => denied },
                { head: "Accepted", cell: ({ created }) => <Time>{created}</Time> },
              ]}
            />
          </>
        )}
        {pages.map((page) => (
          <section key={page.summary.id} class="reported" id={page.summary.id} aria-label={page.summary.id}>
            <Place.Provider value={isOne ? { prefix: "", deeper: 0 } : { prefix: `${page.summary.id}-`, deeper: 1 }}>
              <DelegationView page={page} />
            </Place.Provider>
          </section>
        ))}
      </main>
      <footer>
        <Facts facts={[["This file", <Code key="f">runs nothing and loads nothing</Code>]]} />
        <p class="none">
          It shows what the ledger said when it was made. `sallyport audit verify` and `sallyport audit proof` check it.
        </p>
      </footer>
    </>
  );
}
