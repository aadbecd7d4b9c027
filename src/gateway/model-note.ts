/** A note of the host's to a harness, put where its protocol has words that are not the user's. */
import type { ModelProtocol } from "../domain/model.ts";

type Fields = Record<string, unknown>;

/** Adds the note to a request that was checked. */
export function addNote(protocol: ModelProtocol, fields: Fields, note: string): void {
  switch (protocol) {
    case "anthropic-messages": {
      const { system } = fields;
      const before =
        typeof system === "string" ? [{ type: "text", text: system }] : Array.isArray(system) ? system : [];
      fields["system"] = [...before, { type: "text", text: note }];
      return;
    }
    case "openai-chat": {
      const messages = fields["messages"] as Fields[];
      // Some servers take a system message in the first place only.
      const [first] = messages;
      if (first && (first["role"] === "system" || first["role"] === "developer")) {
        const { content } = first;
        first["content"] =
          typeof content === "string"
            ? `${content}\n\n${note}`
            : [...(Array.isArray(content) ? content : []), { type: "text", text: note }];
      } else fields["messages"] = [{ role: "system", content: note }, ...messages];
      return;
    }
    case "openai-responses": {
      const { instructions } = fields;
      fields["instructions"] = typeof instructions === "string" ? `${instructions}\n\n${note}` : note;
      return;
    }
    case "gemini": {
      const said = fields["systemInstruction"];
      const parts =
        typeof said === "string" ? [{ text: said }] : ((said as { parts?: unknown[] } | undefined)?.parts ?? []);
      fields["systemInstruction"] = {
        ...(typeof said === "object" ? said : {}),
        parts: [...parts, { text: note }],
      };
    }
  }
}
