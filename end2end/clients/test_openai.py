"""The official Python client of OpenAI, on the /v1 endpoints."""

import openai
import pytest

TEXT = "The sky is blue because"


@pytest.fixture
def client(fortress):
    return openai.OpenAI(base_url=f"{fortress.url}/v1", api_key=fortress.key, max_retries=0)


def ask(text):
    return [{"role": "user", "content": text}]


def test_models_are_listed_and_found(client):
    assert {model.id for model in client.models.list()} == {"llama3.2:latest", "nomic-embed-text:latest"}
    assert client.models.retrieve("llama3.2:latest").owned_by == "library"


def test_chat_answers_in_one_piece_with_its_usage(client):
    answer = client.chat.completions.create(model="llama3.2", messages=ask("two words"))
    assert answer.choices[0].message.content == TEXT
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 5)


def test_chat_streams_with_usage_only_when_asked(client):
    with_usage = list(
        client.chat.completions.create(
            model="llama3.2", messages=ask("two words"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in with_usage if chunk.choices) == TEXT
    assert with_usage[-1].usage.total_tokens == 7
    without = list(client.chat.completions.create(model="llama3.2", messages=ask("two words"), stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in without)


def test_completions_and_responses_answer(client):
    assert client.completions.create(model="llama3.2", prompt="hi").choices[0].text == TEXT
    assert client.responses.create(model="llama3.2", input="hi").output_text == TEXT
    with client.responses.stream(model="llama3.2", input="hi") as stream:
        assert "".join(event.delta for event in stream if event.type == "response.output_text.delta") == TEXT


def test_embeddings_decode(client):
    answer = client.embeddings.create(model="nomic-embed-text", input=["one", "two words"])
    assert [len(row.embedding) for row in answer.data] == [8, 8]
    assert answer.usage.prompt_tokens == 3


def test_errors_have_the_types_the_client_knows(client, fortress):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nope", messages=ask("hi"))
    assert caught.value.body["message"] == "model 'nope' not found"
    assert caught.value.type == "not_found_error"
    stranger = openai.OpenAI(base_url=f"{fortress.url}/v1", api_key="sk-stranger", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model="llama3.2", messages=ask("hi"))


def test_an_abandoned_stream_closes_the_backends_connection(client, held, marker):
    held.release()
    stream = client.chat.completions.create(model="llama3.2", messages=ask(marker), stream=True)
    assert next(iter(stream)).choices[0].delta.content == "The"
    stream.close()
    assert held.wait_for(marker, lambda request: request["ended"])["ended"] == "CallerGone"
