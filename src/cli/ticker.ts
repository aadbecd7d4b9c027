/** Progress: on a terminal a line that shows elapsed time below what has happened; elsewhere plain lines. */
import { showDuration } from "../domain/units.ts";
import { safe } from "./context.ts";

export interface Ticker {
  line(text: string): void;
  end(): void;
}

/** A ticker on standard error; `enabled: false` says nothing at all. */
export function ticker(enabled: boolean): Ticker {
  const begun = performance.now();
  const terminal = enabled && process.stderr.isTTY === true;
  const clear = () => process.stderr.write("\r\x1b[2K");
  const draw = () => process.stderr.write(`\r\x1b[2K  … ${showDuration(performance.now() - begun)}`);
  const timer = terminal ? setInterval(draw, 500) : undefined;
  return {
    line(text) {
      if (!enabled) return;
      if (terminal) clear();
      process.stderr.write(`${showDuration(performance.now() - begun).padStart(8)}  ${safe(text)}\n`);
    },
    end() {
      clearInterval(timer);
      if (terminal) clear();
    },
  };
}
