import { expect, type Locator, type Page } from "@playwright/test";
import { answered } from "./answered.ts";

/** Downloads of models. */
export class PullsPage {
  readonly form: Locator;
  readonly keepForm: Locator;

  constructor(private page: Page) {
    this.form = page.getByRole("region", { name: "Pull a model" });
    this.keepForm = page.getByRole("region", { name: "Keep a model" });
  }

  /** A model on its way to a backend. */
  pull(model: string, backend: string) {
    return this.page.getByRole("region", { name: "On their way" }).getByRole("listitem", { name: `${model} on ${backend}`, exact: true });
  }

  bar(model: string, backend: string) {
    return this.pull(model, backend).getByRole("progressbar", { name: `${model} on ${backend}`, exact: true });
  }

  /** A model that is kept. */
  wish(model: string) {
    return this.page.getByRole("region", { name: "Keep available" }).getByRole("listitem", { name: model, exact: true });
  }

  /** Has a model pulled to these backends, whatever was ticked before. */
  async begin(model: string, backends: string[]) {
    await this.form.getByLabel("Model", { exact: true }).fill(model);
    // Those that are there are counted once, so they have to be there.
    await expect(this.form.getByRole("group", { name: "Backends" }).getByRole("checkbox").first()).toBeVisible();
    for (const box of await this.form.getByRole("group", { name: "Backends" }).getByRole("checkbox").all()) await box.uncheck();
    for (const name of backends) await this.form.getByRole("checkbox", { name: new RegExp(`^${name}\\b`) }).check();
    await this.send();
  }

  async send() {
    await answered(this.page, () => this.form.getByRole("button", { name: "Pull", exact: true }).click());
  }

  async keep(model: string, copies: string) {
    await this.keepForm.getByLabel("Model", { exact: true }).fill(model);
    await this.keepForm.getByLabel("On at least", { exact: true }).fill(copies);
    await answered(this.page, () => this.keepForm.getByRole("button", { name: "Keep it" }).click());
  }

  async press(within: Locator, name: string) {
    await answered(this.page, () => within.getByRole("button", { name, exact: true }).click());
  }
}
