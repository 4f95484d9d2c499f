import { expect, type Page } from "@playwright/test";

/** The live dashboard. */
export class DashboardPage {
  constructor(private page: Page) {}

  /** The state of the connection, in one word. */
  connection(word: "Live" | "Reconnecting") {
    return this.page.getByRole("status").filter({ hasText: new RegExp(`^${word}$`) });
  }

  async expectLive() {
    await expect(this.connection("Live")).toBeVisible();
  }

  /** The number under a title at the top. */
  total(title: string) {
    return this.page.getByRole("main").locator("dl > div").filter({ has: this.page.locator("dt", { hasText: new RegExp(`^${title}$`) }) }).locator("dd").first();
  }

  backend(name: string) {
    return this.page.getByRole("listitem", { name, exact: true });
  }

  /** What needs attention, a list item each. */
  attention(text: string | RegExp) {
    return this.page.getByRole("region", { name: "Needs attention" }).getByRole("listitem").filter({ hasText: text });
  }

  chart(title: string) {
    return this.page.getByRole("img", { name: `${title}: bar chart` });
  }

  /** Number of pixels of a chart that something was drawn on. */
  drawn(title: string) {
    return this.chart(title).evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, at) => at % 4 === 3 && value > 0).length;
    });
  }

  /** The colour of a chart's labels, as Chart.js has it now. */
  colour(title: string) {
    type Drawn = { Chart: { getChart(canvas: Element): { options: { scales: { x: { ticks: { color: string } } } } } } };
    return this.chart(title).evaluate((canvas) => (window as unknown as Drawn).Chart.getChart(canvas).options.scales.x.ticks.color);
  }

  picture(title: string) {
    return this.chart(title).evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  }

  /** Charts that Chart.js keeps alive. */
  liveCharts() {
    return this.page.evaluate(() => Object.keys((window as unknown as { Chart: { instances: object } }).Chart.instances).length);
  }
}
