import { expect, type Locator, type Page } from "@playwright/test";
import { answered } from "./answered.ts";

/** Rolling upgrades. */
export class UpgradePage {
  readonly form: Locator;
  readonly run: Locator;

  constructor(private page: Page) {
    this.form = page.getByRole("region", { name: "Begin an upgrade" });
    this.run = page.getByRole("region", { name: / of \d+ done/ });
  }

  /** A backend's turn, by its name. */
  step(name: string) {
    return this.run.getByRole("listitem", { name, exact: true });
  }

  /** A box of the form, by the beginning of its name. */
  box(name: string) {
    return this.form.getByRole("checkbox", { name: new RegExp(`^${name}\\b`) });
  }

  /** Leaves only these ticked, and begins. */
  async begin(names: string[], options: { version?: string; force?: boolean } = {}) {
    // Those that are there are counted once, so they have to be there.
    await expect(this.box(names[0])).toBeVisible();
    for (const box of await this.form.getByRole("group", { name: "Backends" }).getByRole("checkbox").all()) await box.uncheck();
    for (const name of names) await this.box(name).check();
    if (options.version !== undefined) await this.form.getByLabel("Version", { exact: true }).fill(options.version);
    if (options.force) await this.box("Go on although").check();
    await answered(this.page, () => this.form.getByRole("button", { name: "Begin the upgrade" }).click());
  }

  async press(name: string | RegExp) {
    await answered(this.page, () => this.run.getByRole("button", { name }).click());
  }

  async expectState(state: string) {
    await expect(this.run.getByRole("heading", { level: 2 })).toContainText(state);
  }
}
