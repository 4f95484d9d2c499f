// The Network page: what a form of its TLS part was refused does not stay once another one succeeded.

import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { alive } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";

test.use({ storageState: NOBODY });

test("a pair made for a LAN takes the fault of a failed upload with it", async ({ page, start, problems }) => {
  problems.allow(/Failed to load resource/);
  const { url } = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  await page.goto(`${url}/admin/network`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
  await alive(page);
  const part = page.getByRole("region", { name: "TLS" });
  await part.getByText("Upload a certificate").click();
  const certificate = part.getByLabel(/Certificate, and the chain/);
  await certificate.fill("no certificate");
  await part.getByRole("button", { name: "Save certificate" }).click();
  await expect(certificate).toHaveAttribute("aria-invalid", "true");
  await part.getByText("Make one for a LAN").click();
  await part.getByRole("button", { name: "Make certificate" }).click();
  await expect(part).toContainText("with a certificate saved here");
  await expect(part.locator("[aria-invalid=true]")).toHaveCount(0);
  await expect(part.getByRole("alert")).toHaveCount(0);
  await expect(part.locator("p.text-error").filter({ hasText: /\S/ })).toHaveCount(0);
});
