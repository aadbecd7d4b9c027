/** What the repository itself shows: the base, the tree that the patch makes of it, and the commit that landed. */
import type { Claim } from "../../domain/proof.ts";
import { runGit } from "../../worktree/git.ts";
import { readRef } from "../../worktree/host-repository.ts";
import type { Quarantine } from "../../worktree/quarantine.ts";
import { attemptsOf } from "./check-decisions.ts";
import { failed, holds, notProvable, proved } from "./claim.ts";
import { treeAfter } from "./patched-tree.ts";
import type { ProofContext } from "./proof-context.ts";
import { linesOf } from "./read-proof.ts";

export async function checkRepository(context: ProofContext): Promise<Claim[]> {
  const { pack, lines, place } = context;
  const claims: Claim[] = [];
  for (const id of pack.subject.delegations) {
    const accepted = linesOf(lines, "delegation.accepted", id)[0]?.data;
    if (!accepted) continue;
    if (!place) {
      claims.push(notProvable(`${id} in the repository`, "no --repo was given"));
      continue;
    }
    claims.push(...(await checkTrees(id, context, place.quarantine)));
    claims.push(...(await checkCommit(id, context, place)));
  }
  return claims;
}

/** base → patch → tree, for each attempt and for what replaced its approval. */
async function checkTrees(id: string, { pack, lines }: ProofContext, quarantine: Quarantine): Promise<Claim[]> {
  const accepted = linesOf(lines, "delegation.accepted", id)[0]?.data;
  if (!accepted) return [];
  const wanted = new Map<string, { base: string; tree: string; patch: string; name: string }>();
  for (const { number, proposal } of attemptsOf(id, lines)) {
    if (!proposal) continue;
    const { tree, patch } = proposal.data.proposal;
    wanted.set(`${accepted.base} ${tree}`, { base: accepted.base, tree, patch, name: `${id} attempt ${number}` });
  }
  for (const { data } of linesOf(lines, "delegation.approved", id)) {
    const { base, tree, patch } = data.predicate;
    if (!wanted.has(`${base} ${tree}`))
      wanted.set(`${base} ${tree}`, { base, tree, patch, name: `approval ${data.digest.slice(0, 12)}` });
  }
  const claims: Claim[] = [];
  const absent = new Set<string>();
  for (const { base, tree, patch, name } of wanted.values()) {
    const from = await quarantine.treeOf(base).catch(() => undefined);
    if (from === undefined) {
      // A part of a plan may start from what other parts made, which never was in the repository.
      const why = `the base ${base.slice(0, 12)} is not in this repository`;
      if (!absent.has(base))
        claims.push(accepted.plan?.brief ? notProvable(`${id} base`, why) : failed(`${id} base`, why));
      absent.add(base);
      continue;
    }
    const text = pack.patches[patch];
    if (text === undefined) {
      claims.push(
        notProvable(`${name} tree`, "the pack has not its patch: the host kept it no more, or it was too large"),
      );
      continue;
    }
    const made = await treeAfter(quarantine, from, Buffer.from(text, "base64"));
    claims.push(
      holds(
        `${name} tree`,
        made === tree ? undefined : `its patch makes ${made} of the base, and not ${tree}`,
        `its patch makes ${tree} of the base`,
      ),
    );
  }
  return claims;
}

async function checkCommit(
  id: string,
  { lines }: ProofContext,
  place: NonNullable<ProofContext["place"]>,
): Promise<Claim[]> {
  const { quarantine, repository } = place;
  const landed = linesOf(lines, "delegation.landed", id).at(-1);
  const approval = linesOf(lines, "delegation.approved", id).findLast(({ seq }) => seq < (landed?.seq ?? 0));
  if (!landed || !approval) return [];
  const { commit, ref } = landed.data;
  const { predicate, digest, attempt } = approval.data;
  const name = `commit ${commit.slice(0, 12)}`;
  const found = await runGit(["cat-file", "commit", commit], { gitDir: quarantine.gitDir, accept: [0, 128] });
  if (found.code !== 0) return [failed(name, "it is not in this repository")];
  const text = found.stdout.toString("utf8");
  const cut = text.indexOf("\n\n");
  const head = text.slice(0, cut).split("\n");
  const message = text.slice(cut + 2);
  const of = (key: string) =>
    head.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1));
  const seconds = Math.floor(Date.parse(predicate.issued) / 1000);
  const same = (claim: string, is: boolean, why: string, problem: string) =>
    holds(`${name} ${claim}`, is ? undefined : problem, why);
  const claims = [
    same(
      "tree",
      of("tree")[0] === predicate.tree,
      "it is the approved tree",
      `it is ${of("tree")[0]}, approved was ${predicate.tree}`,
    ),
    same(
      "parent",
      of("parent").includes(predicate.base),
      "it stands on the approved base",
      `it stands on ${of("parent").join(", ")}`,
    ),
    same(
      "author",
      of("author").every((a) => a.startsWith("Sallyport ")) && of("author")[0] === of("committer")[0],
      of("author")[0] ?? "",
      `it is ${of("author")[0]}`,
    ),
    same(
      "date",
      of("author")[0]?.endsWith(`> ${seconds} +0000`) === true,
      "it is that of the approval",
      `it is not ${predicate.issued}`,
    ),
  ];
  const last = message.trimEnd().split("\n\n").at(-1)?.split("\n") ?? [];
  const trailers = [
    ["Sallyport-Delegation", `${id} attempt ${attempt}`],
    ["Sallyport-Approval", `sha256:${digest}`],
    ["Sallyport-Verifier", `${predicate.verifier.harness} ${predicate.verifier.image}`],
  ] as const;
  for (const [key, value] of trailers) {
    const said = last.filter((line) => line.toLowerCase().startsWith(`${key.toLowerCase()}:`));
    const is = said.length === 1 && said[0] === `${key}: ${value}`;
    claims.push(same(key, is, value, `it says ${JSON.stringify(said.slice(0, 3))}`));
  }
  const at = await readRef(repository, ref).catch(() => null);
  const holdsIt = at !== null && (at === commit || (await quarantine.isAncestor(commit, at).catch(() => false)));
  claims.push(
    holdsIt
      ? proved(`${name} on ${ref}`, "the branch holds it")
      : notProvable(`${name} on ${ref}`, "the branch does not hold it now: it was moved or removed since"),
  );
  return claims;
}
