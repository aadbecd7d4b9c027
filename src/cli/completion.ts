/** `sallyport completion`: what a shell offers after each word, made from the commands as they are. */
import type { Command, Option } from "commander";
import { SallyportError } from "../domain/error.ts";
import { command } from "./context.ts";

interface Node {
  /** The words before it, `sallyport` left out. */
  path: string[];
  commands: { name: string; summary: string }[];
  options: { flag: string; summary: string; takesValue: boolean }[];
}

const flagsOf = (option: Option): string[] => [option.short, option.long].filter((flag) => flag !== undefined);

/** Every command of the tree, from the top. */
export function nodesOf(program: Command, path: string[] = []): Node[] {
  const own: Node = {
    path,
    commands: program.commands.map((one) => ({ name: one.name(), summary: one.description() })),
    options: [
      ...program.options.flatMap((option) =>
        flagsOf(option).map((flag) => ({
          flag,
          summary: option.description,
          takesValue: option.required || option.optional,
        })),
      ),
      { flag: "--help", summary: "display help", takesValue: false },
    ],
  };
  return [own, ...program.commands.flatMap((one) => nodesOf(one as Command, [...path, one.name()]))];
}

/** In single quotes for a shell; nothing in it means anything. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const values = (node: Node): string =>
  node.options
    .filter(({ takesValue }) => takesValue)
    .map(({ flag }) => flag)
    .join("|");

function bash(nodes: Node[]): string {
  const cases = nodes
    .map((node) => {
      const words = [...node.commands.map(({ name }) => name), ...node.options.map(({ flag }) => flag)].join(" ");
      return `    ${quote(node.path.join(" "))}) words=${quote(words)}; values=${quote(`|${values(node)}|`)} ;;`;
    })
    .join("\n");
  const known = nodes.map(({ path }) => quote(path.join(" "))).join("|");
  return `# bash completion for sallyport. Made by \`sallyport completion bash\`.
_sallyport() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path='' index word words values
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case "\${path:+$path }$word" in
      ${known}) path=\${path:+$path }$word ;;
    esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=()
  # After an option that takes a value, and where a word is a file's name: the shell's own.
  if [[ $values == *"|$before|"* ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -o bashdefault -F _sallyport sallyport
`;
}

function zsh(nodes: Node[]): string {
  const cases = nodes
    .map((node) => {
      const shown = (name: string, summary: string) => quote(`${name.replaceAll(":", "\\:")}:${summary}`);
      const commands = node.commands.map(({ name, summary }) => shown(name, summary)).join(" ");
      const options = node.options.map(({ flag, summary }) => shown(flag, summary)).join(" ");
      return `    ${quote(node.path.join(" "))}) commands=(${commands}); options=(${options}); values=${quote(`|${values(node)}|`)} ;;`;
    })
    .join("\n");
  const known = nodes.map(({ path }) => quote(path.join(" "))).join("|");
  return `#compdef sallyport
# zsh completion for sallyport. Made by \`sallyport completion zsh\`.
_sallyport() {
  local place='' word values
  local -a commands options
  for word in \${words[2,CURRENT-1]}; do
    case "\${place:+$place }$word" in
      ${known}) place=\${place:+$place }$word ;;
    esac
  done
  case "$place" in
${cases}
  esac
  if [[ $values == *"|\${words[CURRENT-1]}|"* ]]; then
    _files
    return
  fi
  _describe -t commands command commands
  [[ \${words[CURRENT]} == -* ]] && _describe -t options option options
  [[ \${#commands} -eq 0 && \${words[CURRENT]} != -* ]] && _files
  return 0
}
if [ "$funcstack[1]" = "_sallyport" ]; then _sallyport "$@"; else compdef _sallyport sallyport; fi
`;
}

function fish(nodes: Node[]): string {
  const lines = nodes.flatMap((node) => {
    const at = `-n ${quote(`__sallyport_at ${quote(node.path.join(" "))}`)}`;
    return [
      ...node.commands.map(
        ({ name, summary }) => `complete -c sallyport ${at} -f -a ${quote(name)} -d ${quote(summary)}`,
      ),
      ...node.options.map(({ flag, summary, takesValue }) => {
        const form = flag.startsWith("--") ? `-l ${quote(flag.slice(2))}` : `-s ${quote(flag.slice(1))}`;
        return `complete -c sallyport ${at} ${form}${takesValue ? " -r" : ""} -d ${quote(summary)}`;
      }),
    ];
  });
  const known = nodes.map(({ path }) => quote(path.join(" "))).join(" ");
  return `# fish completion for sallyport. Made by \`sallyport completion fish\`.
function __sallyport_at
    set -l place ''
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$place $word")
        if contains -- $next ${known}
            set place $next
        end
    end
    test "$place" = "$argv[1]"
end
${lines.join("\n")}
`;
}

const shells: Record<string, (nodes: Node[]) => string> = { bash, zsh, fish };

/** The completion of one shell as text. Throws `usage` for a shell that there is none for. */
export function completionText(program: Command, shell: string): string {
  const make = Object.hasOwn(shells, shell) ? shells[shell] : undefined;
  if (!make)
    throw new SallyportError("usage", `there is no completion for ${shell}`, { next: "Name bash, zsh or fish." });
  return make(nodesOf(program));
}

/** The top of the tree that a command stands in. */
export function programOf(own: Command): Command {
  let at = own;
  while (at.parent) at = at.parent as Command;
  return at;
}

export function completionCommand(): Command {
  return command("completion", "Print what a shell completes `sallyport` with.", [
    "sallyport completion bash > /etc/bash_completion.d/sallyport",
    "sallyport completion zsh > /usr/share/zsh/site-functions/_sallyport",
    "sallyport completion fish > ~/.config/fish/completions/sallyport.fish",
  ])
    .argument("<shell>", "bash, zsh or fish")
    .action((shell: string, _options: unknown, own: Command) => {
      process.stdout.write(completionText(programOf(own), shell));
    });
}
