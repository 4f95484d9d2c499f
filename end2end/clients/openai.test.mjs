// The official JavaScript client of OpenAI, on the /v1 endpoints.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { Fake, Fortress } from "./fortress.mjs";

const TEXT = "The sky is blue because";
let fake, fortress, client;

const connect = (apiKey) => new OpenAI({ baseURL: `${fortress.url}/v1`, apiKey, maxRetries: 0 });
const ask = (content, more = {}) => ({ model: "llama3.2", messages: [{ role: "user", content }], ...more });

before(async () => {
  fake = await Fake.start("--chunks", "5");
  fortress = await Fortress.start({ OLLAMA_SERVERS: fake.url, ADMIN_USER: "admin", ADMIN_PASSWORD: "correct horse battery" });
  const key = await fortress.key();
  await fortress.waitForModel("llama3.2", key);
  client = connect(key);
});

after(async () => {
  await fortress?.stop();
  await fake?.stop();
});

test("models are listed and found", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names.sort(), ["llama3.2:latest", "nomic-embed-text:latest"]);
  assert.equal((await client.models.retrieve("llama3.2:latest")).owned_by, "library");
});

test("a chat answers in one piece with its usage", async () => {
  const marker = randomUUID();
  const answer = await client.chat.completions.create(ask(`two ${marker}`));
  assert.equal(answer.choices[0].message.content, TEXT);
  assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens], [2, 5]);
  const { headers } = await fake.waitFor(marker);
  assert.equal(headers.authorization, undefined, "the caller's key never reaches a backend");
});

test("a chat streams word by word, with usage only when asked", async () => {
  const words = async (more) => {
    const parts = [];
    for await (const part of await client.chat.completions.create(ask("hi", { stream: true, ...more }))) parts.push(part);
    return parts;
  };
  const without = await words();
  assert.equal(without.map((part) => part.choices[0].delta.content ?? "").join(""), TEXT);
  assert.ok(without.every((part) => !part.usage));
  assert.equal((await words({ stream_options: { include_usage: true } })).at(-1).usage.total_tokens, 6);
});

test("completions, responses and embeddings answer", async () => {
  assert.equal((await client.completions.create({ model: "llama3.2", prompt: "hi" })).choices[0].text, TEXT);
  assert.equal((await client.responses.create({ model: "llama3.2", input: "hi" })).output_text, TEXT);
  const { data } = await client.embeddings.create({ model: "nomic-embed-text", input: ["one", "two"] });
  assert.deepEqual(data.map((row) => row.embedding.length), [8, 8]);
});

test("tools are called and answered", async () => {
  const parameters = { type: "object", properties: { city: { type: "string" } } };
  const runner = client.chat.completions.runTools({
    ...ask("How is the weather in Paris?"),
    tools: [{ type: "function", function: { name: "weather", parse: JSON.parse, function: ({ city }) => `rain in ${city}`, parameters } }],
  });
  assert.equal(await runner.finalContent(), TEXT);
  assert.deepEqual(await runner.finalFunctionToolCallResult(), "rain in Paris");
});

test("an unknown model and a wrong key are errors the client understands", async () => {
  await assert.rejects(client.chat.completions.create(ask("hi", { model: "nope" })), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.deepEqual([error.type, error.error.message], ["not_found_error", "model 'nope' not found"]);
    return true;
  });
  await assert.rejects(connect("sk-stranger").models.list(), OpenAI.AuthenticationError);
});

test("an aborted stream closes the backend's connection", async () => {
  await fake.hold();
  try {
    await fake.release();
    const marker = randomUUID();
    const stream = await client.chat.completions.create(ask(marker, { stream: true }));
    const parts = stream[Symbol.asyncIterator]();
    assert.equal((await parts.next()).value.choices[0].delta.content, "The");
    stream.controller.abort();
    const request = await fake.waitFor(marker, (request) => request.ended !== null);
    assert.equal(request.ended, "CallerGone");
  } finally {
    await fake.open();
  }
});
