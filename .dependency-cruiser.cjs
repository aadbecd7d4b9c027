// The import laws of the house: arrows run down the floors, floors' folders do not know each other, and each
// third-party library has one importing folder. `make check` runs it; test/build/floors.test.ts plants a back-arrow.
const floors = [
  ["domain"],
  ["policy", "secrets", "ledger", "client"],
  ["gateway", "worktree", "sandbox"],
  ["gate"],
  ["delegation"],
  ["host"],
  ["mcp", "console"],
  ["cli"],
];

const floorLaws = floors.flatMap((folders, level) =>
  folders.map((folder) => ({
    name: `floor-${level}-${folder}-imports-downwards`,
    comment: `src/${folder} imports from its own folder or a lower floor only`,
    severity: "error",
    from: { path: `^src/${folder}/` },
    to: {
      path: "^src/",
      pathNot: `^src/(${[folder, ...floors.slice(0, level).flat()].join("|")})/`,
    },
  })),
);

const libraryHomes = {
  zod: "domain",
  canonicalize: "domain",
  yaml: "policy",
  "ipaddr.js": "policy",
  dockerode: "sandbox",
  "tar-fs": "sandbox",
  "tar-stream": "sandbox",
  // The gateway's own requests, and the client's to the daemon: docs/decisions/0040.
  undici: "(gateway|client)",
  "@peculiar/x509": "gateway",
  "reflect-metadata": "gateway",
  "fast-xml-parser": "gate",
  fastify: "host",
  "@fastify/swagger": "host",
  "fastify-type-provider-zod": "host",
  "csv-stringify": "host",
  pino: "host",
  "prom-client": "host",
  commander: "cli",
  preact: "console",
  "preact-render-to-string": "console",
  "string-width": "cli",
  "@modelcontextprotocol/server": "mcp",
  "@modelcontextprotocol/node": "mcp",
};

const libraryLaws = Object.entries(libraryHomes).map(([library, home]) => ({
  name: `${library}-only-in-${home}`,
  comment: `${library} is imported in src/${home} only; the rest of the house sees an interface of ours`,
  severity: "error",
  from: { path: "^src/", pathNot: `^src/${home}/` },
  to: { path: `node_modules/${library}/` },
}));

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-unresolved", severity: "error", from: {}, to: { couldNotResolve: true } },
    // The console's pages are bundled with their library when the package is built: nothing of them is resolved at run time.
    { name: "no-dev-libraries", severity: "error", from: { path: "^src/", pathNot: "^src/console/(app|view)/" }, to: { dependencyTypes: ["npm-dev", "npm-no-pkg"], dependencyTypesNot: ["type-only"] } },
    {
      name: "tests-stay-outside",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench)/" },
    },
    {
      name: "pages-know-types-only",
      comment: "what runs in a browser takes types of src/domain, and of values only what has no library and no Node in it",
      severity: "error",
      from: { path: "^src/console/(app|view)/" },
      to: {
        path: "^src/",
        pathNot: "^src/(console/(app/|view/|console\\.css)|domain/show-amount\\.ts$|gate/show-text\\.ts$)",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "pages-have-one-library",
      comment: "a page's bundle is small and nobody else's: preact",
      severity: "error",
      from: { path: "^src/console/(app|view)/" },
      to: { path: "node_modules/", pathNot: "node_modules/preact(-render-to-string)?/" },
    },
    {
      name: "pages-stay-in-the-bundle",
      comment: "Node cannot load .tsx: the host sees the pages as built files",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/console/(app|view)/" },
      to: { path: "^src/console/(app|view)/", dependencyTypesNot: ["type-only"] },
    },
    ...floorLaws,
    ...libraryLaws,
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default", "types"] },
  },
};
