"""The official Python client of Anthropic, on /v1/messages."""

import anthropic
import pytest

TEXT = "The sky is blue because"
WEATHER = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def connect(url, key):
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)


@pytest.fixture
def client(fortress):
    return connect(fortress.url, fortress.key)


def ask(text, **more):
    return {"model": "llama3.2", "max_tokens": 99, "messages": [{"role": "user", "content": text}], **more}


def test_models_are_listed(client):
    assert {model.id for model in client.models.list()} == {"llama3.2:latest", "nomic-embed-text:latest"}


def test_a_message_is_answered_in_one_piece_with_its_usage(client, fake, marker):
    answer = client.messages.create(**ask(f"two words {marker}", system="be brief"))
    assert (answer.role, answer.content[0].text, answer.stop_reason) == ("assistant", TEXT, "end_turn")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 5)
    seen = fake.wait_for(marker)["headers"]
    assert "anthropic-version" in seen
    assert "x-api-key" not in seen and "authorization" not in seen, "the caller's key never reaches a backend"


def test_a_message_streams_word_by_word(client, held, marker):
    held.release(3)
    with client.messages.stream(**ask(marker)) as stream:
        words = iter(stream.text_stream)
        assert next(words) == "The"
        assert held.wait_for(marker)["frames"] == 3, "the first word came while the second was not yet sent"
        held.open()
        assert list(words) == [" sky", " is", " blue", " because"]
        final = stream.get_final_message()
    assert (final.content[0].text, final.stop_reason, final.usage.output_tokens) == (TEXT, "end_turn", 5)


def test_tools_are_called_and_answered(client):
    question = ask("How is the weather in Paris?", tools=[WEATHER])
    answer = client.messages.create(**question)
    with client.messages.stream(**question) as stream:
        streamed = stream.get_final_message()
    for message in (answer, streamed):
        assert message.stop_reason == "tool_use"
        (call,) = message.content
        assert (call.type, call.name, call.input) == ("tool_use", "weather", {"city": "Paris"})
    question["messages"] += [
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": answer.content[0].id, "content": "rain"}]},
    ]
    assert client.messages.create(**question).content[0].text == TEXT


def test_errors_have_the_types_the_client_knows(client, fortress, fake, marker):
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(**ask("hi") | {"model": "nope"})
    assert caught.value.body["error"] == {"type": "not_found_error", "message": "model 'nope' not found"}
    with pytest.raises(anthropic.BadRequestError, match="cloud|max_tokens"):
        client.messages.create(**ask("hi") | {"max_tokens": 0})
    stranger = connect(fortress.url, "sk-ant-stranger")
    with pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(**ask(marker))
    assert fake.request(marker) is None


def test_an_abandoned_stream_closes_the_backends_connection(client, held, marker):
    held.release(3)
    with client.messages.stream(**ask(marker)) as stream:
        assert next(iter(stream.text_stream)) == "The"
    assert held.wait_for(marker, lambda request: request["ended"])["ended"] == "CallerGone"
