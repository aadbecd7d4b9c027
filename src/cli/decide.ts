/** `land`, `discard`, `stop`: the words that change something. */
import type { Command } from "commander";
import { call, pathOf } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";

interface Answer {
  id: string;
  state: string;
  ref?: string;
  commit?: string;
}

const post =
  (verb: string, text: (answer: Answer) => string) =>
  async ({ state, json }: Globals, id: string, options: { onto?: string }): Promise<number> => {
    const body = options.onto ? { onto: options.onto } : {};
    const answer = await call<Answer>(state, "POST", `${pathOf(id)}/${verb}`, body);
    if (json) print(answer);
    else say(text(answer));
    return done;
  };

export function decideCommands(): Command[] {
  return [
    command("land", "Land an approved delegation or plan on its branch, by compare-and-swap.", [
      "sallyport land d-abcdefgh23456722",
      "sallyport land d-abcdefgh23456722 --onto main",
      "sallyport land p-abcdefgh23456722",
    ])
      .argument("<id>")
      .option("--onto <branch>", "the target (default: the branch it was delegated for)")
      .action(action(post("land", (a) => `landed ${a.commit} on ${a.ref}`))),
    command("discard", "Give up a delegation or plan and what it proposed.", ["sallyport discard d-abcdefgh23456722"])
      .argument("<id>")
      .action(action(post("discard", (a) => `${a.id} is discarded`))),
    command("stop", "End a delegation or plan that runs or waits.", ["sallyport stop d-abcdefgh23456722"])
      .argument("<id>")
      .action(action(post("stop", (a) => `${a.id} is ${a.state}`))),
  ];
}
