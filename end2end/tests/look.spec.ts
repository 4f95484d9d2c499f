// Title, accent and logo: set on the Settings page with scripts and without, shown to everybody, and gone again.

import type { Page } from "@playwright/test";
import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { answered } from "../pages/answered.ts";
import { alive } from "../pages/app.ts";
import { expectAccessible } from "../pages/axe.ts";
import { LoginPage } from "../pages/login.ts";
import { SettingsPage } from "../pages/settings.ts";

test.use({ storageState: NOBODY });

const ENVIRONMENT = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };
const TITLE = "研究所 <Labor> & Co";

async function open(page: Page, url: string) {
  await page.goto(`${url}/admin/settings`);
  if (page.url().includes("/admin/login")) await new LoginPage(page).send(ADMIN.name, ADMIN.password);
  await expect(page.getByRole("heading", { level: 1, name: "Settings" })).toBeVisible();
  await alive(page);
}

/** A picture that a browser made. */
function picture(page: Page) {
  return page.screenshot({ clip: { x: 0, y: 0, width: 96, height: 48 }, scale: "css" });
}

const primary = (page: Page) => page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--color-primary"));

/** The logo beside the title: drawn, from an address that never changes its content. */
async function expectLogo(page: Page) {
  const logo = page.locator("img[src^='/admin/logo/']").first();
  await expect.poll(() => logo.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(96);
  const address = (await logo.getAttribute("src"))!;
  await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", address);
  const { status, headers } = await page.evaluate(async (address) => {
    const answer = await fetch(address, { credentials: "omit", cache: "reload" });
    return { status: answer.status, headers: Object.fromEntries(answer.headers) };
  }, address);
  expect(status, "no session is needed").toBe(200);
  expect(headers).toMatchObject({ "content-type": "image/png", "x-content-type-options": "nosniff", "cache-control": "public, max-age=31536000, immutable" });
  return address;
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled, colorScheme: "light" });

    test("a title, an accent and a logo are on every page, the sign-in page too", async ({ page, start, problems }) => {
      problems.allow(/status of 400/);
      const fortress = await start(ENVIRONMENT);
      const settings = new SettingsPage(page);
      await open(page, fortress.url);
      await settings.save({ "Product title": TITLE, "Accent colour": "#FFD400" });
      await expect(settings.field("Accent colour")).toHaveAccessibleDescription(/Shown as #[0-9a-f]{6} on light ground/);
      const part = page.getByRole("region", { name: "Logo" });
      const image = await picture(page);
      const upload = async (bytes: Buffer) => {
        if (javaScriptEnabled) await part.getByLabel("Another logo", { exact: true }).setInputFiles({ name: "logo.png", mimeType: "image/png", buffer: bytes });
        else await part.getByRole("textbox").fill(bytes.toString("base64"));
        if (javaScriptEnabled) await expect(part.getByRole("img", { name: "The chosen file" })).toBeAttached();
        await answered(page, () => part.getByRole("button", { name: "Save the logo" }).click());
      };
      await upload(Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"));
      await expect(part.getByText("Is an SVG or another text, which may hold scripts: save it as PNG, JPEG or WebP")).toBeVisible();
      await upload(image);
      await expect(part.getByRole("img", { name: "The logo in force, 96 × 48 pixels" })).toBeVisible();

      await open(page, fortress.url);
      await expect(page).toHaveTitle(`Settings · ${TITLE}`);
      await expect(page.getByRole("complementary").getByText(TITLE)).toBeVisible();
      if (javaScriptEnabled) {
        expect(await primary(page)).toMatch(/^#[0-9a-f]{6}$/);
        await expectLogo(page);
        await expectAccessible(page, "settings with an accent");
        await page.emulateMedia({ colorScheme: "dark" });
        expect(await primary(page), "as it is on dark ground").toBe("#ffd400");
        await expectAccessible(page, "settings with an accent, dark");
        await page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name: "Users", exact: true }).click();
        await expect(page).toHaveTitle(`Users · ${TITLE}`);
      }
      await page.context().clearCookies();
      await page.goto(`${fortress.url}/admin/login`);
      await expect(page).toHaveTitle(`Sign in · ${TITLE}`);
      await expect(page.getByText(TITLE)).toBeVisible();
      await expect(page.locator("main img")).toBeVisible();
      if (javaScriptEnabled) await expectLogo(page);

      await open(page, fortress.url);
      await answered(page, () => part.getByRole("button", { name: "Remove the logo" }).click());
      await expect(part.getByText("There is none")).toBeVisible();
      await settings.reset("Product title");
      await settings.reset("Accent colour");
      await open(page, fortress.url);
      await expect(page).toHaveTitle("Settings · Ollama Proxy Fortress");
      await expect(page.locator("img")).toHaveCount(0);
      await expect(page.locator("link[rel=icon]")).toHaveAttribute("href", "/pkg/favicon.svg");
      await page.goto(`${fortress.url}/admin/audit`);
      for (const action of ["logo saved", "logo removed", "settings saved"]) await expect(page.getByText(action).first()).toBeVisible();
    });
  });
}

test("what the environment says counts until something is saved, and bad values are refused beside their fields", async ({ page, start, problems }) => {
  problems.allow(/status of 400/);
  const fortress = await start({ ...ENVIRONMENT, PRODUCT_TITLE: "Labor", ACCENT: "#3366CC" });
  const settings = new SettingsPage(page);
  await open(page, fortress.url);
  await expect(page).toHaveTitle("Settings · Labor");
  await expect(settings.field("Product title")).toHaveAccessibleDescription(/Set by the environment/);
  await expect(settings.field("Accent colour")).toHaveValue("#3366cc");
  await settings.send({ "Product title": "x".repeat(61), "Accent colour": "blue" });
  await expect(settings.field("Product title")).toHaveAccessibleDescription("Must be at most 60 characters.");
  await expect(settings.field("Accent colour")).toHaveAccessibleDescription("Must be a colour like #3366cc, or none.");
  await settings.save({ "Product title": "Labor", "Accent colour": "none" });
  await open(page, fortress.url);
  expect(await page.locator("head style").filter({ hasText: "--color-primary" }).count()).toBe(0);
});
