/**
 * From `delegate` to the harness's first request to its model, for each coding CLI: admission, base tree, layer, lane,
 * sandbox, and the harness's own start. Beside it the same image's smoke test under a plain `docker run`.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadHarness } from "../src/sandbox/images/harness.ts";
import { openModelHost } from "../test/e2e/harness-model.ts";
import { type Figure, sideBySide } from "./measure.ts";

const harnesses = ["pi", "codex", "claude-code", "opencode", "gemini", "qwen"];
const folders = join(import.meta.dirname, "../images");

export async function harnessFigures(): Promise<Figure[]> {
  const rig = await openModelHost({ images: harnesses });
  try {
    const figures: Figure[] = [];
    for (const name of harnesses) {
      const { smoke } = await loadHarness(name, folders);
      // qwen takes more than 2 GiB for a moment.
      const policy = name === "qwen" ? "coding-large" : "coding";
      let image = "";
      const first = async () => {
        let asked: (at: number) => void = () => {};
        const heard = new Promise<number>((resolve) => {
          asked = resolve;
        });
        const begun = performance.now();
        const { id } = await rig.begin(
          () => {
            asked(performance.now());
            return { text: "Nothing is to be done." };
          },
          { executor: name, policy },
        );
        const at = await Promise.race([
          heard,
          new Promise<number>((resolve) => setTimeout(resolve, 60_000, Number.NaN).unref()),
        ]);
        const { images } = await rig.host.rest(id, 100);
        image = images.executor ?? "";
        if (Number.isNaN(at)) throw new Error(`${name} asked its model nothing within a minute`);
        return at - begun;
      };
      const plain = async () => {
        const begun = performance.now();
        await promisify(execFile)(
          "docker",
          ["run", "--rm", "--network", "none", "--entrypoint", smoke[0] ?? "", image, ...smoke.slice(1)],
          { timeout: 60_000 },
        );
        return performance.now() - begun;
      };
      figures.push(
        await sideBySide(
          {
            name: `delegate to first model request: ${name}`,
            unit: "ms",
            peer: `docker run of its image, ${smoke.at(-1)}`,
            runs: 5,
          },
          first,
          plain,
        ),
      );
    }
    return figures;
  } finally {
    await rig.close();
  }
}
