"""The official Python client of Ollama."""

import json

import ollama
import pytest
from fortress import until

TEXT = "The sky is blue because"


@pytest.fixture
def client(fortress):
    return ollama.Client(host=fortress.url, headers={"Authorization": f"Bearer {fortress.key}"})


def test_list_names_the_models_of_the_fleet(client):
    assert [model.model for model in client.list().models] == ["llama3.2:latest", "nomic-embed-text:latest"]


def test_show_describes_a_model(client):
    assert client.show("llama3.2").capabilities == ["completion"]


def test_generate_answers_in_one_piece(client, fake, marker):
    answer = client.generate("llama3.2", f"why {marker}")
    assert (answer.response, answer.done_reason, answer.prompt_eval_count, answer.eval_count) == (TEXT, "stop", 2, 5)
    seen = fake.wait_for(marker)
    assert fortress_secrets(seen) == [], "the caller's key never reaches a backend"


def fortress_secrets(request):
    return [name for name, value in request["headers"].items() if "op_" in value or name in ("authorization", "cookie")]


def test_chat_streams_every_word_and_ends(client):
    parts = list(client.chat("LLAMA3.2", messages=[{"role": "user", "content": "hi"}], stream=True))
    assert [part.message.content for part in parts] == ["The", " sky", " is", " blue", " because", ""]
    assert parts[-1].done and not any(part.done for part in parts[:-1])
    assert {part.model for part in parts} == {"LLAMA3.2"}, "the client's own spelling comes back"


def test_a_stream_arrives_word_by_word(client, held, marker):
    held.release()
    stream = client.generate("llama3.2", marker, stream=True)
    assert next(stream).response == "The"
    assert held.wait_for(marker)["frames"] == 1, "the first word came while the second was not yet sent"
    held.open()
    assert "".join(part.response for part in stream) == " sky is blue because"


def test_embed_gives_one_vector_a_text(client):
    answer = client.embed("nomic-embed-text", ["one", "two words"])
    assert (len(answer.embeddings), answer.prompt_eval_count) == (2, 3)


def test_ps_lists_the_models_that_the_backend_has_loaded(client, fortress, fake):
    def loaded(client):
        return [(model.model, model.size_vram, model.context_length) for model in client.ps().models]

    client.generate("llama3.2", "load it")
    direct = loaded(ollama.Client(host=fake.url))
    assert "llama3.2:latest" in [model for model, *_ in direct]
    # A backend that is enabled is looked at, at once and not when the interval has passed.
    backend = json.loads(fortress.run("backend", "list", "--json"))[0]["name"]
    for command in ("disable", "enable"):
        fortress.run("backend", command, backend)
    until(lambda: loaded(client) == direct, "what the backend itself lists")


def test_an_unknown_model_is_the_error_ollama_gives(client, fake):
    direct = ollama.Client(host=fake.url)
    for call in (
        lambda client: client.chat("nope", messages=[{"role": "user", "content": "hi"}]),
        lambda client: client.generate("nope", "hi"),
        lambda client: client.show("nope"),
        lambda client: client.embed("nope", "hi"),
    ):
        errors = []
        for one in (direct, client):
            with pytest.raises(ollama.ResponseError) as caught:
                call(one)
            errors.append((caught.value.status_code, caught.value.error))
        assert errors[0] == errors[1]
        assert errors[0][0] == 404


def test_a_wrong_key_is_refused_and_reaches_no_backend(fortress, fake, marker):
    key = fortress.key[:-1] + ("a" if fortress.key[-1] != "a" else "b")
    client = ollama.Client(host=fortress.url, headers={"Authorization": f"Bearer {key}"})
    with pytest.raises(ollama.ResponseError) as caught:
        client.generate("llama3.2", marker)
    assert caught.value.status_code == 401
    assert fake.request(marker) is None


def test_an_abandoned_stream_closes_the_backends_connection(client, held, marker):
    held.release()
    stream = client.chat("llama3.2", messages=[{"role": "user", "content": marker}], stream=True)
    assert next(stream).message.content == "The"
    stream.close()
    assert held.wait_for(marker, lambda request: request["ended"])["ended"] == "CallerGone"
