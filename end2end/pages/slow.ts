import { expect } from "@playwright/test";

/** What a fake backend can be told. */
type Held = { hold(): Promise<unknown>; waitFor(prompt: string): Promise<unknown>; open(): Promise<unknown> };

/** Sends a call that a held backend keeps waiting for so long that it is called slow; the number that its caller got. */
export async function slowCall(url: string, key: string, fake: Held, prompt: string) {
  const body = JSON.stringify({ model: "llama3.2", prompt });
  const call = fetch(`${url}/api/generate`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body });
  await fake.waitFor(prompt);
  const begun = Date.now();
  // Below two seconds nothing is called slow.
  await expect.poll(() => Date.now() - begun).toBeGreaterThan(2_200);
  await fake.open();
  const answer = await call;
  await answer.text();
  return answer.headers.get("x-request-id")!;
}
