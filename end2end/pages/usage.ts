import { expect, type Page } from "@playwright/test";

type Drawn = { Chart: { getChart(canvas: Element): { data: { labels: string[]; datasets: { label: string; data: (number | null)[] }[] } } } };

/** The Usage page. */
export class UsagePage {
  constructor(private page: Page) {}

  get filter() {
    return this.page.getByRole("region", { name: "Filter" });
  }

  field(name: string) {
    return this.filter.getByLabel(name, { exact: true });
  }

  async show() {
    await this.filter.getByRole("button", { name: "Show" }).click();
  }

  range(name: string) {
    return this.page.getByRole("navigation", { name: "Range" }).getByRole("link", { name, exact: true });
  }

  /** The number under a title at the top. */
  total(title: string) {
    return this.page.getByRole("main").locator("dl > div").filter({ has: this.page.locator("dt", { hasText: new RegExp(`^${title}$`) }) }).locator("dd").first();
  }

  /** A row of the table of groups. */
  group(by: string, name: string | RegExp) {
    return this.page.getByRole("region", { name: `By ${by}, table`, exact: true }).getByRole("row").filter({ has: this.page.getByRole("rowheader", { name }) });
  }

  filters() {
    return this.page.getByRole("list", { name: "Filters in force" });
  }

  figure(title: string) {
    return this.page.getByRole("figure", { name: title, exact: true });
  }

  /** What Chart.js draws: the labels below, and the columns by their names. */
  drawn(title: string) {
    return this.figure(title).getByRole("img").evaluate((canvas) => {
      const chart = (window as unknown as Drawn).Chart.getChart(canvas);
      return chart && { labels: chart.data.labels, columns: chart.data.datasets.map(({ label, data }) => ({ label, data })) };
    });
  }

  /** The same out of the table beside it. */
  async table(title: string) {
    const details = this.figure(title).getByRole("group");
    if ((await details.getAttribute("open")) === null) await details.locator("summary").click();
    const table = this.figure(title).getByRole("table");
    await expect(table).toBeVisible();
    return table.evaluate((table: HTMLTableElement) => {
      const [head, ...rows] = [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent!.trim()));
      const number = (text: string) => (text === "–" ? null : Number(text.replaceAll(",", "")));
      return {
        labels: rows.map((row) => row[0]),
        columns: head.slice(1).map((label, at) => ({ label, data: rows.map((row) => number(row[at + 1])) })),
      };
    });
  }
}
