/** `sallyport audit verify|export|report|show|tail`: reads the ledger's files itself, so it needs no daemon and trusts none. */
import type { Command } from "commander";
import { exported } from "./audit-export.ts";
import { show, tail } from "./audit-read.ts";
import { report } from "./audit-report.ts";
import { verify } from "./audit-verify.ts";
import { action, command } from "./context.ts";

/** An option that may be given several times. */
const listed = (value: string, before: string[] | undefined) => [...(before ?? []), value];

export function auditCommand(): Command {
  const filters = (made: Command) =>
    made
      .option("--delegation <id>", "only of this one; a plan's or mission's id takes its parts with it", listed)
      .option("--type <type>", "only events of this type, or such as 'delegation.*'", listed)
      .option("--host <host>", "only requests to this host, or such as '*.npmjs.org'", listed)
      .option("--denied", "only what was denied: requests, and model calls over budget")
      .option("--secret <name>", "only requests that this secret was put into", listed)
      .option("--since <time>", "from this time on (2026-11-22, 2026-11-22T18:00:00Z, or how long ago: 24h)")
      .option("--until <time>", "before this time")
      .option("--attempt <n>", "only of this attempt")
      .option("--limit <n>", "no more than so many");
  return command("audit", "What happened, who let it land, and is the record whole?", [
    "sallyport audit verify",
    "sallyport audit show --denied",
  ])
    .addCommand(
      command(
        "verify",
        "Check the ledger: every line, link and signature. With FILE: check a proof pack again, offline.",
        [
          "sallyport audit verify --anchor /mnt/worm/heads --anchor 120:9f2c…",
          "sallyport audit verify proof.json --repo /srv/git/money.git --key host.pub",
        ],
      )
        .argument("[file]", "a proof pack; left out: the ledger")
        .option("--repo <dir>", "with FILE: the repository, to make trees and commits again")
        .option("--key <file>", "the host's public key, keys/host.pub, as you know it from elsewhere")
        .option(
          "--anchor <head>",
          "heads that were kept outside, beside those of the configuration: SEQ:HASH, a file, or git:DIR#REF",
          listed,
        )
        .action(action(verify)),
    )
    .addCommand(
      filters(
        command("export", "Write one decision as a signed proof pack, or entries as ndjson, csv or ocsf.", [
          "sallyport audit export d-abcdefgh23456722 --out proof.json",
          "sallyport audit export --format csv --denied --since 24h --out denied.csv",
          "sallyport audit export --format ocsf --type request | gzip > requests.gz",
        ]),
      )
        .argument("[id]", "a delegation, or a plan or mission with all its parts")
        .option("--format <format>", "proof (needs an id), ndjson, csv, ocsf (1.8.0)", "proof")
        .option("--out <file>", "where to, a new file (default: standard output)")
        .action(action(exported)),
    )
    .addCommand(
      command(
        "report",
        "Answer an auditor's five questions: what it did and tried, who let it land, is the log whole, the cost.",
        ["sallyport audit report d-abcdefgh23456722", "sallyport audit report --since 24h --html report.html"],
      )
        .argument("[id]", "a delegation, or a plan or mission with all its parts")
        .option("--since <time>", "every delegation that was at work from this time on")
        .option("--until <time>", "before this time")
        .option("--html <file>", "one self-contained page, a new file")
        .option("--anchor <head>", "heads that were kept outside: as for `audit verify`", listed)
        .option("--key <file>", "the host's public key, as you know it from elsewhere")
        .action(action(report)),
    )
    .addCommand(
      filters(
        command("show", "Show the ledger's entries, verified as they are read.", [
          "sallyport audit show --delegation d-abcdefgh23456722",
          "sallyport audit show --denied --since 24h",
          "sallyport audit show --type 'landing.*' --json | jq .data",
        ]),
      ).action(action(show)),
    )
    .addCommand(
      filters(command("tail", "Show the last entries.", ["sallyport audit tail -f"]))
        .option("-n, --lines <n>", "how many", "20")
        .option("-f, --follow", "go on with what comes")
        .action(action(tail)),
    );
}
