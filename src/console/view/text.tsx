/**
 * Texts that a sandbox, a model or a repository wrote: never markup, and not able to turn what is beside them. What is hidden
 * in them was made visible where they came in (`shown`).
 */

/** Characters of one line before it is clipped. */
const mostLine = 240;

/** Such a text. `bdi`: letters that run from right to left reorder nothing outside it. */
export function Text({ children }: { children: string }) {
  return <bdi>{children}</bdi>;
}

/** Such a text as code. */
export function Code({ children }: { children: string }) {
  return (
    <code>
      <Text>{children}</Text>
    </code>
  );
}

/** A text of any length: one line of it, and the whole of it for whoever opens it. */
export function Clip({ children, code = false }: { children: string; code?: boolean }) {
  const isLong = children.length > mostLine || children.includes("\n");
  if (!isLong) return code ? <Code>{children}</Code> : <Text>{children}</Text>;
  const first = (children.split("\n", 1)[0] ?? "").slice(0, mostLine).toWellFormed();
  return (
    <details class="clip">
      <summary>
        <Text>{`${first} …`}</Text>
      </summary>
      <pre>
        <Text>{children}</Text>
      </pre>
    </details>
  );
}

/** Names that are shown open; of more, the number is, and all of them for whoever opens it. */
const openNames = 12;

/** A list of names, or what stands for none. */
export function Names({ names, none }: { names: readonly string[]; none: string }) {
  if (names.length === 0) return <>{none}</>;
  const list = (
    <ul class="plain">
      {names.map((name, index) => (
        <li key={index}>
          <Clip code>{name}</Clip>
        </li>
      ))}
    </ul>
  );
  if (names.length <= openNames) return list;
  return (
    <details>
      <summary>{`${names.length}, such as ${names[0]}`}</summary>
      {list}
    </details>
  );
}

/** A digest or an object id: its beginning, and the whole of it to be copied. */
export function Digest({ children, length = 12 }: { children: string; length?: number }) {
  if (children.length <= length + 8) return <Code>{children}</Code>;
  const bare = children.replace(/^sha256:/, "");
  return (
    <details class="digest">
      <summary aria-label={`${bare.slice(0, length)}, show whole`}>
        <Code>{bare.slice(0, length)}</Code>
      </summary>
      <Code>{children}</Code>
    </details>
  );
}

/** A moment: the ledger's time is UTC, and so is this. */
export function Time({ children, date = true }: { children: string; date?: boolean }) {
  const shown = children.replace("T", " ").replace(/(\.\d+)?Z$/, "");
  return <time dateTime={children}>{date ? shown : shown.slice(11)}</time>;
}
