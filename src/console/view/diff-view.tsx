/** A patch as a reader of code reviews knows it: unified, with both line numbers, and what was said at its lines. */
import { Badge, counted } from "./parts.tsx";
import { type DiffFile, type DiffRow, readPatch } from "./patch.ts";
import { Jump, useAnchor } from "./place.tsx";
import type { Remark } from "./remarks.ts";
import { Text } from "./text.tsx";

/** Lines of one file that are shown open, and of the whole diff at all. */
const openLines = 400;
const mostLines = 12_000;

const signs = { hunk: "", context: " ", added: "+", removed: "−", note: "" } as const;
const words = { hunk: "", context: "", added: "added", removed: "removed", note: "" } as const;

interface DiffProps {
  /** Whose diff it is, such as `attempt 1`. */
  of: string;
  /** Of the page's anchors. */
  id: string;
  text: string;
  cut: boolean;
  remarks: readonly Remark[];
}

/** The files of a patch, a list of them first. */
export function DiffView({ of, id, text, cut, remarks }: DiffProps) {
  const files = readPatch(text);
  if (files.length === 0) return <p class="none">The patch is empty.</p>;
  let room = mostLines;
  const shown = files.map((file) => {
    const rows = file.rows.slice(0, Math.max(0, room));
    room -= rows.length;
    return { file, rows };
  });
  const hasFile = new Set(files.map(({ path }) => path));
  const homeless = remarks.filter(({ path }) => !hasFile.has(path));
  return (
    <div class="diff">
      <nav aria-label={`Files of the diff of ${of}`}>
        <ul class="files">
          {files.map((file, index) => (
            <li key={file.path}>
              <Jump to={`${id}-${index}`}>
                <Text>{file.path}</Text>
              </Jump>
              <Figures file={file} />
            </li>
          ))}
        </ul>
      </nav>
      {shown.map(({ file, rows }, index) => (
        <FileView
          key={file.path}
          id={`${id}-${index}`}
          file={file}
          rows={rows}
          remarks={remarks.filter(({ path }) => path === file.path)}
        />
      ))}
      {homeless.map((remark) => (
        <RemarkBox key={`${remark.head}${remark.path}${remark.line}`} remark={remark} place />
      ))}
      {cut ? <p class="none">Only the beginning is shown: `sallyport diff` writes the whole patch.</p> : null}
    </div>
  );
}

function Figures({ file }: { file: DiffFile }) {
  return (
    <span class="change">
      {file.change === "modified" ? null : <Badge tone={file.change === "added" ? "good" : "bad"}>{file.change}</Badge>}{" "}
      <span class="plus">+{file.added}</span> <span class="minus">−{file.removed}</span>
    </span>
  );
}

interface FileProps {
  id: string;
  file: DiffFile;
  rows: readonly DiffRow[];
  remarks: readonly Remark[];
}

function FileView({ id, file, rows, remarks }: FileProps) {
  const anchor = useAnchor();
  const left = file.rows.length - rows.length;
  const at = (row: DiffRow) =>
    remarks.filter(({ old, line }) => (old ? row.kind === "removed" && line === row.old : line === row.new));
  const shownAt = new Set(rows.flatMap(at));
  return (
    <details class="file" id={anchor(id)} open={file.rows.length <= openLines || shownAt.size > 0}>
      <summary>
        <Text>{file.path}</Text> <Figures file={file} />
      </summary>
      <table>
        <caption class="unseen">
          Changes of <Text>{file.path}</Text>
        </caption>
        <colgroup>
          <col class="number" />
          <col class="number" />
          <col class="sign" />
          <col />
        </colgroup>
        <thead class="unseen">
          <tr>
            <th scope="col">Line in the base</th>
            <th scope="col">Line in the result</th>
            <th scope="col">Change</th>
            <th scope="col">Text</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <RowView key={index} row={row} remarks={at(row)} />
          ))}
        </tbody>
      </table>
      {remarks
        .filter((remark) => !shownAt.has(remark))
        .map((remark) => (
          <RemarkBox key={`${remark.head}${remark.line}`} remark={remark} place />
        ))}
      {left > 0 ? <p class="none">{counted(left, "more line")}: `sallyport diff` shows the whole patch.</p> : null}
    </details>
  );
}

function RowView({ row, remarks }: { row: DiffRow; remarks: readonly Remark[] }) {
  return (
    <>
      <tr class={row.kind}>
        <td class="number">{row.old}</td>
        <td class="number">{row.new}</td>
        <td class="sign">
          <span aria-hidden="true">{signs[row.kind]}</span>
          <span class="unseen">{words[row.kind]}</span>
        </td>
        <td class="code">
          <Text>{row.text}</Text>
        </td>
      </tr>
      {remarks.map((remark) => (
        <tr key={`${remark.head}${remark.text}`} class="remark">
          <td colSpan={3} />
          <td>
            <RemarkBox remark={remark} />
          </td>
        </tr>
      ))}
    </>
  );
}

function RemarkBox({ remark, place = false }: { remark: Remark; place?: boolean }) {
  return (
    <div class={`remark-box ${remark.tone}`}>
      <strong>
        <Text>{remark.head}</Text>
        {place ? <Text>{` at ${remark.path}:${remark.line}`}</Text> : null}
      </strong>
      {remark.text.split("\n").map((line, index) => (
        <p key={index}>
          <Text>{line}</Text>
        </p>
      ))}
    </div>
  );
}
