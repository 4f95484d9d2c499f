// Backends: added, tested, changed, switched and removed, and what a wrong address says.

import { NOWHERE, expect, generate, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";
import { BackendsPage } from "../pages/backends.ts";

test.beforeEach(async ({ page, javaScriptEnabled }) => {
  if (javaScriptEnabled !== false) await new App(page).open("/admin/backends");
});

test("a backend is added, tested, changed, disabled, enabled and removed", async ({ page, startFake, fortress }) => {
  const fake = await startFake("--models", "qwen3:4b,gemma3", "--version", "0.9.9");
  const backends = new BackendsPage(page);
  const row = await backends.add("box one", fake.url);
  await expect(row).toContainText("2 models");
  await expect(row).toContainText("Version 0.9.9");
  await expect(row).toContainText("Up");
  await backends.test("box one", "Ollama 0.9.9 answers with 2 models");

  await backends.edit("box one", { Name: "box 1" });
  await expect(backends.row("box 1")).toContainText(fake.url);
  await expect(backends.row("box one")).toHaveCount(0);

  await backends.press("box 1", "Disable");
  await expect(backends.row("box 1")).toContainText("Disabled");
  await backends.press("box 1", "Enable");
  await expect(backends.row("box 1").getByRole("button", { name: "Disable", exact: true })).toBeVisible();
  await expect(backends.row("box 1")).toContainText("Up");
  expect(await fortress.run("backend", "list")).toContain("box 1");

  await backends.remove("box 1");
  expect(await fortress.run("backend", "list")).not.toContain("box 1");
});

test("a token is sent, kept and never shown", async ({ page, startFake }) => {
  const fake = await startFake("--token", "backend-secret");
  const backends = new BackendsPage(page);
  const row = await backends.add("guarded", fake.url);
  await backends.test("guarded", "wants a (different) token");
  await backends.edit("guarded", { Token: "backend-secret" });
  await expect(row).toContainText("A token is stored");
  await backends.test("guarded", "answers with 2 models");
  expect(await page.content()).not.toContain("backend-secret");
  await expect(row.getByLabel("Token", { exact: true }), "a second save does not send it again").toHaveValue("");
  await backends.edit("guarded", { Name: "guarded 2", URL: fake.url });
  await backends.test("guarded 2", "answers with 2 models");
  await backends.forgetToken("guarded 2");
  await backends.test("guarded 2", "wants a (different) token");
  await backends.remove("guarded 2");
});

test("a wrong address says what is wrong with it", async ({ page, startFake }) => {
  const other = await startFake();
  await other.script({ fault: { status_body: [200, "<html>a printer</html>"] } });
  const silent = await startFake();
  await silent.script({ fault: "hang_before_headers" });
  const backends = new BackendsPage(page);
  for (const [name, url, finding] of [
    ["refused", NOWHERE, "Connection refused: nothing listens at this port"],
    ["printer", other.url, "Something answers, but it is not an Ollama"],
    ["silent", silent.url, "Timed out"],
    // A label of more than 63 characters is refused by the resolver itself, so no query leaves this machine.
    ["nowhere", `http://${"x".repeat(64)}.invalid:11434`, "The host name does not resolve (DNS)"],
  ] as const) {
    await backends.add(name, url);
    await backends.test(name, finding);
    await backends.remove(name);
  }
});

test("faults of the form stand beside their fields and keep what was typed", async ({ page, problems }) => {
  problems.allow(/Failed to load resource/);
  const backends = new BackendsPage(page);
  await backends.send("broken", "not an address");
  const url = backends.form.getByLabel("URL", { exact: true });
  await expect(url).toHaveAttribute("aria-invalid", "true");
  await expect(url).toHaveValue("not an address");
  await expect(backends.row("broken")).toHaveCount(0);
});

test("how much of the work a backend gets is set when it is added, and changed", async ({ page, startFake, fortress, problems }) => {
  problems.allow(/Failed to load resource/);
  const fake = await startFake("--models", "shared:1b");
  const backends = new BackendsPage(page);
  await expect(backends.form.getByLabel("Weight", { exact: true }), "the simple case stays simple").toBeHidden();
  await backends.openShare(backends.form);
  await backends.form.getByLabel("Requests at once", { exact: true }).fill("4");
  await backends.form.getByLabel("Weight", { exact: true }).fill("3");
  const row = await backends.add("shared", fake.url);
  await expect(row).toContainText("At most 4 at once");
  await expect(row).toContainText("Weight 3");
  await expect(row).not.toContainText(/Priority \d/);

  // What is not as usual is shown at once.
  await backends.edit("shared", { Weight: "101", Priority: "7" });
  await expect(row.getByLabel("Weight", { exact: true })).toHaveAccessibleDescription(/whole number from 1 to 100/);
  await expect(row.getByLabel("Priority", { exact: true }), "what was typed stays").toHaveValue("7");
  await expect(row).toContainText("Weight 3");
  await row.getByLabel("Weight", { exact: true }).fill("");
  await row.getByLabel("Requests at once", { exact: true }).fill("");
  await backends.press("shared", "Save backend");
  await expect(row).toContainText("Priority 7");
  await expect(row).not.toContainText("Weight 3");
  await expect(row).not.toContainText("At most 4");
  const [stored] = JSON.parse(await fortress.run("backend", "list", "--json")).filter((backend: { name: string }) => backend.name === "shared");
  expect([stored.parallel, stored.weight, stored.priority]).toEqual([null, 1, 7]);
  await backends.remove("shared");
});

test("a backend has time-outs of its own where it needs them", async ({ page, startFake, fortress, problems }) => {
  problems.allow(/Failed to load resource/);
  const fake = await startFake("--models", "patient:1b");
  const backends = new BackendsPage(page);
  const row = await backends.add("patient", fake.url);
  await expect(row).not.toContainText(/within \d+ s/);
  await row.getByText("Edit", { exact: true }).click();
  await expect(row.getByLabel("First byte", { exact: true }), "the simple case stays simple").toBeHidden();
  await row.getByText("Time-outs of its own").click();
  await row.getByLabel("Connection", { exact: true }).fill("61");
  await row.getByLabel("First byte", { exact: true }).fill("1800");
  await backends.press("patient", "Save backend");
  await expect(row.getByLabel("Connection", { exact: true })).toHaveAccessibleDescription(/whole number from 1 to 60/);
  await expect(row.getByLabel("First byte", { exact: true }), "what was typed stays").toHaveValue("1800");
  await row.getByLabel("Connection", { exact: true }).fill("");
  await backends.press("patient", "Save backend");
  await expect(row).toContainText("First byte within 1800 s");
  const [stored] = JSON.parse(await fortress.run("backend", "list", "--json")).filter((backend: { name: string }) => backend.name === "patient");
  expect(stored.timeouts).toEqual({ connect_timeout_s: null, first_byte_timeout_s: 1800, stall_timeout_s: null });
  await backends.remove("patient");
});

test("a backend is drained while it answers, followed without a reload, and taken back", async ({ page, startFake, fortress, key }) => {
  const fake = await startFake("--models", "drained:1b");
  const backends = new BackendsPage(page);
  const row = await backends.add("leaving", fake.url);
  await expect(row).toContainText("Up");
  await fortress.waitForModel("drained:1b", key);
  await fake.hold();
  try {
    const running = generate(fortress.url, key, "hello", "drained:1b");
    await fake.waitFor("hello");
    await backends.press("leaving", "Drain");
    await expect(row).toContainText("Draining, 1 request left");
    expect(await generate(fortress.url, key, "too late", "drained:1b")).toBe(503);
    await fake.open();
    expect(await running).toBe(200);
    await expect(row).toContainText("Drained");
  } finally {
    await fake.open();
  }
  await backends.press("leaving", "Take back");
  await expect(row).toContainText("Up");
  await expect(row).not.toContainText("Drained");
  expect(await generate(fortress.url, key, "again", "drained:1b")).toBe(200);
  await backends.remove("leaving");
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a backend is drained and taken back, and a fault keeps what was typed", async ({ page, startFake, fortress }) => {
    const fake = await startFake("--models", "plain:1b");
    await fortress.run("backend", "add", "--name", "plain", "--url", fake.url);
    await page.goto("/admin/backends");
    const backends = new BackendsPage(page);
    const row = backends.row("plain");
    await backends.press("plain", "Drain");
    await expect(row).toContainText("Drained");
    await backends.press("plain", "Take back");
    await expect(row).not.toContainText("Drained");
    await row.getByText("Edit", { exact: true }).click();
    await backends.openShare(row);
    await row.getByLabel("Weight", { exact: true }).fill("many");
    await backends.press("plain", "Save backend");
    await expect(row.getByLabel("Weight", { exact: true }), "opened because something in it is wrong").toBeVisible();
    await expect(row.getByLabel("Weight", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await expect(row.getByLabel("Weight", { exact: true })).toHaveValue("many");
    await row.getByLabel("Weight", { exact: true }).fill("2");
    await backends.press("plain", "Save backend");
    await expect(row).toContainText("Weight 2");
    await fortress.run("backend", "remove", "plain");
  });
});
