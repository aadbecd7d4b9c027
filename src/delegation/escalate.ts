/** What follows when a delegation is stuck: its dossier goes to whoever gave the brief, once, and the ledger says so. */
import { digestBytes } from "../gate/digest.ts";
import { dossierOf, showDossier } from "./dossier.ts";
import type { LoopTools } from "./tools.ts";

/** Escalates a stuck delegation: to its planner harness, else to a person, who finds the dossier with `show`. */
export async function escalateStuck(id: string, tools: LoopTools): Promise<void> {
  const dossier = dossierOf(tools.record(id));
  if (!dossier) return;
  const text = await tools.secrets.mask(showDossier(dossier));
  const taken = (await tools.escalate?.(dossier, text)) ?? false;
  await tools.append({
    type: "stuck.escalated",
    delegation: id,
    data: {
      to: taken ? "planner" : "person",
      dossier: digestBytes(Buffer.from(text)),
      bytes: Buffer.byteLength(text),
    },
  });
}
