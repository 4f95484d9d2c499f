import { expect, type Locator, type Page } from "@playwright/test";
import { answered } from "./answered.ts";
import { alive } from "./app.ts";

/** The first run. Counts what a person types and clicks. */
export class SetupPage {
  fields = 0;
  clicks = 0;
  readonly faults: Locator;

  constructor(private page: Page) {
    this.faults = page.getByRole("alert");
  }

  async open(link: string) {
    await this.page.goto(link);
    await expect(this.page.getByRole("heading", { name: "Your administrator account" })).toBeVisible();
    // The last step shows a key, and a page that a plain form led to a key has no scripts: no copy button.
    await alive(this.page);
  }

  async type(label: string, text: string) {
    this.fields += 1;
    await this.page.getByLabel(label, { exact: true }).fill(text);
  }

  /** Presses a button, all of which send a form here; the answer. */
  async click(name: string) {
    this.clicks += 1;
    return answered(this.page, () => this.page.getByRole("button", { name }).click());
  }

  async createAdmin(password: string) {
    await this.type("Password", password);
    await this.click("Continue");
    await expect(this.page.getByRole("heading", { name: "Your first backend" })).toBeVisible();
  }

  /** The offer of what was found at an address. */
  offer(url: string) {
    return this.page.getByRole("list", { name: "Found backends" }).getByRole("listitem").filter({ hasText: url }).first();
  }

  /** Presses the button of an offer; the answer. */
  async clickOffer(url: string) {
    this.clicks += 1;
    return answered(this.page, () => this.offer(url).getByRole("button", { name: "Use this backend" }).click());
  }

  async takeOffer(url: string) {
    await this.clickOffer(url);
    await this.expectKeyStep();
  }

  async tryAddress(url: string) {
    await this.type("Address", url);
    await this.click("Add this address");
  }

  async expectKeyStep() {
    await expect(this.page.getByRole("heading", { name: "Your first user and its key" })).toBeVisible();
  }

  /** The key as shown, once. */
  async createKey() {
    await this.click("Create key");
    const key = this.page.getByTestId("new-key");
    await expect(key).toHaveText(/^op_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
    return (await key.textContent())!;
  }

  /** The code of one of the examples, chosen by its tab. */
  async example(title: string) {
    await this.page.getByRole("radio", { name: title, exact: true }).check();
    return (await this.page.locator("pre:visible").first().textContent())!;
  }
}
