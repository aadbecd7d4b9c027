/**
 * Progress on standard error. On a terminal: lines that stay, and below them a few that are redrawn in place. Elsewhere:
 * dated lines, one after the other. The cursor is never hidden, so nothing that ends this process can leave it so.
 */
import { canRedraw, clipLine, columnsOf, type Line, render, textOf, widthOf } from "./terminal.ts";
import { clock } from "./when.ts";

export interface Live {
  /** Whether lines are redrawn: what they show need not be said line by line. */
  readonly redraws: boolean;
  /** A line that stays; `time` is when it happened, ISO 8601. */
  line(line: Line, time?: string): void;
  /** Whatever `write` prints elsewhere comes to stand above what is redrawn. */
  above(write: () => void): void;
  /** Takes the redrawn lines away, and draws none again. */
  end(): void;
}

/** How often lines are drawn anew, in milliseconds. */
const pace = 250;

/** Opens it. `region` gives the lines to redraw; `enabled: false` says nothing at all. */
export function openLive(enabled: boolean, region: (now: number) => readonly Line[] = () => []): Live {
  const stream = process.stderr;
  const redraws = enabled && canRedraw(stream);
  const begun = Date.now();
  let drawn: number[] = [];
  let frame = "";
  let over = !redraws;

  // A terminal that was made narrower has wrapped what was drawn: each line then takes more rows than one.
  const rowsAbove = () => {
    const columns = columnsOf(stream) ?? 80;
    const rows = drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return Math.max(0, rows - 1);
  };
  const home = () => (drawn.length === 0 ? "" : `\r${rowsAbove() > 0 ? `\x1b[${rowsAbove()}A` : ""}`);
  const take = () => {
    const text = drawn.length === 0 ? "" : `${home()}\x1b[J`;
    drawn = [];
    frame = "";
    return text;
  };
  const draw = (always: boolean) => {
    if (over) return "";
    const columns = columnsOf(stream) ?? 80;
    // One column stays free: a full line would wrap on some terminals.
    const lines = region(Date.now())
      .slice(0, Math.max(1, (stream.rows || 24) - 1))
      .map((line) => clipLine(line, columns - 1));
    const next = lines.map((line) => render(line, stream)).join("\n");
    if (next === frame && !always) return "";
    const text = `${home()}${next.replaceAll("\n", "\x1b[K\n")}\x1b[K\x1b[J`;
    drawn = next === "" ? [] : lines.map((line) => line.reduce((sum, part) => sum + widthOf(textOf(part)), 0));
    frame = next;
    return next === "" ? "" : text;
  };
  const write = (text: string) => {
    if (text !== "") stream.write(text);
  };
  const redraw = () => write(take() + draw(true));
  const timer = redraws ? setInterval(() => write(draw(false)), pace) : undefined;
  // It alone keeps no process: a command that fails ends.
  timer?.unref();
  if (redraws) stream.on("resize", redraw);
  return {
    redraws,
    line(line, time) {
      if (!enabled) return;
      const when = redraws ? clock(Date.now() - begun).padStart(8) : (time ?? new Date().toISOString());
      write(`${take()}${render([[when, "dim"], "  "], stream)}${render(line, stream)}\n${draw(true)}`);
    },
    above(print) {
      write(take());
      print();
      write(draw(true));
    },
    end() {
      if (over) return;
      over = true;
      clearInterval(timer);
      stream.off("resize", redraw);
      write(take());
    },
  };
}

/**
 * Ctrl-C while waiting: the work goes on, and the caller is told how to look at it and how to stop it. The process then
 * ends by the signal, so that a shell's loop ends too. Gives what takes this back.
 */
export function onInterrupt(live: Live, lines: readonly string[]): () => void {
  const told = () => {
    live.end();
    process.stderr.write(`\n${lines.map((line) => render(line, process.stderr)).join("\n")}\n`);
    process.off("SIGINT", told);
    process.kill(process.pid, "SIGINT");
  };
  process.once("SIGINT", told);
  return () => {
    process.off("SIGINT", told);
  };
}

/** What Ctrl-C says of a delegation, plan or mission. */
export const goesOn = (id: string): string[] => [
  `${id} goes on without you`,
  `  look: sallyport log ${id} -f`,
  `  stop: sallyport stop ${id}`,
];
