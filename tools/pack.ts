/**
 * Makes the package: `node tools/pack.ts [DIRECTORY]` leaves `sallyport-<version>.tgz` there. What goes in is put together in a folder of
 * its own, because the checkout's package.json is private (nobody publishes a checkout with its tests by mistake) and because
 * a package is run compiled: Node strips no types below a `node_modules`.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const house = join(import.meta.dirname, "..");

interface Lock {
  packages: Record<string, { dev?: boolean; devOptional?: boolean; devDependencies?: unknown }>;
}

/** Puts the package's content into an empty folder. */
function stage(into: string): void {
  const dist = join(into, "dist");
  const tsc = join(house, "node_modules/.bin/tsc");
  execFileSync(tsc, ["-p", join(house, "tsconfig.build.json"), "--outDir", dist], { stdio: ["ignore", 2, 2] });
  // What the source reads beside itself, such as a sandbox's hosts file.
  for (const path of readdirSync(join(house, "src"), { recursive: true, encoding: "utf8" })) {
    const from = join(house, "src", path);
    if (/\.[cm]?[jt]sx?$/.test(path) || !statSync(from).isFile() || /^console\/(ui|web)\//.test(path)) continue;
    mkdirSync(dirname(join(dist, path)), { recursive: true });
    cpSync(from, join(dist, path));
  }
  // The console's bundle, where it was built.
  if (existsSync(join(house, "dist/console"))) cpSync(join(house, "dist/console"), join(dist, "console"), { recursive: true });
  for (const name of ["bin", "images", "policies", "packaging", "docs", "README.md", "SPECIFICATION.md", "CHANGELOG.md", "LICENSE"]) {
    const from = join(house, name);
    if (!existsSync(from)) continue;
    const filter = (path: string) => !/(^|\/)(node_modules|decisions)$/.test(path.slice(house.length));
    cpSync(from, join(into, name), { recursive: true, filter });
  }
  keepSettings(join(into, "images"));
  mkdirSync(join(into, "packaging/man"), { recursive: true });
  const man = execFileSync(process.execPath, [join(house, "src/cli/main.ts"), "man"], { encoding: "utf8" });
  writeFileSync(join(into, "packaging/man/sallyport.1"), man);
  const { private: _private, devDependencies: _dev, ...manifest } = JSON.parse(
    readFileSync(join(house, "package.json"), "utf8"),
  ) as Record<string, unknown>;
  const files = ["bin", "dist", "images", "policies", "packaging", "docs", "SPECIFICATION.md", "CHANGELOG.md", "npm-shrinkwrap.json"];
  writeFileSync(join(into, "package.json"), `${JSON.stringify({ ...manifest, files, man: ["packaging/man/sallyport.1"] }, null, 2)}\n`);
  writeFileSync(join(into, "npm-shrinkwrap.json"), `${JSON.stringify(shrinkwrap(), null, 2)}\n`);
}

/** npm leaves every `.npmrc` out of a package, whatever it is told. An image's stands there as `npmrc`, which the build of images knows. */
function keepSettings(images: string): void {
  for (const name of readdirSync(images)) {
    const settings = join(images, name, ".npmrc");
    if (existsSync(settings)) renameSync(settings, join(images, name, "npmrc"));
  }
}

/** The lockfile without what only development needs: whoever installs the package gets the libraries that it was tested with. */
function shrinkwrap(): Lock {
  const lock = JSON.parse(readFileSync(join(house, "package-lock.json"), "utf8")) as Lock;
  const kept = Object.entries(lock.packages).filter(([, { dev, devOptional }]) => !dev && !devOptional);
  lock.packages = Object.fromEntries(
    kept.map(([path, entry]) => {
      const { devDependencies: _dev, ...rest } = entry;
      return [path, rest];
    }),
  );
  return lock;
}

const target = resolve(process.argv[2] ?? house);
const folder = join(house, ".cache", `package-${process.pid}`);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
try {
  stage(folder);
  mkdirSync(target, { recursive: true });
  const said = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", target], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 ** 2,
  });
  const [packed] = Object.values(JSON.parse(said) as Record<string, { filename: string; size: number; entryCount: number }>);
  if (!packed) throw new Error("npm pack said nothing");
  process.stdout.write(`${join(target, packed.filename)}\n`);
  process.stderr.write(`package: ${packed.entryCount} files, ${(packed.size / 1e6).toFixed(1)} MB\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
