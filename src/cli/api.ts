/** `api`: the description of the daemon's HTTP API. */
import type { Command } from "commander";
import { call } from "./client.ts";
import { action, command, done, type Globals, print } from "./context.ts";

async function api({ state }: Globals): Promise<number> {
  print(await call<object>(state, "GET", "/v1/openapi.json"));
  return done;
}

export function apiCommand(): Command {
  return command("api", "Print the description of the daemon's HTTP API, OpenAPI 3.1.", [
    "sallyport api > sallyport.openapi.json",
  ]).action(action(api));
}
