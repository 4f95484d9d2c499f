// The first run from another machine on a LAN without TLS: under a made-up host name that leads to loopback, the page is
// no secure context, so there is no clipboard API and no Secure cookie.

import { madeUpHost } from "../chromium.ts";
import { NOBODY, expect, test } from "../fixtures.ts";
import { copy } from "../pages/app.ts";
import { SetupPage } from "../pages/setup.ts";

const HOST = "gateway.lan";

test.use({ storageState: NOBODY });

test("the whole first run and its copy button work without a secure context", async ({ playwright, problems, start, startFake }) => {
  const fake = await startFake("--chunks", "5");
  const fortress = await start({ OLLAMA_SERVERS: fake.url });
  const address = fortress.url.replace("127.0.0.1", HOST);
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await playwright.chromium.launch({ executablePath, args: madeUpHost(HOST) });
  try {
    const context = await problems.newContext(browser);
    const page = await context.newPage();
    const setup = new SetupPage(page);
    await setup.open((await fortress.setupLink()).replace("127.0.0.1", HOST));
    expect(await page.evaluate(() => window.isSecureContext)).toBe(false);
    await expect(page.getByText("This page travels unencrypted")).toBeVisible();

    await setup.createAdmin("a long enough password");
    await setup.takeOffer(fake.url);
    const key = await setup.createKey();
    expect(await setup.example("curl"), "the examples name the address the visitor came by").toContain(address);

    await copy(page.getByRole("button", { name: "Copy", exact: true }).first());
    expect(await paste(page)).toBe(key);

    const [cookie] = (await context.cookies()).filter(({ name }) => name === "op_session");
    expect(cookie).toMatchObject({ secure: false, httpOnly: true, domain: HOST });
    await page.getByRole("link", { name: "Go to the dashboard" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Dashboard" })).toBeVisible();
  } finally {
    await browser.close();
  }
});

/** What Ctrl+V gives. */
async function paste(page: import("@playwright/test").Page) {
  await page.evaluate(() => {
    const field = document.createElement("textarea");
    field.id = "paste-here";
    document.body.append(field);
    field.focus();
  });
  await page.keyboard.press("Control+V");
  return page.locator("#paste-here").inputValue();
}
