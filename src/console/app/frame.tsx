/** What is around every page: the ways to the others, whether it is live, what is wrong. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Code, Text } from "../view/text.tsx";
import type { Asked, Wrong } from "./ask.ts";
import type { LiveMode } from "./live.ts";

const places = [
  { view: "", name: "Delegations" },
  { view: "executors", name: "Executors" },
  { view: "policies", name: "Policies" },
  { view: "gate", name: "Gate" },
] as const;

export type View = (typeof places)[number]["view"] | "one";

const modes: Readonly<Record<LiveMode, string>> = {
  starting: "Connecting",
  live: "Live",
  asking: "Live, asking every 3 s",
};

interface FrameProps {
  view: View;
  /** Of the browser's tab. */
  title: string;
  mode?: LiveMode;
  /** Said aloud when it changes: the state of what is shown. */
  news?: string | undefined;
  children: ComponentChildren;
}

/** A page in its frame. */
export function Frame({ view, title, mode, news, children }: FrameProps) {
  useEffect(() => {
    document.title = `${title} · Sallyport`;
  }, [title]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="bar">
        <p class="brand">
          <a href="?">Sallyport</a>
        </p>
        <nav aria-label="Console">
          <ul>
            {places.map((place) => (
              <li key={place.view}>
                <a
                  href={place.view ? `?view=${place.view}` : "?"}
                  aria-current={place.view === view ? "page" : undefined}
                >
                  {place.name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        {mode ? <p class="live">{modes[mode]}</p> : null}
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <p class="unseen" role="status">
        {news ?? ""}
      </p>
      <footer>
        <p class="none">Read-only: nothing is decided or changed here. Times are UTC.</p>
      </footer>
    </>
  );
}

/** What is shown of an answer: itself, that it is on its way, or what is wrong and what to do. */
export function Answered<T>({ asked, children }: { asked: Asked<T>; children: (found: T) => ComponentChildren }) {
  const { found, wrong } = asked;
  return (
    <>
      {wrong ? <WrongNote wrong={wrong} /> : null}
      {found === undefined ? wrong ? null : <p class="none">Asking the daemon …</p> : children(found)}
    </>
  );
}

function WrongNote({ wrong: { code, message, next } }: { wrong: Wrong }) {
  return (
    <div class="note bad" role="alert">
      <p>
        <Code>{code}</Code> <Text>{message}</Text>
      </p>
      {next ? (
        <p>
          Next: <Text>{next}</Text>
        </p>
      ) : null}
    </div>
  );
}

/** The address of the page about a delegation, a plan or a mission. */
export const pageOf = (id: string): string =>
  `?${id.startsWith("p-") ? "plan" : id.startsWith("m-") ? "mission" : "delegation"}=${encodeURIComponent(id)}`;
