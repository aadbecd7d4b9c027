import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The corpus' repositories have tests of their own, some of them broken on purpose.
    exclude: ["**/node_modules/**", "test/gate-corpus/*/**"],
    // What the host knows may be in nothing that the tests leave or throw away.
    globalSetup: ["test/canary/run.ts"],
    setupFiles: ["test/canary/before-removal.ts", "test/seed.ts"],
    pool: "forks",
    // Sandboxes, loop mounts and git share two cores on a small server: two files at a time.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    reporters: ["default"],
  },
});
