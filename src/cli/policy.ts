/** `sallyport policy ...`: for the person who writes policies. */
import type { Command } from "commander";
import { action, command } from "./context.ts";
import { diff, learn, simulate } from "./policy-change.ts";
import { check, explain, schema, test } from "./policy-check.ts";

export function policyCommand(): Command {
  const policy = "a name, or a file";
  return command("policy", "Write, check and understand policies.", [
    "sallyport policy check ./money.yaml",
    'sallyport policy explain node-library "POST https://registry.npmjs.org/a"',
    "sallyport policy diff base ./money.yaml",
  ])
    .addCommand(
      command(
        "check",
        "Check a policy: every problem with line and column. Exit 1: an expectation does not hold; 2: invalid.",
        ["sallyport policy check node-library", "sallyport policy check ./money.yaml --json"],
      )
        .argument("<policy>", policy)
        .action(action(check)),
    )
    .addCommand(
      command(
        "explain",
        "Why a request is allowed or denied, and the smallest change that would allow it. Exit 5: denied.",
        [
          'sallyport policy explain node-library "PUT https://registry.npmjs.org/a"',
          'sallyport policy explain ./money.yaml "GET wss://events.example.org/feed"',
          'sallyport policy explain ./money.yaml "CONNECT example.org:443"',
        ],
      )
        .argument("<policy>", policy)
        .argument("<request>", '"METHOD URL", "GET wss://..." for a WebSocket, or "CONNECT host:port"')
        .action(action(explain)),
    )
    .addCommand(
      command("test", "Run the policy's own expectations. Exit 1: one does not hold.", [
        "sallyport policy test ./money.yaml",
      ])
        .argument("<policy>", policy)
        .action(action(test)),
    )
    .addCommand(
      command(
        "diff",
        "What becomes allowed and denied from one policy to another. Exit 1: it allows more, or that cannot be ruled out.",
        ["sallyport policy diff base ./money.yaml", "sallyport policy diff ./money-before.yaml ./money.yaml --json"],
      )
        .argument("<before>", policy)
        .argument("<after>", policy)
        .action(action(diff)),
    )
    .addCommand(
      command(
        "simulate",
        "What a recorded delegation would have met under another policy. Exit 1: something would go otherwise.",
        ["sallyport policy simulate ./money.yaml d-abcdefgh23456722"],
      )
        .argument("<policy>", policy)
        .argument("<delegation>", "its id")
        .action(action(simulate)),
    )
    .addCommand(
      command("learn", "The narrowest rules that let a recorded delegation's requests pass, as YAML to paste.", [
        "sallyport policy learn d-abcdefgh23456722",
        "sallyport policy learn d-abcdefgh23456722 --from ./money.yaml",
      ])
        .argument("<delegation>", "its id")
        .option("--from <policy>", "only what this policy does not allow already")
        .action(action(learn)),
    )
    .addCommand(
      command("schema", "Print the JSON schema for editors.", ["sallyport policy schema > schema.json"]).action(
        action(schema),
      ),
    );
}
