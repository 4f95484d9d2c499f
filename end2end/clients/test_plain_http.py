"""requests and curl, as the Help page shows them, and an Anthropic call with `x-api-key`."""

import json
import shutil
import subprocess

import pytest
import requests


@pytest.fixture
def headers(fortress):
    return {"Authorization": f"Bearer {fortress.key}"}


def curl(*arguments):
    program = shutil.which("curl")
    assert program, "curl is missing: install it with your distribution's package manager"
    return subprocess.run([program, "--silent", "--show-error", "--noproxy", "*", *arguments], capture_output=True)


def test_requests_streams_a_story(fortress, headers):
    data = {"model": "llama3.2", "prompt": "Tell me a short story", "stream": True}
    with requests.post(f"{fortress.url}/api/generate", headers=headers, json=data, stream=True) as response:
        response.raise_for_status()
        words = [json.loads(line)["response"] for line in response.iter_lines() if line]
    assert "".join(words) == "The sky is blue because"


def test_a_body_is_passed_on_byte_for_byte(fortress, fake, headers):
    for path, data in (
        ("/api/generate", {"model": "llama3.2", "prompt": "hi"}),
        ("/api/chat", {"model": "llama3.2", "messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/chat/completions", {"model": "llama3.2", "messages": [{"role": "user", "content": "hi"}], "stream": True}),
        ("/v1/messages", {"model": "llama3.2", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}),
    ):
        direct = requests.post(fake.url + path, json=data)
        through = requests.post(fortress.url + path, json=data, headers=headers)
        assert (through.status_code, through.content) == (direct.status_code, direct.content), path
        assert through.headers["content-type"] == direct.headers["content-type"], path


def test_the_request_body_reaches_the_backend_unchanged(fortress, fake, headers, marker):
    body = f'{{ "prompt":"{marker} \\u00e9",\n "model" : "llama3.2", "options":{{"num_ctx": 4096}} , "stream":false}}'
    answer = requests.post(f"{fortress.url}/api/generate", data=body, headers=headers)
    assert answer.status_code == 200
    assert fake.wait_for(marker)["body"] == body


def test_an_anthropic_client_is_served_by_its_own_header(fortress, marker, fake):
    data = {"model": "llama3.2", "max_tokens": 9, "messages": [{"role": "user", "content": marker}]}
    answer = requests.post(f"{fortress.url}/v1/messages", json=data, headers={"x-api-key": fortress.key})
    assert answer.json()["content"][0]["text"] == "The sky is blue because"
    assert "x-api-key" not in fake.wait_for(marker)["headers"]
    unknown = requests.post(f"{fortress.url}/v1/messages", json={**data, "model": "nope"}, headers={"x-api-key": fortress.key})
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")


def test_curl_lists_streams_and_sees_errors(fortress):
    authorization = ("-H", f"Authorization: Bearer {fortress.key}")
    tags = json.loads(curl(f"{fortress.url}/api/tags", *authorization).stdout)
    assert [model["name"] for model in tags["models"]] == ["llama3.2:latest", "nomic-embed-text:latest"]
    data = json.dumps({"model": "llama3.2", "prompt": "Why is the sky blue?"})
    lines = curl("-N", f"{fortress.url}/api/generate", *authorization, "-d", data).stdout.splitlines()
    assert len(lines) == 6 and json.loads(lines[-1])["done"]
    refused = curl("-w", "%{http_code}", "-o", "/dev/null", f"{fortress.url}/api/tags")
    assert refused.stdout == b"401"


def test_curl_sends_a_body_that_waits_for_100_continue(fortress, marker, fake):
    data = json.dumps({"model": "llama3.2", "prompt": f"{marker} " + "x" * 2_000_000, "stream": False})
    done = subprocess.run(
        ["curl", "-s", "--noproxy", "*", f"{fortress.url}/api/generate", "-H", f"Authorization: Bearer {fortress.key}",
         "-H", "Expect: 100-continue", "--data-binary", "@-"],
        input=data.encode(), capture_output=True,
    )
    assert json.loads(done.stdout)["done"]
    assert len(fake.wait_for(marker)["body"]) == len(data)


def test_a_body_in_zstd_reaches_the_backend_plain(fortress, fake, headers, marker):
    body = json.dumps({"model": "llama3.2", "input": marker}).encode()
    # One frame with one raw block: as Codex sends them, but that Python 3.11 cannot compress.
    block = (len(body) << 3 | 1).to_bytes(3, "little") + body
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + block
    headers = {**headers, "Content-Encoding": "zstd", "Content-Type": "application/json"}
    assert requests.post(f"{fortress.url}/v1/responses", headers=headers, data=frame).json()["status"] == "completed"
    seen = fake.wait_for(marker)
    assert seen["body"].encode() == body
    assert (seen["headers"].get("content-encoding"), seen["headers"]["content-length"]) == (None, str(len(body)))
    refused = requests.post(f"{fortress.url}/v1/responses", headers={**headers, "Content-Encoding": "gzip"}, data=frame)
    assert (refused.status_code, refused.headers["accept-encoding"]) == (415, "zstd")
