// Models on their way to backends: followed without a reload, cancelled, failed and tried again, kept on some backends, with
// and without JavaScript, wide and narrow.

import type { Page } from "@playwright/test";
import { ADMIN, type Fake, type Fortress, expect, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { PullsPage } from "../pages/pulls.ts";

// A gateway of its own: the worker's backends are other tests' too.
const fleet = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };

const progress = (completed: number) => `{"status":"pulling 6a","digest":"sha256:6a0746a1ec1a00","total":4000000000,"completed":${completed}}\n`;
const LINES = ['{"status":"pulling manifest"}\n', progress(0), progress(1_000_000_000), '{"status":"verifying sha256 digest"}\n', '{"status":"success"}\n'];

/** Adds a backend and waits until the gateway knows it. */
async function add(fortress: Fortress, name: string, fake: Fake) {
  await fortress.run("backend", "add", "--name", name, "--url", fake.url);
  const state = async () => {
    const rows = JSON.parse(await fortress.run("backend", "list", "--json")) as { name: string; state: string }[];
    return rows.find((row) => row.name === name)?.state;
  };
  await expect.poll(state).toBe("up");
}

async function open(page: Page, url: string, query = "") {
  await page.goto(`${url}/admin/pulls${query}`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
  // Signing in leads to the page without scripts as with them.
  await page.goto(`${url}/admin/pulls${query}`);
  await alive(page);
}

for (const [size, viewport] of Object.entries({ wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } })) {
  test.describe(size, () => {
    test.use({ viewport });

    test("a pull is followed to its end, another is cancelled, and one that fails is tried again", async ({ page, start, startFake }) => {
      const [one, two] = [await startFake("--models", "a:1b"), await startFake("--models", "a:1b")];
      const fortress = await start(fleet);
      await add(fortress, "gpu-1", one);
      await add(fortress, "gpu-2", two);
      const app = new App(page);
      const pulls = new PullsPage(page);
      const [backend] = JSON.parse(await fortress.run("backend", "list", "--json")) as { id: string }[];
      await open(page, fortress.url, `?model=qwen3:8b&backend=${backend.id}`);
      await app.expectPage("Downloads");
      await expect(page.getByText("Nothing is on its way.")).toBeVisible();
      await expect(pulls.form.getByLabel("Model", { exact: true }), "another page asked for it").toHaveValue("qwen3:8b");
      await expect(pulls.form.getByRole("checkbox", { name: /^gpu-1\b/ })).toBeChecked();
      await expect(pulls.form.getByRole("checkbox", { name: /^gpu-2\b/ })).not.toBeChecked();
      await app.mark();
      for (const fake of [one, two]) {
        await fake.script({ pull: LINES });
        await fake.hold();
      }
      await pulls.begin("qwen3:8b", ["gpu-1", "gpu-2"]);
      const first = pulls.pull("qwen3:8b", "gpu-1");
      await expect(first).toContainText("Running");
      await one.release(3);
      await expect(first).toContainText("1.0 GB of 4.0 GB");
      await expect(pulls.bar("qwen3:8b", "gpu-1")).toHaveAttribute("value", "25");
      await first.getByText("1 layer").click();
      await expect(first.getByRole("progressbar", { name: "Layer 6a0746a1ec1a" })).toHaveAttribute("value", "25");
      await one.release(1);
      await expect(first).toContainText("Verifying");
      await expect(first.getByRole("progressbar", { name: "Layer 6a0746a1ec1a" }), "what was opened stays open").toBeVisible();
      await one.open();
      await expect(first).toContainText("Done");
      await expect(first).toContainText("Calls for it find it on gpu-1.");

      const second = pulls.pull("qwen3:8b", "gpu-2");
      await two.release(2);
      await expect(second).toContainText("Running");
      await pulls.press(second, "Cancel");
      await expect(second).toContainText("Cancelled");
      await two.waitFor("qwen3:8b", (request) => request.path === "/api/pull" && request.ended === "CallerGone");
      await two.open();
      await two.script({ pull: ['{"status":"pulling manifest"}\n', '{"error":"pull model manifest: <b>no</b> such file"}\n'] });
      await pulls.press(second, "Try again");
      await expect(second).toContainText("Failed");
      await expect(second).toContainText("Pull model manifest: <b>no</b> such file.");
      await two.script({ pull: null });
      await pulls.press(second, "Try again");
      await expect(second).toContainText("Done");
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the window").toBe(true);
      await answeredClear(page);
      await expect(page.getByText("Nothing is on its way.")).toBeVisible();
      await app.expectSameDocument();
    });
  });
}

