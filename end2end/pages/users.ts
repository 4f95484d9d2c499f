import { expect, type Locator, type Page } from "@playwright/test";
import { answered } from "./answered.ts";

/** The list of users. */
export class UsersPage {
  readonly form: Locator;

  constructor(private page: Page) {
    this.form = page.getByRole("region", { name: "Add a user" });
  }

  row(name: string) {
    return this.page.getByRole("table", { name: "Users" }).getByRole("row").filter({ has: this.page.getByRole("link", { name, exact: true }) });
  }

  /** Fills the form in and sends it; what came of it is the test's to see. */
  async send(name: string) {
    await this.form.getByLabel("Name", { exact: true }).fill(name);
    await answered(this.page, () => this.form.getByRole("button", { name: "Add user" }).click());
  }

  async add(name: string) {
    await this.send(name);
    await expect(this.row(name)).toBeVisible();
  }

  /** Presses a button that sends a form of a user; what came of it is the test's to see. */
  async press(name: string, button: string) {
    await answered(this.page, () => this.row(name).getByRole("button", { name: button, exact: true }).click());
  }

  /** Says what to show; what came of it is the test's to see. */
  async search(text: string, show = "All users", order = "Newest first") {
    const form = this.page.getByRole("search");
    await form.getByLabel("Search", { exact: true }).fill(text);
    await form.getByLabel("Show", { exact: true }).selectOption(show);
    await form.getByLabel("Order", { exact: true }).selectOption(order);
    await form.getByRole("button", { name: "Search" }).click();
  }

  /** The names that are shown, in their order. */
  async names() {
    return this.page.getByRole("table", { name: "Users" }).getByRole("rowheader").getByRole("link").allTextContents();
  }

  get pages() {
    return this.page.getByRole("navigation", { name: "Pages of the list" });
  }

  box(name: string) {
    return this.page.getByRole("checkbox", { name: `Choose ${name}`, exact: true });
  }

  /** Presses a button for all whose boxes are ticked. */
  async switchChosen(button: "Disable chosen" | "Enable chosen") {
    await answered(this.page, () => this.page.getByRole("button", { name: button }).click());
  }

  async openUser(name: string) {
    await this.row(name).getByRole("link", { name, exact: true }).click();
    await expect(this.page.getByRole("heading", { level: 1, name, exact: true })).toBeVisible();
  }

  async remove(name: string) {
    await this.row(name).getByText("Remove", { exact: true }).click();
    await this.press(name, "Remove user");
    await expect(this.row(name)).toHaveCount(0);
  }
}

/** One user with its keys. */
export class UserPage {
  readonly form: Locator;

  constructor(private page: Page) {
    this.form = page.getByRole("region", { name: "Create a key" });
  }

  /** Fills the form in and sends it; what came of it is the test's to see. */
  async send(name: string, requests = "", minutes = "") {
    await this.form.getByLabel("Name", { exact: true }).fill(name);
    await this.form.getByLabel("Requests", { exact: true }).fill(requests);
    await this.form.getByLabel("Window (Minutes)", { exact: true }).fill(minutes);
    await answered(this.page, () => this.form.getByRole("button", { name: "Create key" }).click());
  }

  /** The new key as shown, once. */
  async create(name: string, requests = "", minutes = "") {
    await this.send(name, requests, minutes);
    await expect(this.form.getByRole("heading", { name: `Key ${name}` })).toBeVisible();
    const key = await this.form.getByTestId("new-key").textContent();
    expect(key).toMatch(/^op_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
    return key!;
  }

  /** One key, by its name. */
  key(name: string) {
    return this.page.getByRole("listitem", { name, exact: true });
  }

  /** Presses a button that sends a form of a key; what came of it is the test's to see. */
  async press(name: string, button: string) {
    await answered(this.page, () => this.key(name).getByRole("button", { name: button, exact: true }).click());
  }

  async disable(name: string) {
    await this.press(name, "Disable");
    await expect(this.key(name)).toContainText("Disabled");
  }

  async enable(name: string) {
    await this.press(name, "Enable");
    await expect(this.key(name)).toContainText("Active");
  }

  async setLimit(name: string, requests: string, minutes: string) {
    const key = this.key(name);
    await key.getByText("Change limit", { exact: true }).click();
    await key.getByLabel("Requests", { exact: true }).fill(requests);
    await key.getByLabel("Window (Minutes)", { exact: true }).fill(minutes);
    await this.press(name, "Save limit");
  }

  /** The form of limits and permissions that comes first within `part`, opened. */
  policyOf(part: Locator) {
    const details = part.locator("details").filter({ has: this.page.getByText("Limits and permissions", { exact: true }) }).first();
    return {
      getByLabel: details.getByLabel.bind(details),
      open: () => details.getByText("Limits and permissions", { exact: true }).click(),
    };
  }

  /** Fills in the limits and permissions of a key and sends them; what came of it is the test's to see. */
  async setPolicy(name: string, values: Record<string, string>) {
    const key = this.key(name);
    await key.getByText("Limits and permissions", { exact: true }).click();
    for (const [label, value] of Object.entries(values)) await key.getByLabel(label, { exact: true }).fill(value);
    await this.press(name, "Save limits and permissions");
  }

  /** The form of label and note that comes first within `part`, opened. */
  async remarksOf(part: Locator) {
    const details = part.locator("details").filter({ has: this.page.getByText("Label and note", { exact: true }) }).first();
    if ((await details.getAttribute("open")) === null) await details.getByText("Label and note", { exact: true }).click();
    return {
      details,
      label: details.getByLabel("Label", { exact: true }),
      note: details.getByLabel("Note", { exact: true }),
      save: () => answered(this.page, () => details.getByRole("button", { name: "Save label and note" }).click()),
    };
  }

  /** Rotates a key; what came of it is the test's to see. */
  async rotate(name: string, overlap: string, until = "") {
    const key = this.key(name);
    await key.getByText("Rotate", { exact: true }).click();
    await key.getByLabel("This key still works", { exact: true }).selectOption(overlap);
    await key.getByLabel("Until (UTC)", { exact: true }).fill(until);
    await this.press(name, "Rotate key");
  }

  async revoke(name: string) {
    await this.key(name).getByText("Revoke", { exact: true }).click();
    await this.press(name, "Revoke key");
    await expect(this.key(name)).toContainText("Revoked");
  }
}
