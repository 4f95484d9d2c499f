import { createHmac } from "node:crypto";
import { expect, type Page } from "@playwright/test";
import { answered } from "./answered.ts";

/** The list of administrators. */
export class AdministratorsPage {
  constructor(private page: Page) {}

  get form() {
    return this.page.getByRole("region", { name: "Add an administrator" });
  }

  card(name: string) {
    return this.page.getByRole("listitem", { name, exact: true });
  }

  /** Fills the form in and sends it; what came of it is the test's to see. */
  async send(name: string, password: string, role: string) {
    await this.form.getByLabel("Name", { exact: true }).fill(name);
    await this.form.getByLabel("Password", { exact: true }).fill(password);
    await this.form.getByLabel("Role", { exact: true }).selectOption(role);
    await answered(this.page, () => this.form.getByRole("button", { name: "Add administrator" }).click());
  }

  async add(name: string, password: string, role: string) {
    await this.send(name, password, role);
    await expect(this.card(name)).toBeVisible();
  }

  /** Opens one of the parts of an administrator. */
  async open(name: string, part: string) {
    await this.card(name).getByText(part, { exact: true }).click();
  }
}

/** The code that an authenticator app with this secret shows, `steps` after now. */
export function code(secret: string, steps = 0) {
  const bits = [...secret.replace(/\s/g, "")].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", key).update(step).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}
