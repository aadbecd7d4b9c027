/** Ids as people type them: whole, or as many letters as name one thing. */
import { SallyportError } from "../domain/error.ts";
import { subjectId } from "../domain/identity.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { nearest } from "../policy/issues.ts";
import type { Globals } from "./context.ts";
import { summariesOf } from "./summaries.ts";

/** How many ids an error names. */
const named = 5;

/** The whole id that `text` is, or begins. Throws `usage` where it is no id, `not-found` where it names nothing, or several. */
export async function wholeId(state: StateDirectory, text: string): Promise<string> {
  if (subjectId.safeParse(text).success) return text;
  if (!/^[dpm]-[a-z2-7]{1,15}$/.test(text))
    throw new SallyportError("usage", `${JSON.stringify(text)} is no id`, {
      next: "An id is such as d-abcdefgh23456722, or its first letters: `sallyport list` shows them.",
    });
  const { summaries } = await summariesOf(state, { q: text }, 200);
  const ids = summaries.map(({ id }) => id).filter((id) => id.startsWith(text));
  if (ids.length === 1) return ids[0] ?? text;
  if (ids.length > 1)
    throw new SallyportError(
      "not-found",
      `${text} begins ${ids.length} ids: ${ids.slice(0, named).join(", ")}${ids.length > named ? ", …" : ""}`,
      {
        next: "Write more of it.",
      },
    );
  const recent = await summariesOf(state, {}, 200);
  const meant = nearest(
    text,
    recent.summaries.map(({ id }) => id.slice(0, text.length)),
  );
  const whole = meant && recent.summaries.find(({ id }) => id.startsWith(meant))?.id;
  throw new SallyportError("not-found", `no id begins with ${text}`, {
    next: whole ? `Did you mean ${whole}? \`sallyport list\` shows them.` : "`sallyport list` shows them.",
  });
}

/** A command's body that is given a whole id, whatever the beginning of one that was typed. */
export const withId =
  <A extends unknown[]>(run: (globals: Globals, id: string, ...args: A) => Promise<number>) =>
  async (globals: Globals, text: string, ...args: A): Promise<number> =>
    run(globals, await wholeId(globals.state, text), ...args);
