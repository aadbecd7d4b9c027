/** What a scripted model wants done, said in the words of the tools that the harness offers. */
import { posix } from "node:path";
import type { ToolOffer } from "./dialect.ts";

/** A wish, or a call of one tool by its own name. Paths are relative to the workspace. */
export type Action =
  | { write: string; content: string }
  | { edit: string; from: string; to: string }
  | { read: string }
  | { run: string }
  | { call: string; arguments: Record<string, unknown> };

export interface ToolCall {
  name: string;
  arguments: Record<string, unknown>;
}

/** The names that harnesses give to their tools, the preferred first. */
const tools = {
  run: ["bash", "Bash", "run_shell_command", "exec_command", "shell_command", "shell", "local_shell"],
  write: ["write", "Write", "write_file"],
  edit: ["edit", "Edit", "replace"],
  read: ["read", "Read", "read_file"],
} as const;
const parameters = {
  path: ["file_path", "filePath", "absolute_path", "path"],
  command: ["command", "cmd"],
  from: ["old_string", "oldString", "oldText"],
  to: ["new_string", "newString", "newText"],
} as const;

/** The tool calls for some actions. Throws where the harness offers no tool that could do one. */
export function callsFor(actions: readonly Action[], offered: readonly ToolOffer[], workspace: string): ToolCall[] {
  return actions.map((action) => callFor(action, offered, workspace));
}

function callFor(action: Action, offered: readonly ToolOffer[], workspace: string): ToolCall {
  if ("call" in action) return { name: action.call, arguments: action.arguments };
  const find = (kind: keyof typeof tools) =>
    tools[kind].map((name) => offered.find((tool) => tool.name === name)).find((tool) => tool !== undefined);
  const at = (path: string) => posix.resolve(workspace, path);
  if ("run" in action) {
    const tool = find("run");
    if (!tool) throw new Error(`no tool that runs a command among: ${offered.map((t) => t.name).join(", ")}`);
    const key = keyOf(tool, "command");
    // An argument vector where the schema wants one.
    const vector = tool.parameters.properties?.[key]?.type === "array";
    return filled(tool, { [key]: vector ? ["sh", "-c", action.run] : action.run });
  }
  if ("write" in action) {
    const tool = find("write");
    // A harness without such a tool has a shell.
    if (!tool) return callFor({ run: writeCommand(at(action.write), action.content) }, offered, workspace);
    return filled(tool, { [keyOf(tool, "path")]: at(action.write), content: action.content });
  }
  if ("edit" in action) {
    const tool = find("edit");
    if (!tool) return callFor({ run: editCommand(at(action.edit), action.from, action.to) }, offered, workspace);
    const path = { [keyOf(tool, "path")]: at(action.edit) };
    if (tool.parameters.properties?.["edits"]) {
      return filled(tool, { ...path, edits: [{ oldText: action.from, newText: action.to }] });
    }
    return filled(tool, { ...path, [keyOf(tool, "from")]: action.from, [keyOf(tool, "to")]: action.to });
  }
  const tool = find("read");
  if (!tool) return callFor({ run: `cat -- '${at(action.read)}'` }, offered, workspace);
  return filled(tool, { [keyOf(tool, "path")]: at(action.read) });
}

function keyOf(tool: ToolOffer, what: keyof typeof parameters): string {
  const key = parameters[what].find((name) => tool.parameters.properties?.[name] !== undefined);
  if (key === undefined) throw new Error(`the tool ${tool.name} has no parameter for ${what}`);
  return key;
}

/** With what else the schema requires, such as a description of the command. */
function filled(tool: ToolOffer, known: Record<string, unknown>): ToolCall {
  const more: Record<string, unknown> = {};
  for (const name of tool.parameters.required ?? []) {
    if (name in known) continue;
    const { type, enum: choices } = tool.parameters.properties?.[name] ?? {};
    const word = String(type).toLowerCase();
    more[name] = choices?.[0] ?? (word === "boolean" ? false : /^(?:number|integer)$/.test(word) ? 1 : "as asked");
  }
  return { name: tool.name, arguments: { ...more, ...known } };
}

function writeCommand(path: string, content: string): string {
  const encoded = Buffer.from(content, "utf8").toString("base64");
  return `mkdir -p '${posix.dirname(path)}' && printf %s ${encoded} | base64 -d > '${path}'`;
}

function editCommand(path: string, from: string, to: string): string {
  const [file, old, next] = [path, from, to].map((text) => Buffer.from(text, "utf8").toString("base64"));
  const program =
    'const [f,a,b]=process.argv.slice(1).map((t)=>Buffer.from(t,"base64").toString());' +
    'const fs=require("fs"),t=fs.readFileSync(f,"utf8");if(!t.includes(a))process.exit(1);fs.writeFileSync(f,t.replace(a,()=>b))';
  return `node -e '${program}' ${file} ${old} ${next}`;
}