async function answeredClear(page: Page) {
  await page.getByRole("button", { name: "Clear ended" }).click();
}

test("a form with faults says all of them, and a pull waits for a backend that goes away", async ({ page, start, startFake, problems }) => {
  problems.allow(/status of 400/);
  const one = await startFake("--models", "a:1b");
  const fortress = await start(fleet);
  await add(fortress, "gpu-1", one);
  const pulls = new PullsPage(page);
  await open(page, fortress.url);
  await pulls.begin("a b", []);
  await expect(pulls.form.getByLabel("Model", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(pulls.form.getByRole("alert")).toHaveText("Choose at least one backend.");
  await one.hold();
  await one.script({ pull: LINES });
  await pulls.begin("qwen3", ["gpu-1"]);
  await one.release(3);
  await expect(pulls.bar("qwen3", "gpu-1")).toHaveAttribute("value", "25");
  await one.stop();
  await expect(pulls.pull("qwen3", "gpu-1")).toContainText("The backend is down, and this begins when it is back.");
  const back = await startFake("--models", "a:1b");
  await back.script({ pull: LINES });
  await fortress.run("backend", "edit", "gpu-1", "--url", back.url);
  await expect(pulls.pull("qwen3", "gpu-1"), "it goes on by itself").toContainText("Done", { timeout: 60_000 });
});

test("whatever a backend answers to a pull, the page says how it stands", async ({ page, start, startFake }) => {
  const one = await startFake("--models", "a:1b");
  const fortress = await start(fleet);
  await add(fortress, "gpu-1", one);
  const pulls = new PullsPage(page);
  await open(page, fortress.url);
  const line = (more: string) => `{"status":"pulling 6a","digest":"sha256:6a",${more}}\n`;
  const rubbish: [string, string[], string][] = [
    ["page:1b", ["<html><body>It works!</body></html>"], "It sent what is no progress of a pull: <html><body>It works!</body></html>."],
    ["negative:1b", [line('"total":-5,"completed":-7')], "It sent what is no progress of a pull:"],
    ["huge:1b", ["x".repeat(200_000)], "It sent a line that is far too long for progress of a pull."],
    ["cut:1b", [line('"total":100,"completed":50').slice(0, 30)], "It sent what is no progress of a pull:"],
    ["silent:1b", [], "Its answer ended before it said that the model is there."],
    ["mute:1b", ['{"error":""}\n'], "It says that it failed, and not why."],
    ["full:1b", [line('"total":100,"completed":50'), '{"error":"write /models/blob: no space left on device"}\n'], "Write /models/blob: no space left on device."],
  ];
  for (const [model, answer, words] of rubbish) {
    await one.script({ pull: answer });
    await pulls.begin(model, ["gpu-1"]);
    await expect(pulls.pull(model, "gpu-1"), model).toContainText("Failed");
    await expect(pulls.pull(model, "gpu-1"), model).toContainText(words);
  }
  // More than there is, and then less than before.
  await one.script({ pull: [line('"total":18446744073709551615,"completed":18446744073709551615'), line('"total":1000000,"completed":9000000'), line('"total":1000000,"completed":250000'), line('"total":1000000,"completed":250000')] });
  await one.hold();
  await pulls.begin("wild:1b", ["gpu-1"]);
  await one.release(2);
  await expect(pulls.bar("wild:1b", "gpu-1")).toHaveAttribute("value", "100");
  await expect(pulls.pull("wild:1b", "gpu-1")).toContainText("1.0 MB of 1.0 MB");
  await one.release(1);
  await expect(pulls.bar("wild:1b", "gpu-1")).toHaveAttribute("value", "25");
  await one.open();
  await expect(pulls.pull("wild:1b", "gpu-1")).toContainText("Its answer ended before it said that the model is there.");
  await new App(page).expectPage("Downloads");
});

test("the pages of models lead to pulling one to more backends, and to bringing it up to date", async ({ page, start, startFake }) => {
  const [one, two] = [await startFake("--models", "a:1b"), await startFake("--models", "b:1b")];
  const fortress = await start(fleet);
  await add(fortress, "gpu-1", one);
  await add(fortress, "gpu-2", two);
  const pulls = new PullsPage(page);
  const app = new App(page);
  await open(page, fortress.url);
  await page.goto(`${fortress.url}/admin/models?model=a:1b`);
  await alive(page);
  await app.mark();
  await page.getByRole("link", { name: "Pull to more backends" }).click();
  await app.expectPage("Downloads");
  await expect(pulls.form.getByLabel("Model", { exact: true })).toHaveValue("a:1b");
  await expect(pulls.form.getByRole("checkbox", { checked: true })).toHaveCount(0);
  await page.goBack();
  await app.expectPage("a:1b");
  await page.getByRole("link", { name: "Update a:1b on gpu-1" }).click();
  await app.expectPage("Downloads");
  await expect(pulls.form.getByRole("checkbox", { checked: true })).toHaveCount(1);
  await expect(pulls.form.getByRole("checkbox", { name: /^gpu-1\b/ })).toBeChecked();
  await page.goBack();
  await app.expectPage("a:1b");
  await page.getByRole("link", { name: "Update everywhere" }).click();
  await app.expectPage("Downloads");
  await expect(pulls.form.getByRole("checkbox", { name: "Every backend that has it" })).toBeChecked();
  await pulls.send();
  await expect(pulls.form.getByRole("status")).toHaveText("It is on its way: below stands how far it is.");
  await expect(pulls.pull("a:1b", "gpu-1")).toContainText("Done");
  await expect(pulls.pull("a:1b", "gpu-2"), "only where it was").toHaveCount(0);
  await app.expectSameDocument();
});

test("a model that is kept is pulled where it is missing, and the page says why it is short", async ({ page, start, startFake }) => {
  const [one, two] = [await startFake("--models", "qwen3:8b"), await startFake("--models", "a:1b")];
  const fortress = await start(fleet);
  await add(fortress, "gpu-1", one);
  await add(fortress, "gpu-2", two);
  const pulls = new PullsPage(page);
  await open(page, fortress.url);
  await expect(page.getByText("No model is kept yet.")).toBeVisible();
  await two.hold();
  await pulls.keep("qwen3:8b", "2");
  const wish = pulls.wish("qwen3:8b");
  await expect(wish).toContainText("Short");
  await expect(wish).toContainText("On 1 of 2 backends: gpu-1.");
  await expect(wish).toContainText("On its way to gpu-2.");
  await expect(pulls.pull("qwen3:8b", "gpu-2")).toContainText("asked for by gateway");
  await two.open();
  await expect(wish).toContainText("Met");
  await expect(wish).toContainText("On 2 of 2 backends: gpu-1, gpu-2.");
  await fortress.run("model", "keep", "qwen3:8b", "3");
  await expect(wish).toContainText("No further backend may have it.");
  await pulls.press(wish, "Keep no longer");
  await expect(page.getByText("No model is kept yet.")).toBeVisible();
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a model is asked for, cancelled and kept by plain forms", async ({ page, start, startFake }) => {
    const [one, two] = [await startFake("--models", "a:1b"), await startFake("--models", "a:1b")];
    const fortress = await start(fleet);
    await add(fortress, "gpu-1", one);
    await add(fortress, "gpu-2", two);
    const pulls = new PullsPage(page);
    await open(page, fortress.url);
    await pulls.begin("a b", ["gpu-2"]);
    await expect(pulls.form.getByLabel("Model", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await expect(pulls.form.getByLabel("Model", { exact: true }), "what was typed stays").toHaveValue("a b");
    await expect(pulls.form.getByRole("checkbox", { name: /^gpu-2\b/ }), "what was ticked stays").toBeChecked();
    await expect(pulls.form.getByRole("checkbox", { name: /^gpu-1\b/ })).not.toBeChecked();
    await one.script({ pull: LINES });
    await one.hold();
    await pulls.begin("qwen3:8b", ["gpu-1"]);
    await one.release(3);
    await expect(async () => {
      await page.reload();
      await expect(pulls.bar("qwen3:8b", "gpu-1")).toHaveAttribute("value", "25", { timeout: 1_000 });
    }).toPass();
    await expect(page.getByText("Reload this page to see how far they are.")).toBeVisible();
    await pulls.press(pulls.pull("qwen3:8b", "gpu-1"), "Cancel");
    await expect(pulls.pull("qwen3:8b", "gpu-1")).toContainText("Cancelled");
    await pulls.keep("a:1b", "2");
    await expect(pulls.wish("a:1b")).toContainText("Met");
  });
});
