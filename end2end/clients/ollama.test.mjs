// The official JavaScript client of Ollama, through the gateway.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Ollama } from "ollama";
import { Fake, Fortress } from "./fortress.mjs";

const WORDS = ["The", " sky", " is", " blue", " because", ""];
let fake, fortress, key, client;

before(async () => {
  fake = await Fake.start("--chunks", "5");
  fortress = await Fortress.start({ OLLAMA_SERVERS: fake.url, ADMIN_USER: "admin", ADMIN_PASSWORD: "correct horse battery" });
  key = await fortress.key();
  await fortress.waitForModel("llama3.2", key);
  client = new Ollama({ host: fortress.url, headers: { Authorization: `Bearer ${key}` } });
});

after(async () => {
  await fortress?.stop();
  await fake?.stop();
});

test("list and show name the models of the fleet", async () => {
  const { models } = await client.list();
  assert.deepEqual(models.map((model) => model.name), ["llama3.2:latest", "nomic-embed-text:latest"]);
  assert.deepEqual((await client.show({ model: "llama3.2" })).capabilities, ["completion"]);
});

test("generate answers in one piece", async () => {
  const answer = await client.generate({ model: "llama3.2", prompt: "two words" });
  assert.deepEqual([answer.response, answer.prompt_eval_count, answer.eval_count], [WORDS.join(""), 2, 5]);
});

test("chat streams every word and ends", async () => {
  const words = [];
  for await (const part of await client.chat({ model: "llama3.2", messages: [{ role: "user", content: "hi" }], stream: true })) {
    words.push(part.message.content);
  }
  assert.deepEqual(words, WORDS);
});

test("embed gives one vector a text", async () => {
  const { embeddings } = await client.embed({ model: "nomic-embed-text", input: ["one", "two"] });
  assert.deepEqual(embeddings.map((vector) => vector.length), [8, 8]);
});

test("an unknown model and a wrong key are errors the client understands", async () => {
  await assert.rejects(client.generate({ model: "nope", prompt: "hi" }), { message: "model 'nope' not found", status_code: 404 });
  const stranger = new Ollama({ host: fortress.url, headers: { Authorization: "Bearer op_stranger" } });
  await assert.rejects(stranger.list(), { status_code: 401 });
});

test("an aborted stream closes the backend's connection", async () => {
  await fake.hold();
  try {
    await fake.release();
    const marker = randomUUID();
    const stream = await client.generate({ model: "llama3.2", prompt: marker, stream: true });
    const parts = stream[Symbol.asyncIterator]();
    assert.equal((await parts.next()).value.response, "The");
    stream.abort();
    await assert.rejects(parts.next(), { name: "AbortError" });
    const request = await fake.waitFor(marker, (request) => request.ended !== null);
    assert.equal(request.ended, "CallerGone");
  } finally {
    await fake.open();
  }
});
