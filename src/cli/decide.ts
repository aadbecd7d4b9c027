/** `land`, `verify`, `discard`, `stop`: the words that change something. */
import type { Command } from "commander";
import type { Entry } from "../domain/event.ts";
import { call, lines, pathOf } from "./client.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";
import { told } from "./entry-line.ts";
import { withId } from "./ids.ts";

interface Answer {
  id: string;
  state: string;
  ref?: string;
  commit?: string;
  approval?: string;
  expires?: string;
  beside?: { ref: string; worktree: string; command: string };
  merged?: { onto: string; verdict: "carried" | "anew"; replaces: string };
}

interface Options {
  onto?: string;
}

const post = (verb: string, { state }: Globals, id: string, options: Options) =>
  call<Answer>(state, "POST", `${pathOf(id)}/${verb}`, options.onto ? { onto: options.onto } : {});

const word =
  (verb: string, text: (answer: Answer) => string) =>
  async (shared: Globals, id: string, options: Options): Promise<number> => {
    const answer = await post(verb, shared, id, options);
    if (shared.json) print(answer);
    else say(text(answer));
    return done;
  };

/** Events that tell how a landing goes on. */
const shown = /^(?:landing\.|delegation\.(?:approved|landed)$)/;

/** The number of the ledger's next line about anything; what comes from there on is new. */
async function nextLine({ state }: Globals): Promise<number> {
  const { head } = await call<{ head?: { seq?: number } }>(state, "GET", "/v1/status");
  return (head?.seq ?? -1) + 1;
}

/** Asks, and tells what happens until the answer is there: that it waits, is merged, tested, verified. */
async function follow(verb: "land" | "verify", shared: Globals, id: string, options: Options): Promise<Answer> {
  if (shared.json) return post(verb, shared, id, options);
  let from = await nextLine(shared);
  let over = false;
  const answer = post(verb, shared, id, options).finally(() => {
    over = true;
  });
  answer.catch(() => {});
  const tell = async () => {
    for await (const entry of lines<Entry>(shared.state, `${pathOf(id)}/log?follow=true&from=${from}`)) {
      from = entry.seq + 1;
      if (shown.test(entry.type)) say(told(entry));
    }
  };
  while (!over) {
    await tell();
    if (!over) await Promise.race([answer.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 200))]);
  }
  await tell();
  return answer;
}

async function land(shared: Globals, id: string, options: Options): Promise<number> {
  const answer = await follow("land", shared, id, options);
  if (shared.json) print(answer);
  else {
    say(`landed ${answer.commit} on ${answer.ref}`);
    if (answer.merged) {
      const whose = answer.merged.verdict === "carried" ? "the verdict was carried" : "it was verified anew";
      say(`  merged with ${answer.merged.onto}, tested again; ${whose}; approval ${answer.approval}`);
    }
    if (answer.beside) {
      say(`  ${answer.beside.ref} is checked out in ${answer.beside.worktree}, which was not touched`);
      say(`  next: ${answer.beside.command}`);
    }
  }
  return done;
}

async function verify(shared: Globals, id: string, options: Options): Promise<number> {
  const answer = await follow("verify", shared, id, options);
  if (shared.json) print(answer);
  else say(`${answer.id} is approved anew: approval ${answer.approval}, until ${answer.expires}`);
  return done;
}

async function act(
  { state, json }: Globals,
  id: string,
  action: string,
  options: { again?: boolean },
): Promise<number> {
  const body = { action, again: options.again === true };
  const answer = await call<{ outcome: string; message: string }>(state, "POST", `${pathOf(id)}/act`, body);
  if (json) print(answer);
  else say(`${action} is ${answer.outcome}\n${answer.message}`);
  return done;
}

export function decideCommands(): Command[] {
  return [
    command("land", "Land an approved delegation or plan on its branch; where that moved, merged and tested again.", [
      "sallyport land d-abcdefgh23456722",
      "sallyport land d-abcdefgh23456722 --onto main",
      "sallyport land p-abcdefgh23456722",
    ])
      .argument("<id>")
      .option("--onto <branch>", "the target (default: the branch it was delegated for)")
      .action(action(withId(land))),
    command("verify", "Have an approved delegation or plan tested and verified again: a new approval.", [
      "sallyport verify d-abcdefgh23456722",
    ])
      .argument("<id>")
      .option("--onto <branch>", "the target (default: the branch it was delegated for)")
      .action(action(withId(verify))),
    command("act", "Do one of the policy's actions with what was approved or landed, in a sandbox of its own.", [
      "sallyport act d-abcdefgh23456722 push",
      "sallyport act d-abcdefgh23456722 push --again",
    ])
      .argument("<id>")
      .argument("<action>", "its name in `actions:` of the policy")
      .option("--again", "it was done, or may have been, and is to be done once more")
      .action(action(withId(act))),
    command("discard", "Give up a delegation or plan and what it proposed.", ["sallyport discard d-abcdefgh23456722"])
      .argument("<id>")
      .action(action(withId(word("discard", (a) => `${a.id} is discarded`)))),
    command("stop", "End a delegation, plan or landing that runs or waits.", ["sallyport stop d-abcdefgh23456722"])
      .argument("<id>")
      .action(action(withId(word("stop", (a) => `${a.id} is ${a.state}`)))),
  ];
}
