// From the set-up link to the first streamed answer, with everything typed and clicked counted.

import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { MODELS, NOBODY, NOWHERE, expect, test } from "../fixtures.ts";
import { SetupPage } from "../pages/setup.ts";

const PASSWORD = "a long enough password";
const EXAMPLES = ["curl", "Python requests", "ollama (Python)", "ollama (JavaScript)", "openai", "lollms-client"];

test.use({ storageState: NOBODY });

test("where an Ollama answers, two fields and three clicks lead to a streamed answer", async ({ page, start, startFake }) => {
  const fake = await startFake("--chunks", "5");
  const fortress = await start({ OLLAMA_SERVERS: fake.url });
  const setup = new SetupPage(page);
  await setup.open(await fortress.setupLink());
  expect(page.url(), "the token leaves the address").toBe(`${fortress.url}/admin/setup`);

  await setup.createAdmin(PASSWORD);
  for (const model of MODELS) await expect(setup.offer(fake.url)).toContainText(model);
  await setup.takeOffer(fake.url);
  const key = await setup.createKey();
  expect(setup.fields).toBeLessThanOrEqual(2);
  expect(setup.clicks).toBeLessThanOrEqual(3);

  for (const title of EXAMPLES) {
    const code = await setup.example(title);
    for (const part of [fortress.url, key, MODELS[0]]) expect(code, title).toContain(part);
    const printed = await runExample(title, code);
    expect(printed, `what the example of ${title} prints`).toContain(title === "curl" ? '"response":" because"' : "The sky is blue because");
  }

  // What the page shows is pasted as it is; the answer comes while the backend still holds the rest of it.
  await fake.hold();
  await fake.release();
  const code = (await setup.example("curl")).replace(/^curl /, "curl --silent --no-buffer ");
  const { PATH } = process.env;
  const running = promisify(execFile)("sh", ["-c", code], { env: { PATH } });
  const first = await new Promise<string>((resolve) => running.child.stdout!.once("data", resolve));
  expect(JSON.parse(first)).toMatchObject({ response: "The", done: false });
  await fake.open();
  const lines = (await running).stdout.trim().split("\n").map((line) => JSON.parse(line));
  expect(lines).toHaveLength(6);
  expect(lines[5]).toMatchObject({ done: true, eval_count: 5 });
});

/** Runs an example as it is pasted, with the client it names; what it prints. An exit other than 0 is an error. */
async function runExample(title: string, code: string) {
  const home = test.info().outputPath("home");
  await mkdir(home, { recursive: true });
  const options = { env: { PATH: process.env.PATH, HOME: home }, cwd: home, timeout: 60_000 };
  const run = async (command: string, ...args: string[]) => (await promisify(execFile)(command, args, options)).stdout;
  if (title === "curl") return run("sh", "-c", code);
  if (title === "ollama (JavaScript)") {
    // Below end2end, so that its node_modules are found.
    const file = test.info().outputPath("example.mjs");
    await writeFile(file, code);
    return run(process.execPath, file);
  }
  const python = process.env.FORTRESS_PYTHON;
  if (!python) throw new Error("FORTRESS_PYTHON must name a Python with the packages of clients/requirements.txt; `cargo xtask test` sets it");
  return run(python, "-c", code);
}

test("where none answers, a typed address does, within five fields and six clicks", async ({ page, start, startFake, problems }) => {
  problems.allow(/Failed to load resource/);
  const fake = await startFake();
  const fortress = await start();
  const setup = new SetupPage(page);
  await setup.open(await fortress.setupLink());
  await setup.createAdmin(PASSWORD);

  // A wrong address first: it says what is wrong and keeps what was typed.
  await setup.tryAddress(NOWHERE);
  // Beside the field: what is offered above may say the same of another address.
  const address = page.getByLabel("Address", { exact: true });
  await expect(address).toHaveAccessibleDescription(/Connection refused: nothing listens at this port/);
  await expect(address).toHaveValue(NOWHERE);

  await setup.tryAddress(fake.url);
  await setup.expectKeyStep();
  await setup.createKey();
  expect(setup.fields).toBeLessThanOrEqual(5);
  expect(setup.clicks).toBeLessThanOrEqual(6);

  await page.getByRole("link", { name: "Go to the dashboard" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Dashboard" })).toBeVisible();
});

test("a used link is refused and says how to get another", async ({ page, browser, start, problems }) => {
  const fortress = await start();
  const link = await fortress.setupLink();
  const setup = new SetupPage(page);
  await setup.open(link);
  const stranger = await problems.newContext(browser);
  const other = await stranger.newPage();
  await other.goto(link);
  await expect(other.getByText("This set-up link is not valid any more.")).toBeVisible();
  await expect(other.getByLabel("Password", { exact: true })).toHaveCount(0);
  await stranger.close();
});

test("a reload goes on where the set-up stopped", async ({ page, start }) => {
  const fortress = await start();
  const setup = new SetupPage(page);
  await setup.open(await fortress.setupLink());
  await setup.createAdmin(PASSWORD);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Your first backend" })).toBeVisible();
});
