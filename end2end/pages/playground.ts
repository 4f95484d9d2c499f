import { expect, type Locator, type Page } from "@playwright/test";
import type { Fake } from "../fixtures.ts";
import { alive } from "./app.ts";

/** The smallest PNG there is. */
export const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

interface Sent {
  messages: { role: string; content: string; images?: string[] }[];
  options?: Record<string, number>;
  keep_alive?: string;
}

/** The body of the request that holds the marker and meets the condition. */
export async function sentTo(fake: Fake, marker: string, condition: (body: Sent) => boolean = () => true): Promise<Sent> {
  const waitFor = fake.waitFor.bind(fake) as (marker: string, condition: unknown) => Promise<unknown>;
  const found = await waitFor(marker, ({ body }: { body: string }) => condition(JSON.parse(body)));
  return JSON.parse((found as { body: string }).body);
}

/** The Playground page. */
export class Playground {
  readonly prompt: Locator;
  readonly send: Locator;
  /** Why nothing was sent, or a picture not taken. */
  readonly notice: Locator;
  /** Why a file was not taken. */
  readonly refused: Locator;
  readonly newConversation: Locator;
  readonly pictures: Locator;

  constructor(private page: Page) {
    this.prompt = page.getByLabel("Message", { exact: true });
    this.send = page.getByRole("button", { name: "Send" });
    const setup = page.getByRole("region", { name: "Model and options" });
    this.notice = page.locator("form").filter({ has: this.prompt }).getByRole("alert");
    this.refused = setup.getByRole("alert");
    this.newConversation = setup.getByRole("button", { name: "New conversation" });
    this.pictures = page.getByRole("list", { name: "Pictures to send" }).getByRole("listitem");
  }

  async open(query = "") {
    await this.page.goto(`/admin/playground${query}`);
    await alive(this.page);
    await expect(this.send).toBeEnabled();
  }

  /** The column of one model. */
  pane(side = 0) {
    return this.page.getByRole("log", { name: side ? "Conversation with the second model" : "Conversation", exact: true });
  }

  /** A prompt and its answer. */
  turn(at = 0, side = 0) {
    return this.turns(side).nth(at);
  }

  /** The words of an answer. */
  words(at = 0, side = 0) {
    return this.turn(at, side).locator("[data-answer]");
  }

  model(label = "Model") {
    return this.page.getByLabel(label, { exact: true });
  }

  async more() {
    await this.page.getByText("System prompt and options").click();
  }

  turns(side = 0) {
    return this.pane(side).getByRole("article");
  }

  status(at = 0, side = 0) {
    return this.turn(at, side).getByRole("status");
  }

  /** Gives this text as the file to import. */
  async give(text: string, name = "conversation.json") {
    await this.page.getByLabel("Import").setInputFiles({ name, mimeType: "application/json", buffer: Buffer.from(text) });
  }

  async ask(text: string) {
    await this.prompt.fill(text);
    await this.send.click();
  }

  async expectComplete(at = 0, side = 0) {
    await expect(this.status(at, side)).toHaveText("The answer is complete");
  }

  /** Pastes into the prompt, or drops on the conversation, a file with this content. */
  async picture(how: "paste" | "drop", content: string, type: string) {
    await (how === "paste" ? this.prompt : this.pane()).evaluate(
      (field, [how, content, type]) => {
        const data = new DataTransfer();
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], "picture", { type }));
        const options = { bubbles: true, cancelable: true };
        const event =
          how === "paste"
            ? new ClipboardEvent("paste", { ...options, clipboardData: data })
            : new DragEvent("drop", { ...options, dataTransfer: data });
        field.dispatchEvent(event);
      },
      [how, content, type] as const,
    );
  }
}
