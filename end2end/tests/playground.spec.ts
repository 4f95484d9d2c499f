// The Playground: asking models from a page by the way of every request, as somebody without a key.

import { readFile } from "node:fs/promises";
import { ADMIN, MODELS, expect, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { PICTURE, Playground, sentTo } from "../pages/playground.ts";
import { RequestsPage, written } from "../pages/requests.ts";

const ANSWER = "The sky is blue because";

test.afterEach(async ({ fake }) => {
  await fake.script({ faults: {} });
  await fake.open();
});

/** Requests that the backend still answers. */
const running = async (fake: { control(path: string): Promise<{ requests: { ended: unknown }[] }> }) =>
  (await fake.control("records")).requests.filter(({ ended }) => ended === null).length;

test("an answer comes as it is written, with its figures, and is in the log under the administrator's name", async ({ page, fake, fortress, key }) => {
  void key;
  const app = new App(page);
  const playground = new Playground(page);
  await app.open();
  await app.mark();
  await app.go("Playground");
  await expect(playground.pane()).toContainText("Ask something below");
  await expect(playground.model()).toHaveValue("llama3.2:latest");
  await fake.hold();
  await playground.ask("first-marker: why?");
  await fake.waitFor("first-marker");
  await fake.release(2);
  await expect(playground.words()).toHaveText("The sky");
  await expect(playground.turn().getByRole("button", { name: "Stop" })).toBeVisible();
  await expect(playground.send).toBeDisabled();
  await fake.open();
  await expect(playground.words()).toHaveText(ANSWER);
  await playground.expectComplete();
  await expect(playground.prompt).toBeFocused();
  for (const figure of [/on 127\.0\.0\.1/, /warm|cold/, /first words after/, /5 tokens/, /1\.1 tokens\/s/]) {
    await expect(playground.turn()).toContainText(figure);
  }
  // The next prompt takes with it what was said.
  await playground.ask("second-marker");
  await playground.expectComplete(1);
  const sent = await sentTo(fake, "second-marker");
  expect(sent.messages.map(({ role }: { role: string }) => role)).toEqual(["user", "assistant", "user"]);
  expect(sent.messages[1].content).toBe(ANSWER);
  await app.expectSameDocument();

  const link = playground.turn().getByRole("link", { name: "In the log" });
  const id = new URL((await link.getAttribute("href"))!, fortress.url).searchParams.get("request")!;
  await written(page, fortress.url);
  // In another tab: the conversation stays where it is.
  const [log] = await Promise.all([page.context().waitForEvent("page"), link.click()]);
  await expect(new RequestsPage(log).row(id)).toContainText("Playground (admin)");
  await app.expectSameDocument();
  await expect(link).toBeVisible();
  // Neither what was asked nor what was answered is written anywhere.
  for (const words of ["first-marker", "second-marker", ANSWER]) expect(fortress.child.output).not.toContain(words);
});

test("what is stopped stays as it is and frees the backend, and can be asked again", async ({ page, fake }) => {
  const playground = new Playground(page);
  await playground.open("?model=llama3.2");
  await expect(playground.model()).toHaveValue("llama3.2:latest");
  await fake.hold();
  await playground.ask("stop-marker");
  await fake.waitFor("stop-marker");
  await fake.release(2);
  await expect(playground.words()).toHaveText("The sky");
  await playground.turn().getByRole("button", { name: "Stop" }).click();
  await expect(playground.status()).toHaveText("Stopped");
  await expect(playground.prompt).toBeFocused();
  await expect(playground.turn()).toContainText(/first words after .* in all/);
  await expect.poll(() => running(fake)).toBe(0);
  await fake.open();
  await expect(playground.words()).toHaveText("The sky");
  await playground.turn().getByRole("button", { name: "Ask again" }).click();
  await playground.expectComplete();
  await expect(playground.words()).toHaveText(ANSWER);
  await expect(playground.turns()).toHaveCount(1);
  // Leaving the page gives up what runs.
  await fake.hold();
  await playground.ask("leave-marker");
  await fake.waitFor("leave-marker");
  await new App(page).go("Help & Credits");
  await expect.poll(() => running(fake)).toBe(0);
});

test("what goes wrong is said in words, before the answer and in the middle of it", async ({ page, fake, problems }) => {
  problems.allow(/status of (500|404)/);
  const playground = new Playground(page);
  await playground.open();
  await fake.script({ faults: { "/api/chat": { status: 500 } } });
  await playground.ask("fault-marker");
  await expect(playground.status()).toHaveText("Scripted fault.");
  await fake.script({ faults: { "/api/chat": { error_after: [2, "the runner died"] } } });
  await playground.turn().getByRole("button", { name: "Ask again" }).click();
  await expect(playground.status()).toHaveText("The runner died.");
  await expect(playground.words()).toHaveText("The sky");
  await fake.script({ faults: {} });
  await playground.turn().getByRole("button", { name: "Ask again" }).click();
  await playground.expectComplete();
  await page.getByLabel("Ask two models side by side").check();
  await playground.ask("to whom?");
  await expect(playground.notice).toHaveText("Choose a model first.");
  await expect(playground.prompt).toHaveValue("to whom?");
  await expect(playground.turns()).toHaveCount(1);
  await playground.open("?model=nobody-has-this");
  await expect(playground.model().locator("option:checked")).toHaveText("nobody-has-this (not in the list)");
  await playground.ask("and this?");
  await expect(playground.status()).toHaveText("Model 'nobody-has-this' not found.");
});

test("pictures are pasted, dropped and chosen, looked at, and sent", async ({ page, fake }) => {
  const playground = new Playground(page);
  await playground.open();
  await playground.picture("paste", PICTURE, "image/png");
  await playground.picture("drop", PICTURE, "image/png");
  await expect(playground.pictures).toHaveCount(2);
  await expect.poll(() => playground.pictures.first().getByRole("img").evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(1);
  // Its bytes count, and not what it says of itself.
  await playground.picture("paste", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>").toString("base64"), "image/png");
  await expect(playground.notice).toContainText("Only pictures in PNG, JPEG or WebP");
  const file = { name: "third.png", mimeType: "image/png", buffer: Buffer.from(PICTURE, "base64") };
  await page.getByLabel("Add pictures").setInputFiles([file, file, file]);
  await expect(playground.pictures).toHaveCount(4);
  await expect(playground.notice).toHaveText("A message may have 4 pictures at most.");
  await page.getByRole("button", { name: "Remove picture 1" }).click();
  await expect(playground.pictures).toHaveCount(3);
  await playground.ask("picture-marker");
  await playground.expectComplete();
  await expect(playground.turn().getByRole("img")).toHaveCount(3);
  await expect(playground.pictures).toHaveCount(0);
  const sent = await sentTo(fake, "picture-marker");
  expect(sent.messages[0].images).toEqual([PICTURE, PICTURE, PICTURE]);
});

test("two models answer one prompt, each with a stream of its own", async ({ page, fake, problems }) => {
  problems.allow(/status of 400/);
  const playground = new Playground(page);
  await playground.open();
  await page.getByLabel("Ask two models side by side").check();
  await playground.model("Second model").selectOption("nomic-embed-text:latest");
  await playground.ask("one can chat");
  await playground.expectComplete();
  await expect(playground.status(0, 1)).toContainText("does not support chat");
  await playground.model("Second model").selectOption("llama3.2:latest");
  await fake.hold();
  await playground.ask("both-marker");
  await fake.waitFor("both-marker");
  await expect(page.getByRole("button", { name: "Stop", exact: true })).toHaveCount(2);
  await playground.turn(1, 1).getByRole("button", { name: "Stop" }).click();
  await expect(playground.status(1, 1)).toHaveText("Stopped");
  await fake.open();
  await playground.expectComplete(1);
  // Each is told its own answers only.
  await playground.ask("third-both-marker");
  await playground.expectComplete(2);
  await playground.expectComplete(2, 1);
  const roles = (count: number) => sentTo(fake, "third-both-marker", (body) => body.messages.length === count);
  await roles(5);
  await roles(1);
});

test("a conversation goes to a file and comes back, and a file that is none changes nothing", async ({ page }, testInfo) => {
  const playground = new Playground(page);
  await playground.open();
  await playground.more();
  await page.getByLabel("System prompt", { exact: true }).fill("be brief");
  await page.getByLabel("Temperature", { exact: true }).fill("0.3");
  await playground.ask("kept");
  await playground.expectComplete();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
  const path = testInfo.outputPath("conversation.json");
  await download.saveAs(path);
  const saved = JSON.parse(await readFile(path, "utf8"));
  expect(saved.turns[0].answers[0].text).toBe(ANSWER);
  expect([saved.system, saved.options]).toEqual(["be brief", { temperature: "0.3" }]);

  // A model's words are text, whatever they say.
  saved.turns[0].answers[0].text =
    "# Title\n\n**bold** `code` [good](https://good.test/) [bad](javascript:alert(1)) <img src=x onerror=alert(1)>\n\n- one\n- two\n\n```js\nlet a = 1;\n```\n\n|a|b|\n|-|-|\n|1|2|\n";
  await playground.open();
  for (const [text, why] of [
    ["{}", "The file is no conversation of this page, or not all of one: choose one that Export has saved."],
    [JSON.stringify(saved).slice(0, -9), "or not all of one"],
    [JSON.stringify({ ...saved, format: "another" }), "its format must be ollama-fortress-conversation-1"],
    [JSON.stringify({ ...saved, options: { temperature: "hot" } }), "Something in the options is not right."],
  ]) {
    await playground.give(text);
    await expect(playground.refused).toContainText(why);
    await expect(playground.turns()).toHaveCount(0);
  }
  await playground.give(JSON.stringify(saved));
  await expect(playground.refused).toBeHidden();
  const words = playground.words();
  await expect(words.getByRole("heading", { name: "Title" })).toBeVisible();
  await expect(words.getByRole("link")).toHaveCount(1);
  await expect(words.getByRole("link", { name: "good" })).toHaveAttribute("href", "https://good.test/");
  await expect(words).toContainText("[bad](javascript:alert(1)) <img src=x onerror=alert(1)>");
  await expect(words.locator("img, script")).toHaveCount(0);
  await expect(words.getByRole("listitem")).toHaveCount(2);
  await expect(words.locator("pre")).toHaveText("let a = 1;");
  await expect(words.getByRole("button", { name: "Copy" })).toBeVisible();
  await expect(words.getByRole("cell")).toHaveText(["1", "2"]);
  await playground.more();
  await expect(page.getByLabel("System prompt", { exact: true })).toHaveValue("be brief");
  await playground.newConversation.click();
  await expect(playground.turns()).toHaveCount(0);
  await expect(playground.prompt).toBeFocused();
  await page.getByRole("button", { name: "Bring the last one back" }).click();
  await expect(words.getByRole("heading", { name: "Title" })).toBeVisible();
});

test("a conversation is drawn from its end, and what was said before on demand", async ({ page }) => {
  const answer = { model: "llama3.2:latest", thinking: "", text: "", complete: true };
  // A long answer of the kind that a model writes when nothing stops it.
  const text = Array.from({ length: 600 }, (_, at) => `## Part ${at}\n\nSome *words* about ${at}.\n`).join("\n");
  const turns = Array.from({ length: 45 }, (_, at) => ({ prompt: `prompt ${at}.`, images: [], answers: [{ ...answer, text: at === 44 ? text : `answer ${at}` }, null] }));
  const playground = new Playground(page);
  await playground.open();
  await playground.give(JSON.stringify({ format: "ollama-fortress-conversation-1", models: ["llama3.2:latest", ""], both: false, system: "", options: {}, turns }));
  await expect(playground.turns()).toHaveCount(20);
  await expect(playground.turn()).toContainText("prompt 25.");
  await expect(playground.words(19).getByRole("heading")).toHaveCount(600);
  await expect(playground.words(19).getByRole("heading").last()).toBeInViewport();
  const earlier = page.getByRole("button", { name: "Show what was said before" });
  await earlier.click();
  await expect(playground.turns()).toHaveCount(40);
  await earlier.click();
  await expect(playground.turn()).toContainText("prompt 0.");
  await expect(earlier).toBeHidden();
});

test("a session that ends in the middle of an answer is told, and the conversation goes on after signing in elsewhere", async ({ page, fake, problems }) => {
  problems.allow(/status of 401/, /ERR_INCOMPLETE_CHUNKED_ENCODING/);
  const playground = new Playground(page);
  await playground.open();
  await fake.hold();
  await playground.ask("session-marker");
  await fake.waitFor("session-marker");
  await fake.release(2);
  await expect(playground.words()).toHaveText("The sky");
  const other = await page.context().newPage();
  await new App(other).open();
  await other.getByRole("button", { name: "Sign out" }).click();
  await new LoginPage(other).expectShown();
  await expect(playground.status()).toHaveText("Your session has ended, sign in again.");
  await expect(playground.words(), "what came stays").toHaveText("The sky");
  await expect.poll(() => running(fake)).toBe(0);
  await fake.open();
  await playground.turn().getByRole("button", { name: "Ask again" }).click();
  await expect(playground.status()).toHaveText("Sign in to go on.");
  const [signIn] = await Promise.all([page.waitForEvent("popup"), playground.turn().getByRole("link", { name: "Sign in in another tab" }).click()]);
  await new LoginPage(signIn).signIn(ADMIN.name, ADMIN.password);
  await playground.turn().getByRole("button", { name: "Ask again" }).click();
  await playground.expectComplete();
});

test("a conversation waits while another page is shown, and the browser asks before it goes with the document", async ({ page, fake, key }) => {
  void key;
  const app = new App(page);
  const playground = new Playground(page);
  await app.open();
  await app.go("Playground");
  await playground.ask("kept-marker");
  await playground.expectComplete();
  await fake.hold();
  await playground.ask("running-marker");
  await fake.waitFor("running-marker");
  await app.go("Models");
  await expect.poll(() => running(fake), "an answer nobody looks at any more is given up").toBe(0);
  await app.go("Playground");
  await expect(playground.words(0)).toHaveText(ANSWER);
  await expect(playground.status(1)).toHaveText("Stopped");
  await fake.open();
  await playground.ask("after-marker");
  await playground.expectComplete(2);
  expect((await sentTo(fake, "after-marker")).messages[1].content, "what was said goes on").toBe(ANSWER);

  const asked = page.waitForEvent("dialog");
  // The script must be over before the browser asks: nothing runs in the page while it waits for an answer.
  await page.evaluate(() => void setTimeout(() => location.reload()));
  const dialog = await asked;
  expect(dialog.type()).toBe("beforeunload");
  await dialog.dismiss();
  await expect(playground.words(2)).toHaveText(ANSWER);
});

test("a connection that breaks is told, and what came stays", async ({ page, start, startFake, problems }) => {
  problems.allow(/ERR_(CONNECTION_(REFUSED|RESET)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/);
  const fake = await startFake("--chunks", "5");
  const fortress = await start({ OLLAMA_SERVERS: fake.url, ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  await fortress.waitForModel(MODELS[0], await fortress.key());
  await page.goto(`${fortress.url}/admin/login?next=/admin/playground`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
  const playground = new Playground(page);
  await fake.hold();
  await playground.ask("break-marker");
  await fake.waitFor("break-marker");
  await fake.release(2);
  await expect(playground.words()).toHaveText("The sky");
  await fortress.child.stop("SIGKILL");
  await expect(playground.status()).toHaveText("The connection broke off before the end of the answer.");
  await expect(playground.words()).toHaveText("The sky");
  await playground.turn().getByRole("button", { name: "Ask again" }).click();
  await expect(playground.status()).toHaveText("The gateway does not answer; is it still running?");
});

test("where there is nothing to ask, it says what to do", async ({ page, start }) => {
  const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  await page.goto(`${fortress.url}/admin/login?next=/admin/playground`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
  const app = new App(page);
  await app.expectPage("Playground");
  await expect(page.getByText("No backend yet. Add the address of an Ollama, and its models appear here by themselves.")).toBeVisible();
  await page.getByRole("main").getByRole("link", { name: "Backends" }).click();
  await app.expectPage("Backends");
});

test("an option that means nothing is told beside its field, and nothing is asked", async ({ page, fake }) => {
  const playground = new Playground(page);
  await playground.open();
  await playground.more();
  const temperature = page.getByLabel("Temperature", { exact: true });
  await temperature.fill("hot");
  await playground.ask("option-marker");
  await expect(temperature).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByText("Must be a number from 0 to 2.")).toBeVisible();
  await expect(playground.turns()).toHaveCount(0);
  await temperature.fill("0,5");
  await page.getByLabel("Keep loaded (keep_alive)").fill("10m");
  await playground.send.click();
  await playground.expectComplete();
  const sent = await sentTo(fake, "option-marker");
  expect([sent.options, sent.keep_alive]).toEqual([{ temperature: 0.5 }, "10m"]);
});

test("the keyboard alone asks, stops and goes on", async ({ page, fake }) => {
  const playground = new Playground(page);
  await playground.open();
  await fake.hold();
  await playground.prompt.focus();
  await page.keyboard.type("keyboard-marker");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two lines");
  await page.keyboard.press("Enter");
  const sent = await sentTo(fake, "keyboard-marker");
  expect(sent.messages[0].content).toBe("keyboard-marker\ntwo lines");
  await expect(playground.prompt).toBeFocused();
  await expect(playground.prompt).toHaveValue("");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Stop all" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(playground.status()).toHaveText("Stopped");
});

test.describe("a long answer", () => {
  test("is followed while the reader is at its end, and leaves alone who reads above", async ({ page, fake }) => {
    const playground = new Playground(page);
    await playground.open();
    await fake.script({ chunks: 3000 });
    await fake.hold();
    await playground.ask("long-marker");
    await fake.waitFor("long-marker");
    await fake.release(1500);
    const pane = playground.pane();
    const away = () => pane.evaluate((pane) => pane.scrollHeight - pane.scrollTop - pane.clientHeight);
    await expect.poll(() => pane.evaluate((pane) => pane.scrollHeight - pane.clientHeight)).toBeGreaterThan(300);
    await expect.poll(away).toBeLessThan(48);
    await pane.evaluate((pane) => pane.scrollTo(0, 0));
    const newest = page.getByRole("button", { name: "To the newest" });
    await expect(newest).toBeVisible();
    await fake.open();
    await playground.expectComplete();
    expect(await pane.evaluate((pane) => pane.scrollTop)).toBe(0);
    await newest.click();
    await expect.poll(away).toBeLessThan(48);
    await fake.script({ chunks: 5 });
  });
});

test.describe("on phones", () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test("everything is within reach", async ({ page }) => {
    const playground = new Playground(page);
    await playground.open();
    await page.getByLabel("Ask two models side by side").check();
    await playground.model("Second model").selectOption("llama3.2:latest");
    await playground.ask("small");
    await playground.expectComplete();
    await playground.expectComplete(0, 1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
});

test("phrases are compared by one embedding model or two, and what cannot embed says so", async ({ page, fortress, problems }) => {
  problems.allow(/status of 404/);
  // An alias is a choice like any model.
  await fortress.run("alias", "set", "gone", "nobody-has-this");
  await new Playground(page).open();
  await page.getByRole("radio", { name: "Embeddings" }).check();
  await expect(page.getByLabel("Embedding model", { exact: true })).toHaveValue("nomic-embed-text:latest");
  const phrases = page.getByLabel("Phrases, one a line");
  const compare = page.getByRole("button", { name: "Compare" });
  await phrases.fill("alone");
  await compare.click();
  await expect(page.getByText("There must be from two to 50 phrases.")).toBeVisible();
  await phrases.fill("a cat\n\na dog\na cat");
  await page.getByLabel("Compare two embedding models").check();
  await compare.click();
  await expect(page.getByText("Choose a model first.")).toBeVisible();
  await page.getByLabel("Second embedding model").selectOption("gone");
  await compare.click();
  const found = page.getByRole("region", { name: "Vectors of nomic-embed-text:latest" });
  await expect(found.getByRole("row")).toHaveCount(4);
  await expect(found.getByRole("row").nth(1).getByRole("cell").first(), "itself").toHaveText("1.00");
  await expect(found.getByRole("row").nth(1).getByRole("cell").last(), "the same phrase again").toHaveText("1.00");
  await expect(found.getByRole("img").locator("circle")).toHaveCount(3);
  await expect(page.getByRole("alert").filter({ hasText: "gone" })).toContainText("not found");
});
