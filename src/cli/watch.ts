/** Follows delegations in the ledger's own words until they rest: redrawn on a terminal, line by line elsewhere. */
import type { Entry } from "../domain/event.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { call, lines, pathOf } from "./client.ts";
import type { Globals } from "./context.ts";
import { told } from "./entry-line.ts";
import { goesOn, onInterrupt, openLive } from "./live.ts";
import { describeMany, describeWatched, isMilestone, type Watched, watchStep } from "./progress.ts";
import type { Line } from "./terminal.ts";

/** Every entry about an id, each once, until `rests` gives its record. */
export async function followLog<T>(
  state: StateDirectory,
  id: string,
  show: (entry: Entry) => void | Promise<void>,
  rests: () => Promise<T | undefined>,
): Promise<T> {
  let from = 0;
  for (;;) {
    for await (const entry of lines<Entry>(state, `${pathOf(id)}/log?follow=true&from=${from}`)) {
      from = entry.seq + 1;
      await show(entry);
    }
    const record = await rests();
    if (record !== undefined) return record;
  }
}

export interface Watching<T> {
  id: string;
  /** Its record where it rests, else undefined. */
  rests(record: T): boolean;
  /** Of a plan or mission: the name of each delegation in it. Asked anew for each line. */
  nameOf?: (id: string) => string;
  /** Told of each entry before it is shown. */
  meet?: (entry: Entry) => Promise<void>;
}

/** Shows what happens to a delegation, plan or mission until it rests. Gives its record. With `json` nothing is shown. */
export async function watch<T>({ state, json }: Globals, what: Watching<T>): Promise<T> {
  const { id, nameOf, meet } = what;
  const all = new Map<string, Watched>();
  const region = (now: number): Line[] => {
    const one = all.get(id);
    if (nameOf) return describeMany(all, nameOf, now);
    return one ? describeWatched(one, now) : [];
  };
  const live = openLive(!json, region);
  const took = onInterrupt(live, goesOn(id));
  try {
    return await followLog(
      state,
      id,
      async (entry) => {
        await meet?.(entry);
        const about = entry.delegation ?? "";
        const watched = watchStep(all.get(about), entry);
        if (watched) all.set(about, watched);
        if (json || (live.redraws && !isMilestone(entry))) return;
        live.line(nameOf ? `${nameOf(about).padEnd(6)} ${told(entry)}` : told(entry), entry.time);
      },
      async () => {
        const record = await call<T>(state, "GET", pathOf(id));
        return what.rests(record) ? record : undefined;
      },
    );
  } finally {
    took();
    live.end();
  }
}
