"""The LiteLLM SDK, which speaks all three dialects: `ollama_chat/`, `openai/` and `anthropic/` before a model's name."""

import litellm
import pytest

TEXT = "The sky is blue because"
DIALECTS = ["ollama_chat", "openai", "anthropic"]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

litellm.telemetry = False
litellm.suppress_debug_info = True


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


@pytest.fixture
def complete(fortress, dialect):
    """One call of `completion` in a dialect."""

    def complete(text, model="llama3.2", key=fortress.key, messages=None, **more):
        return litellm.completion(
            model=f"{dialect}/{model}",
            api_base=f"{fortress.url}/v1" if dialect == "openai" else fortress.url,
            api_key=key,
            messages=messages or [{"role": "user", "content": text}],
            max_retries=0,
            num_retries=0,
            **more,
        )

    return complete


def test_a_chat_answers_in_one_piece_with_its_usage(complete, fake, marker):
    answer = complete(f"two {marker}")
    assert answer.choices[0].message.content == TEXT
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 5)
    seen = fake.wait_for(marker)["headers"]
    assert "x-api-key" not in seen and "authorization" not in seen, "the caller's key never reaches a backend"


def test_a_chat_streams(complete):
    parts = list(complete("hi", stream=True))
    assert "".join(part.choices[0].delta.content or "" for part in parts) == TEXT
    assert parts[-1].choices[0].finish_reason == "stop"


def test_tools_are_called(complete):
    message = complete("How is the weather in Paris?", tools=[WEATHER]).choices[0].message
    (call,) = message.tool_calls
    assert (call.function.name, call.function.arguments.replace(" ", "")) == ("weather", '{"city":"Paris"}')


def test_embeddings_decode(fortress):
    # Its `ollama/` embeddings send no key, to whomever.
    answer = litellm.embedding(
        model="openai/nomic-embed-text",
        input=["one", "two words"],
        api_base=f"{fortress.url}/v1",
        api_key=fortress.key,
        encoding_format="float",
    )
    assert [len(row["embedding"]) for row in answer.data] == [8, 8]
    assert answer.usage.prompt_tokens == 3


def test_errors_have_the_types_the_client_knows(complete, dialect, fake, marker):
    # LiteLLM has no type of its own for Ollama's errors: it keeps status and text.
    unknown = litellm.APIConnectionError if dialect == "ollama_chat" else litellm.NotFoundError
    with pytest.raises(unknown, match="model 'nope' not found"):
        complete("hi", model="nope")
    stranger = litellm.APIConnectionError if dialect == "ollama_chat" else litellm.AuthenticationError
    with pytest.raises(stranger, match="invalid API key"):
        complete(marker, key="op_stranger")
    assert fake.request(marker) is None


def test_an_abandoned_stream_closes_the_backends_connection(complete, dialect, held, marker):
    held.release(3 if dialect == "anthropic" else 1)
    stream = complete(marker, stream=True)
    first = next(part for part in stream if part.choices[0].delta.content)
    assert first.choices[0].delta.content == "The"
    # Its own stream cannot be closed unless it is asynchronous; what that reads from can.
    source = stream.completion_stream
    (source if dialect == "openai" else source.streaming_response).close()
    assert held.wait_for(marker, lambda request: request["ended"])["ended"] == "CallerGone"
