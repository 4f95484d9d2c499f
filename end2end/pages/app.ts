import { expect, type Locator, type Page } from "@playwright/test";

/**
 * Waits until the page is alive: its event handlers are attached, so that clicks do not send plain forms. Where scripts do not
 * run it is as alive as it gets.
 */
export async function alive(page: Page) {
  if (await page.evaluate(() => matchMedia("(scripting: none)").matches)) return;
  // The switch of light and dark shows once its script runs.
  await expect(page.getByRole("button", { name: "Light / dark", includeHidden: true }).first()).not.toHaveClass(/\bhidden\b/);
}

/** Presses a copy button and waits until it has copied. It says so for two seconds, which a busy machine may miss: what it said stays. */
export async function copy(button: Locator) {
  await button.evaluate((button) => {
    const told = () => button.setAttribute("data-told", button.getAttribute("data-told") ?? button.textContent ?? "");
    new MutationObserver(told).observe(button, { subtree: true, childList: true, characterData: true });
  });
  await button.click();
  await expect(button.page().locator("button[data-told]")).toHaveAttribute("data-told", "Copied");
}

/** The frame of all pages behind the sign-in. */
export class App {
  constructor(private page: Page) {}

  async open(path = "/admin", base = "") {
    await this.page.goto(base + path);
    await alive(this.page);
  }

  /** Follows a link of the navigation and waits for its page's heading. */
  async go(name: string) {
    const link = this.page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name, exact: true });
    // Phones have the navigation in a drawer, behind a button, and without scripts behind a label.
    const drawer = this.page.getByRole("button", { name: "Show the navigation" }).or(this.page.getByTitle("Navigation", { exact: true }));
    if (!(await link.isVisible())) await drawer.filter({ visible: true }).click();
    await link.click();
    await this.expectPage(name);
  }

  async expectPage(heading: string) {
    await expect(this.page.getByRole("heading", { level: 1, name: heading, exact: true })).toBeVisible();
    await expect(this.page).toHaveTitle(`${heading} · Ollama Proxy Fortress`);
  }

  /** Marks the document, so that {@link expectSameDocument} can tell whether it was ever loaded again. */
  async mark() {
    await this.page.evaluate(() => Object.assign(window, { marked: true }));
  }

  async expectSameDocument() {
    expect(await this.page.evaluate(() => "marked" in window), "the document was not loaded again").toBe(true);
  }
}
