/** The scripted executor: sections by attempt, in the image and out of it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { image, imagesDirectory, run, scratch } from "./engine.ts";

const { scriptFor } = (await import(join(imagesDirectory, "scripted/files/sections.mjs"))) as {
  scriptFor: (instructions: string, attempt: number, name?: string) => string;
};

describe("the section of an attempt", () => {
  const script = "common\n#!attempt 1\nfirst\n#!attempt 3\nthird\n";
  it.each([
    [1, "common\nfirst\n"],
    [2, "common\nfirst\n"],
    [3, "common\nthird\n\n"],
    [9, "common\nthird\n\n"],
  ])("%i", (attempt, expected) => expect(scriptFor(script, attempt)).toBe(expected));
  it("of a name runs where it is asked for, and only there", () => {
    const mission = "c\n#!attempt 1\na\n#!report\nr";
    expect(scriptFor(mission, 1, "report")).toBe("c\nr\n");
    expect(scriptFor(mission, 2)).toBe("c\na\n");
    expect(scriptFor("a", 1, "report")).toBe("");
  });
  it("is all lines where there are no sections", () => expect(scriptFor("a\nb", 2)).toBe("a\nb\n"));
  it("is the common lines before the first section", () => expect(scriptFor("a\n#!attempt 2\nb", 1)).toBe("a\n"));
});

describe("the image", () => {
  let digest: string;
  let folder: ReturnType<typeof scratch>;
  beforeAll(async () => {
    digest = (await image("scripted")).digest;
  }, 300_000);
  beforeEach(() => {
    folder = scratch();
  });
  afterEach(() => folder.drop());

  const execute = async (instructions: string, attempt: number): ReturnType<typeof run> => {
    const brief = join(folder.path, "brief");
    mkdirSync(brief);
    writeFileSync(
      join(brief, "brief.json"),
      JSON.stringify({ title: "A title", instructions, accept: [], writable: [], attempt, attempts: 3, feedback: [] }),
    );
    const command = ["/opt/sallyport/entry", "node", "/opt/scripted/run.mjs", "the prompt"];
    return run(digest, command, { binds: [`${brief}:/brief:ro`], directory: "/tmp" });
  };

  it("runs the attempt's section in the current directory and echoes each command", async () => {
    const done = await execute("name=a.txt\n#!attempt 1\nexit 9\n#!attempt 2\necho hello > $name\ncat $name\npwd\n", 2);
    expect(done.exit).toBe(0);
    expect(done.output.split("\n")).toEqual(
      expect.arrayContaining(["scripted: A title: attempt 2 of 3", "$ echo hello", "$ cat a.txt", "hello", "/tmp"]),
    );
  });

  it("ends as the script ends", async () => {
    expect((await execute("exit 9\n", 1)).exit).toBe(9);
  });

  it("ends with 128 and the signal when the script was killed", async () => {
    expect((await execute("kill -9 $$\n", 1)).exit).toBe(137);
  });
});
