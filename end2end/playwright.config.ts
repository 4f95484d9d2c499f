import { defineConfig } from "@playwright/test";
import { CHROMIUM_FLAGS } from "./chromium.ts";

// Every worker has a gateway, a fake backend and a Chromium of its own, so tests of different files do not meet.
export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  reporter: "list",
  workers: 2,
  retries: 0,
  forbidOnly: true,
  // Deadlines, and no measure of anything: two cores under load take their time to start a gateway or to hash a password.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  use: {
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    actionTimeout: 30_000,
    navigationTimeout: 30_000,
    trace: "retain-on-failure",
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: CHROMIUM_FLAGS },
  },
});
