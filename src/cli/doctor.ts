/** `sallyport doctor`. */
import type { Command } from "commander";
import { exitCode } from "../domain/error.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";

async function doctor({ state, json }: Globals): Promise<number> {
  const { examine } = await import("../host/doctor.ts");
  const findings = await examine(state);
  if (json) print(findings);
  else {
    for (const { control, state: verdict, found, fix } of findings) {
      say(`${verdict.padEnd(5)} ${control.padEnd(18)} ${found}`);
      if (fix) say(`      ${"".padEnd(18)} fix: ${fix}`);
    }
  }
  return findings.some((finding) => finding.state === "fail") ? exitCode.refused : done;
}

export function doctorCommand(): Command {
  return command("doctor", "Every control this machine can and cannot enforce, with the fix.", [
    "sallyport doctor --json",
  ]).action(action(doctor));
}
