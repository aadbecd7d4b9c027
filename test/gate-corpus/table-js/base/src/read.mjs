/** Rows of text out of comma-separated values. Fields may be quoted, with quotes doubled inside. */
export function readRows(text) {
  const rows = [];
  let row = [];
  let field = "";
  let quoted = false;
  let began = false;
  const endField = () => {
    row.push(field);
    field = "";
    began = false;
  };
  const endRow = () => {
    endField();
    rows.push(row);
    row = [];
  };
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted) {
      if (letter !== '"') field += letter;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"' && field === "") {
      quoted = true;
      began = true;
    } else if (letter === ",") endField();
    else if (letter === "\n") endRow();
    else if (letter !== "\r" || text[at + 1] !== "\n") field += letter;
  }
  if (quoted) throw new SyntaxError("a quoted field has no end");
  if (field !== "" || began || row.length > 0) endRow();
  return rows;
}
