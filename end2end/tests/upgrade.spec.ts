// Rolling upgrades: begun, followed without a reload, answered and stopped in the page, with and without JavaScript.

import { ADMIN, type Fake, type Fortress, expect, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { UpgradePage } from "../pages/upgrade.ts";

// A gateway of its own: the worker's backends are other tests' too.
const fleet = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };

/** Adds a backend and waits until the gateway knows its models: the page says at once what would be missing without it. */
async function add(fortress: Fortress, name: string, fake: Fake) {
  await fortress.run("backend", "add", "--name", name, "--url", fake.url);
  const state = async () => {
    const rows = JSON.parse(await fortress.run("backend", "list", "--json")) as { name: string; state: string }[];
    return rows.find((row) => row.name === name)?.state;
  };
  await expect.poll(state).toBe("up");
}

async function signIn(page: import("@playwright/test").Page, url: string) {
  await page.goto(`${url}/admin/backends/upgrade`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
}

test("two backends are upgraded one after another, and a missing model is answered", async ({ page, start, startFake }) => {
  const [one, two] = [await startFake("--models", "a:1b,b:1b"), await startFake("--models", "a:1b,b:1b")];
  const fortress = await start(fleet);
  await add(fortress, "gpu-1", one);
  await add(fortress, "gpu-2", two);
  await signIn(page, fortress.url);
  const app = new App(page);
  await app.open("/admin/backends", fortress.url);
  await page.getByRole("link", { name: "Rolling upgrade" }).click();
  await app.expectPage("Rolling upgrade");
  await app.mark();
  const upgrade = new UpgradePage(page);
  await upgrade.begin(["gpu-1", "gpu-2"]);
  await expect(upgrade.step("gpu-1")).toContainText("Handed over");
  await expect(upgrade.step("gpu-2")).toContainText("Waiting");
  await expect(upgrade.run.getByRole("status")).toContainText("Upgrade gpu-1 now.");
  await one.script({ version: "0.9.9" });
  await expect(upgrade.step("gpu-1")).toContainText("Rejoined");
  await expect(upgrade.step("gpu-1")).toContainText("0.5.1 → 0.9.9");
  await expect(upgrade.step("gpu-2")).toContainText("Handed over");
  await upgrade.press("Pause");
  await upgrade.expectState("Paused");
  await upgrade.press("End the pause");
  await two.script({ models: ["a:1b"] });
  await upgrade.press("gpu-2 is upgraded, go on");
  await expect(upgrade.run.getByRole("status")).toContainText("gpu-2 has no b:1b any more.");
  await upgrade.press("Take gpu-2 back all the same");
  await upgrade.expectState("Finished: 2 of 2 done");
  await expect(upgrade.form).toBeVisible();
  await expect(upgrade.run.getByText("gpu-1: Rejoined: 0.5.1 became 0.9.9.")).toBeVisible();
  await app.expectSameDocument();
});

test("a model that is on one backend only is asked about, and the command line's stop shows", async ({ page, start, startFake, problems }) => {
  problems.allow(/Failed to load resource/);
  const one = await startFake("--models", "only:1b");
  const fortress = await start(fleet);
  await add(fortress, "gpu-1", one);
  await signIn(page, fortress.url);
  await new App(page).open("/admin/backends/upgrade", fortress.url);
  const upgrade = new UpgradePage(page);
  await expect(upgrade.form).toContainText("Calls for only:1b will get 503 while it is away");
  await upgrade.begin(["gpu-1"]);
  await expect(upgrade.form.getByRole("alert")).toContainText("Calls for only:1b will get 503 while gpu-1 is away");
  await upgrade.begin(["gpu-1"], { force: true });
  await expect(upgrade.step("gpu-1")).toContainText("Handed over");
  await fortress.run("fleet", "upgrade", "stop", "--leave-drained");
  await upgrade.expectState("Stopped");
  await expect(upgrade.step("gpu-1")).toContainText("Left drained");
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("an upgrade is begun, answered and stopped by plain forms", async ({ page, start, startFake }) => {
    const [one, two] = [await startFake("--models", "a:1b"), await startFake("--models", "b:1b")];
    const fortress = await start(fleet);
    await add(fortress, "gpu-1", one);
    await add(fortress, "gpu-2", two);
    await signIn(page, fortress.url);
    await page.goto(`${fortress.url}/admin/backends/upgrade`);
    const upgrade = new UpgradePage(page);
    await upgrade.begin(["gpu-1"], { version: "new", force: true });
    await expect(upgrade.form.getByLabel("Version", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await expect(upgrade.form.getByLabel("Version", { exact: true }), "what was typed stays").toHaveValue("new");
    await expect(upgrade.box("gpu-1"), "what was ticked stays").toBeChecked();
    await expect(upgrade.box("gpu-2")).not.toBeChecked();
    await expect(upgrade.box("Go on although")).toBeChecked();
    await upgrade.begin(["gpu-1"], { version: "", force: true });
    await expect(async () => {
      await page.reload();
      await expect(upgrade.step("gpu-1")).toContainText("Handed over", { timeout: 1_000 });
    }).toPass();
    await upgrade.press("Stop and take gpu-1 back");
    await upgrade.expectState("Stopped");
    await expect(upgrade.step("gpu-1")).toContainText("Skipped");
  });
});
