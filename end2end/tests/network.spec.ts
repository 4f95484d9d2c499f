// The Network page's TLS part: what a form was refused does not stay once another one succeeded, and files fill the form.

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

test("files fill the areas to paste into, and are sent only with the form", async ({ page, start, problems }) => {
  problems.allow(/Failed to load resource/);
  const { url } = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  await page.goto(`${url}/admin/network`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
  await alive(page);
  const part = page.getByRole("region", { name: "TLS" });
  await part.getByText("Upload a certificate").click();
  const file = (text: string | Buffer) => ({ name: "x.pem", mimeType: "application/x-pem-file", buffer: Buffer.from(text) });
  const certificate = part.getByLabel(/Certificate, and the chain/);
  const key = part.getByLabel(/Private key \(PEM/);
  await part.getByLabel("Certificate file").setInputFiles(file("first certificate\n"));
  await expect(certificate).toHaveValue("first certificate\n");
  await part.getByLabel("Private key file").setInputFiles(file("a key\n"));
  await expect(key).toHaveValue("a key\n");
  // A key in DER is no text: nothing is put in place of what is there.
  await part.getByLabel("Private key file").setInputFiles(file(Buffer.from([0x30, 0x82, 0x00, 0xff])));
  await expect(key).toHaveAccessibleDescription(/could not be read as text/);
  await expect(key).toHaveValue("a key\n");
  const sent = page.waitForRequest(/network\/tls-save/);
  await part.getByRole("button", { name: "Save certificate" }).click();
  const body = new URLSearchParams((await sent).postData()!);
  expect([...body.keys()]).toEqual(["input[certificate]", "input[private_key]"]);
  expect(body.get("input[certificate]")!.trim()).toBe("first certificate");
  await expect(certificate).toHaveAttribute("aria-invalid", "true");
});
