/** `sallyport man`: the manual page, man(7), made from the help of every command. */
import type { Command } from "commander";
import { exitCode } from "../domain/error.ts";
import { version } from "../host/version.ts";
import { programOf } from "./completion.ts";
import { command } from "./context.ts";

/** Text for roff: nothing in it is a request or an escape (groff(7)), and a dash is a dash. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1")
    .replaceAll("‘", "\\(oq")
    .replaceAll("’", "\\(cq")
    .replace(
      /[^\0-\x7f]/gu,
      (char) => `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}

/** The lines under `Examples:` in a command's help. */
function examplesOf(own: Command): string[] {
  let help = "";
  own.configureOutput({ writeOut: (text) => (help += text) });
  own.outputHelp();
  own.configureOutput({ writeOut: (text) => process.stdout.write(text) });
  return (help.split("\nExamples:\n")[1] ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

const shared = new Set(["--json", "--state", "--socket"]);

function optionsOf(own: Command, all: boolean): string[] {
  return own.options
    .filter(({ long }) => all || !shared.has(long ?? ""))
    .flatMap(({ flags, description }) => [".TP", `.B ${roff(flags)}`, roff(description || "See the examples.")]);
}

function sectionOf(own: Command, path: string[]): string[] {
  const name = [...path, own.name()];
  const usage = own.registeredArguments.map((one) => {
    const word = `${one.name()}${one.variadic ? "..." : ""}`;
    return one.required ? word : `[${word}]`;
  });
  const lines =
    own.commands.length === 0 || own.registeredArguments.length > 0
      ? [
          `.SS "${roff([...name, ...usage].join(" "))}"`,
          roff(own.description()),
          ...own.registeredArguments
            .filter(({ description }) => description)
            .flatMap((one) => [".TP", `.I ${roff(one.name())}`, roff(one.description)]),
          ...optionsOf(own, false),
          ...examplesOf(own).flatMap((line, index) => [...(index === 0 ? [".PP", ".EX"] : []), roff(line)]),
          ...(examplesOf(own).length > 0 ? [".EE"] : []),
        ]
      : [];
  return [...lines, ...own.commands.flatMap((one) => sectionOf(one as Command, name))];
}

const files: [string, string][] = [
  ["/var/lib/sallyport", "The state: ledger, key, quarantine, base trees. Mode 0700."],
  ["/var/lib/sallyport/config.yaml", "The configuration: who may name what, lanes, retention."],
  ["/var/lib/sallyport/policies/", "Policies of the operator's own."],
  ["/var/lib/sallyport/host.sock", "The daemon's socket. Whoever may open it is the operator."],
];
const variables: [string, string][] = [
  ["SALLYPORT_STATE", "The state directory."],
  ["SALLYPORT_SOCKET", "The daemon's socket."],
  ["SALLYPORT_LOG", "The log's level: trace, debug, info, warn, error, fatal, silent."],
  ["SALLYPORT_LOG_FILE", "The log's file; else standard error. SIGHUP opens it again."],
  ["SALLYPORT_IMAGES", "The harness folders."],
  ["SALLYPORT_CACHE", "Where package installs are kept between image builds."],
  ["DOCKER_HOST", "The container engine's socket, as unix:///path."],
];
const codes: [number, string][] = [
  [exitCode.done, "done, or approved"],
  [exitCode.rejected, "rejected, or not proved"],
  [exitCode.usage, "the command line or a file is not valid"],
  [exitCode.stuck, "stuck"],
  [exitCode.overBudget, "over budget"],
  [exitCode.refused, "refused by policy, or for a missing control"],
  [exitCode.failed, "the host failed"],
];
const listed = (pairs: readonly [string | number, string][]) =>
  pairs.flatMap(([name, what]) => [".TP", `.B ${roff(String(name))}`, roff(what)]);

/** The page as text. */
export function manText(program: Command): string {
  return [
    `.TH SALLYPORT 1 "" "sallyport ${roff(version)}" "Sallyport"`,
    ".SH NAME",
    `sallyport \\- ${roff(program.description().replace(/\.$/, ""))}`,
    ".SH SYNOPSIS",
    ".B sallyport",
    ".I command",
    "[options]",
    ".SH DESCRIPTION",
    roff(
      "A planner hands a narrow brief to an executor, which works in a hardened sandbox without a network. The host takes the difference itself, tests it in a clean sandbox, and asks a verifier in a third one, whose default answer is: rejected. Only what was tested, verified and signed can land. Everything is in a tamper-evident ledger.",
    ),
    ".SH OPTIONS",
    "Every command takes:",
    ...optionsOf(command("x", "x"), true),
    ".SH COMMANDS",
    ...program.commands.flatMap((one) => sectionOf(one as Command, [])),
    ".SH EXIT STATUS",
    ...listed(codes),
    ".SH ENVIRONMENT",
    ...listed(variables),
    ".SH FILES",
    ...listed(files),
    ".SH SEE ALSO",
    ".BR systemctl (1),",
    ".BR journalctl (1),",
    ".BR docker (1)",
    "",
  ].join("\n");
}

export function manCommand(): Command {
  return command("man", "Print the manual page.", [
    "sallyport man | man -l -",
    "sallyport man > /usr/local/share/man/man1/sallyport.1",
  ]).action((_options: unknown, own: Command) => {
    process.stdout.write(manText(programOf(own)));
  });
}
