/** Collecting 500 changes out of a layer, against `git add -A && git diff --cached` of the same tree. */
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layerInodes } from "../src/gate/clean-tree.ts";
import { sandboxOwner } from "../src/sandbox/engine.ts";
import { ensureBaseTree } from "../src/worktree/base-tree.ts";
import { collectLayer } from "../src/worktree/collect.ts";
import { openHostRepository, resolveCommit } from "../src/worktree/host-repository.ts";
import { createLayer, destroyLayer, freezeLayer, openWorkspace, sweepMounts } from "../src/worktree/layer.ts";
import { openQuarantine } from "../src/worktree/quarantine.ts";
import { type Figure, sideBySide, timed } from "./measure.ts";

const GiB = 1024 ** 3;
const changes = 500;

const git = (directory: string, ...args: string[]) =>
  execFileSync("git", ["-c", "user.name=Bench", "-c", "user.email=bench@localhost", "-C", directory, ...args], {
    maxBuffer: GiB,
    stdio: ["ignore", "pipe", "ignore"],
  });

const pathOf = (file: number) => `dir${Math.floor(file / 100)}/sub${Math.floor(file / 10) % 10}/file${file}.txt`;

async function makeRepository(directory: string, files: number): Promise<void> {
  for (let file = 0; file < files; file++) {
    const path = join(directory, pathOf(file));
    if (file % 10 === 0) await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, `file ${file}\n${"some text that is there\n".repeat(20)}`);
  }
  execFileSync("git", ["init", "-q", "-b", "main", directory]);
  git(directory, "add", "-A");
  git(directory, "commit", "-q", "-m", "base");
}

async function change(directory: string, files: number, round: number): Promise<void> {
  for (let i = 0; i < changes; i++) {
    const file = Math.floor((i * files) / changes);
    await writeFile(join(directory, pathOf(file)), `changed ${file} in round ${round}\n${"other text\n".repeat(20)}`);
  }
}

export async function collectFigures(files: number): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  const at = (name: string) => join(directory, name);
  try {
    await makeRepository(at("repository"), files);
    const repository = await openHostRepository(at("repository"));
    const { commit } = await resolveCommit(repository, "main");
    const quarantine = await openQuarantine({ directory: at("quarantine"), repository });
    const visible = () => true;
    const base = await ensureBaseTree({
      quarantine,
      directory: at("trees"),
      commit,
      visible,
      visibleKey: "all",
      owner: sandboxOwner,
    });
    await mkdir(at("lane"));
    await cp(at("repository"), at("plain"), { recursive: true });

    let round = 0;
    const ours = async () => {
      round++;
      const layer = await createLayer({
        directory: at("lane"),
        name: `layer${round}`,
        bytes: GiB,
        inodes: layerInodes,
        owner: sandboxOwner,
      });
      try {
        const workspace = await openWorkspace({ lowers: [base.files], layer, target: at(`lane/workspace${round}`) });
        await change(workspace.target, files, round);
        const frozen = await freezeLayer(workspace);
        return await timed(async () => {
          const collected = await collectLayer({
            quarantine,
            base,
            layer: frozen,
            lowers: [base.files],
            visible,
            ref: `bench/${round}`,
            limits: { entries: layerInodes, bytes: GiB, fileBytes: GiB },
            commit: { message: "bench\n", author: { name: "Bench", email: "bench@localhost" }, date: new Date(0) },
          });
          if (!collected.ok || collected.changes.length !== changes)
            throw new Error(`collected otherwise: ${JSON.stringify(collected).slice(0, 300)}`);
          const patch = await quarantine.patch(base.tree, collected.tree, GiB);
          if (!patch.ok) throw new Error("no patch");
        });
      } finally {
        await destroyLayer(layer);
      }
    };
    const theirs = async () => {
      git(at("plain"), "reset", "-q", "--hard");
      await change(at("plain"), files, ++round);
      return timed(async () => {
        git(at("plain"), "add", "-A");
        git(at("plain"), "diff", "--cached");
      });
    };
    return [
      await sideBySide(
        {
          name: `collecting ${changes} changes and their patch, ${files} files`,
          unit: "ms",
          peer: "git add -A && git diff --cached",
          runs: 7,
        },
        ours,
        theirs,
      ),
    ];
  } finally {
    await sweepMounts(directory);
    await rm(directory, { recursive: true, force: true });
  }
}
