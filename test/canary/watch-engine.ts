/** Looks for canaries in what the engine knows: each container as it is made, and the images that a run leaves. */
import type Docker from "dockerode";
import { connectEngine } from "../../src/sandbox/connect.ts";
import type { Search } from "../../src/secrets/search.ts";

export interface EngineWatch {
  /** Looks at the images, ends the watching, and gives what was found and how much was looked at. */
  end(): Promise<{ leaks: string[]; containers: number; gone: number; images: number }>;
}

/** Begins to watch. Rejects where no engine answers. */
export async function watchEngine(search: Search): Promise<EngineWatch> {
  const docker = await connectEngine();
  const before = new Set((await docker.listImages()).map(({ Id }) => Id));
  const leaks: string[] = [];
  const looking = new Set<Promise<void>>();
  let containers = 0;
  let gone = 0;
  const look = (what: string, text: string | Buffer) => {
    const found = search.next(Buffer.from(text as string), 0);
    if (found) leaks.push(`${found.name} in ${what}`);
  };
  const inspect = async (id: string) => {
    try {
      const found = await docker.getContainer(id).inspect();
      containers += 1;
      look(`container ${found.Name} of ${found.Config.Image}`, JSON.stringify(found));
    } catch {
      gone += 1;
    }
  };
  const searchImage = async (image: Docker.Image, name: string) => {
    look(name, JSON.stringify([await image.inspect(), await image.history()]));
    let kept = Buffer.alloc(0);
    for await (const chunk of await image.get()) {
      const bytes = Buffer.concat([kept, chunk as Buffer]);
      look(`the layers of ${name}`, bytes);
      kept = Buffer.from(bytes.subarray(Math.max(0, bytes.length - search.longest + 1)));
    }
  };
  const events = await docker.getEvents({ filters: JSON.stringify({ type: ["container"], event: ["create"] }) });
  let rest = "";
  events.on("data", (chunk: Buffer) => {
    rest += chunk.toString("utf8");
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines.filter(Boolean)) {
      const work = inspect((JSON.parse(line) as { id: string }).id).finally(() => looking.delete(work));
      looking.add(work);
    }
  });
  events.on("error", () => undefined);

  return {
    async end() {
      (events as unknown as { destroy(): void }).destroy();
      await Promise.all(looking);
      const made = (await docker.listImages()).filter(
        ({ Id, RepoTags }) => !before.has(Id) && RepoTags?.some((tag) => tag.startsWith("sallyport/")),
      );
      let images = 0;
      for (const { Id, RepoTags } of made) {
        try {
          await searchImage(docker.getImage(Id), `image ${RepoTags?.[0]}`);
          images += 1;
        } catch (error) {
          // Another run on the same engine may take its own image away meanwhile.
          if ((error as { statusCode?: number }).statusCode !== 404) throw error;
        }
      }
      return { leaks, containers, gone, images };
    },
  };
}
