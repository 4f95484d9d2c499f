"""lollms-client with its Ollama binding, as the Help page shows it."""

import pytest
from lollms_client import LollmsClient


def connect(url, key):
    return LollmsClient(
        llm_binding_name="ollama",
        llm_binding_config={"host_address": url, "model_name": "llama3.2", "service_key": key},
        debug=False,
    )


@pytest.fixture
def client(fortress):
    return connect(fortress.url, fortress.key)


def stream(client, prompt):
    """The chunks its callback gets, and what the call returns."""
    chunks = []

    def keep(chunk, _message_type):
        chunks.append(chunk)
        return True

    return chunks, client.generate_text(prompt=prompt, stream=True, streaming_callback=keep)


def test_generate_text_streams_what_it_streams_without_the_gateway(client, fake, marker):
    chunks, text = stream(client, f"What is the capital of France? {marker}")
    assert (chunks, text) == stream(connect(fake.url, "unused"), "What is the capital of France?")
    # This release of the client hands every chunk to the callback twice while thinking is off.
    assert list(dict.fromkeys(chunks)) == ["The", " sky", " is", " blue", " because"]
    assert "authorization" not in fake.wait_for(marker)["headers"], "the service key ends at the gateway"


def test_generate_text_answers_in_one_piece(client):
    assert client.generate_text(prompt="hi", stream=False) == "The sky is blue because"


def test_list_models_names_the_models_of_the_fleet(client):
    assert [model["model_name"] for model in client.list_models()] == ["llama3.2:latest", "nomic-embed-text:latest"]


def test_embed_gives_a_vector(client):
    assert len(client.embed("hello", model="nomic-embed-text")) == 8


def test_an_unknown_model_is_named_in_the_error(fortress):
    client = connect(fortress.url, fortress.key)
    client.llm.model_name = "nope"
    with pytest.raises(RuntimeError, match="model 'nope' not found"):
        client.generate_text(prompt="hi", stream=False)


def test_a_callback_that_stops_closes_the_backends_connection(client, held, marker):
    held.release()
    client.generate_text(prompt=marker, stream=True, streaming_callback=lambda *_: False)
    client.llm._shared_client.close()
    assert held.wait_for(marker, lambda request: request["ended"])["ended"] == "CallerGone"
