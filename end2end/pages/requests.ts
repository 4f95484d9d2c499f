import { expect, type Locator, type Page } from "@playwright/test";

/** The Requests page. */
export class RequestsPage {
  readonly filter: Locator;
  readonly rows: Locator;
  readonly pages: Locator;

  constructor(private page: Page) {
    this.filter = page.getByRole("region", { name: "Filter" });
    this.rows = page.locator("table[aria-label=Requests] tbody tr");
    this.pages = page.getByRole("navigation", { name: "Pages of the log" });
  }

  /** The row of one request, by the number that its caller got. */
  row(id: string) {
    return this.rows.filter({ has: this.page.locator(`a[href*="/admin/requests/${id}?"]`) });
  }

  field(name: string) {
    return this.filter.getByLabel(name, { exact: true });
  }

  /** Opens what is out of sight at first. */
  async more() {
    await this.filter.getByText("Time, user, backend").click();
  }

  async show() {
    await this.filter.getByRole("button", { name: "Show" }).click();
  }

  /** Whether new requests come by themselves. */
  async expectLive() {
    await expect(this.page.getByRole("status").filter({ hasText: /^Live$/ })).toBeVisible();
  }
}

/** One call through the gateway; its status and the number that the log has it under. */
export async function call(url: string, key: string, model = "llama3.2", stream = false) {
  const answer = await fetch(`${url}/api/generate`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, prompt: "three short words", stream }),
  });
  await answer.text();
  return { status: answer.status, id: answer.headers.get("x-request-id")! };
}

/** Waits until what was accounted before can be read: the first rows of a stream come after that. */
export async function written(page: Page, url: string) {
  const cookie = (await page.context().cookies(`${url}/admin`)).map(({ name, value }) => `${name}=${value}`).join("; ");
  const stop = new AbortController();
  const answer = await fetch(`${url}/admin/requests/live`, { headers: { cookie }, signal: stop.signal });
  expect(answer.status).toBe(200);
  let text = "";
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.includes('"whole":true')) {
    const { value, done } = await reader.read();
    expect(done, `the stream ended: ${text}`).toBe(false);
    text += value;
  }
  stop.abort();
}
