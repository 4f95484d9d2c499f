"""langchain-ollama: chat models, text models and embeddings over Ollama's own API."""

import ollama
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM

WORDS = ["The", " sky", " is", " blue", " because"]


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


def options(fortress, key=None):
    return {"base_url": fortress.url, "client_kwargs": {"headers": {"Authorization": f"Bearer {key or fortress.key}"}}}


@pytest.fixture
def chat(fortress):
    return ChatOllama(model="llama3.2", **options(fortress))


def test_a_chat_answers_with_its_usage(chat, fake, marker):
    answer = chat.invoke(f"two {marker}")
    assert answer.content == "".join(WORDS)
    assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (2, 5)
    assert "authorization" not in fake.wait_for(marker)["headers"], "the caller's key never reaches a backend"


def test_the_model_is_shown_before_it_is_used(fortress):
    ChatOllama(model="llama3.2", validate_model_on_init=True, **options(fortress))
    with pytest.raises(ValueError, match="nope"):
        ChatOllama(model="nope", validate_model_on_init=True, **options(fortress))


def test_a_chat_streams_word_by_word(chat, held, marker):
    held.release()
    stream = chat.stream(marker)
    assert next(stream).content == "The"
    assert held.wait_for(marker)["frames"] == 1, "the first word came while the second was not yet sent"
    held.open()
    assert "".join(part.content for part in stream) == "".join(WORDS[1:])


def test_a_text_model_answers_and_streams(fortress):
    model = OllamaLLM(model="llama3.2", **options(fortress))
    assert model.invoke("hi") == "".join(WORDS)
    assert [word for word in model.stream("hi") if word] == WORDS


def test_tools_are_called_and_answered(chat):
    model = chat.bind_tools([weather])
    question = HumanMessage("How is the weather in Paris?")
    answer = model.invoke([question])
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Paris"})
    result = weather.invoke(call)
    assert isinstance(result, ToolMessage) and result.content == "rain in Paris"
    assert model.invoke([question, answer, result]).content == "".join(WORDS)


def test_embeddings_of_documents_and_queries(fortress):
    embeddings = OllamaEmbeddings(model="nomic-embed-text", **options(fortress))
    one, two = embeddings.embed_documents(["one", "two words"])
    assert (len(one), len(two)) == (8, 8)
    assert embeddings.embed_query("one") == one


def test_errors_have_the_types_the_client_knows(fortress, fake, marker):
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found") as caught:
        ChatOllama(model="nope", **options(fortress)).invoke("hi")
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError) as caught:
        ChatOllama(model="llama3.2", **options(fortress, "op_stranger")).invoke(marker)
    assert caught.value.status_code == 401
    assert fake.request(marker) is None


def test_an_abandoned_stream_closes_the_backends_connection(chat, held, marker):
    held.release()
    stream = chat.stream(marker)
    assert next(stream).content == "The"
    stream.close()
    assert held.wait_for(marker, lambda request: request["ended"])["ended"] == "CallerGone"
