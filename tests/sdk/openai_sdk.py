"""The official OpenAI SDK, unchanged, against a gateway.

Run by tests/serving/sdk.rs with the gateway's address as the one argument. The provider behind it
answers well, but for the models "test-unauthorized" (401), "test-limited" (429) and "test-numbers"
(which embeds texts as the numbers at their ends).
"""

import sys

import openai

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="sk-sdk", max_retries=0)


def messages(text):
    return [{"role": "user", "content": text}]


def chat():
    answer = client.chat.completions.create(model="test-model", messages=messages("chat"))
    assert answer.choices[0].message.content.startswith("This is answer number"), answer
    assert answer.choices[0].finish_reason == "stop", answer
    assert answer.usage.total_tokens == 21, answer


def second_chat_is_a_hit():
    def ask():
        return client.chat.completions.with_raw_response.create(
            model="test-model", messages=messages("twice"), temperature=0
        )

    first, second = ask(), ask()
    assert first.headers["x-cache"] == "MISS", first.headers
    assert second.headers["x-cache"] == "HIT", second.headers
    assert second.headers["x-cache-level"] == "L1", second.headers
    assert "anteroom; hit" in second.headers["cache-status"], second.headers
    assert first.parse() == second.parse()


def stream():
    def ask():
        chunks = client.chat.completions.create(
            model="test-model",
            messages=messages("stream"),
            stream=True,
            stream_options={"include_usage": True},
        )
        return list(chunks)

    first, second = ask(), ask()
    words = [chunk.choices[0].delta.content or "" for chunk in first if chunk.choices]
    assert "".join(words).startswith("This is answer number"), words
    assert len(words) > 5, words
    assert first[-1].usage.total_tokens == 21, first[-1]
    assert first == second, "the repeat replays the same events"


def both_forms():
    # What one form was asked for, the other is answered with: the provider hears of it once.
    def whole(text):
        answer = client.chat.completions.create(model="test-model", messages=messages(text))
        choice = answer.choices[0]
        return answer.id, choice.message.content, choice.finish_reason, answer.usage.total_tokens

    def streamed(text):
        chunks = list(
            client.chat.completions.create(
                model="test-model",
                messages=messages(text),
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        choices = [choice for chunk in chunks for choice in chunk.choices]
        content = "".join(choice.delta.content or "" for choice in choices)
        assert choices[0].delta.role == "assistant", chunks
        return chunks[0].id, content, choices[-1].finish_reason, chunks[-1].usage.total_tokens

    assert streamed("streamed first") == whole("streamed first")
    assert whole("whole first") == streamed("whole first")


def completions():
    answer = client.completions.create(model="test-model", prompt="completions")
    assert answer.choices[0].text.startswith("This is answer number"), answer


def responses():
    answer = client.responses.create(model="test-model", input="responses")
    assert answer.output_text.startswith("This is answer number"), answer
    events = list(client.responses.create(model="test-model", input="events", stream=True))
    assert events[0].type == "response.created", events
    assert events[-1].type == "response.completed", events
    assert events[-1].response.output_text.startswith("This is answer number"), events


def embeddings():
    # The SDK asks for base64 of its own accord and decodes it.
    answer = client.embeddings.create(model="test-embedding", input=["a", "b"])
    assert [len(item.embedding) for item in answer.data] == [3, 3], answer
    assert answer.data[0].embedding[1:] == [0.5, -0.25], answer
    assert [item.index for item in answer.data] == [0, 1], answer


def embeddings_in_parts():
    # The provider embeds "item 7" as 7, and counts a token for each input.
    def ask(numbers):
        texts = [f"item {number}" for number in numbers]
        answer = client.embeddings.create(model="test-numbers", input=texts)
        assert [item.index for item in answer.data] == list(range(len(texts))), answer
        assert [item.embedding[0] for item in answer.data] == list(numbers), answer
        return answer.usage.total_tokens

    assert ask(range(90)) == 90
    assert ask(range(99, -1, -1)) == 10
    assert ask(range(100)) == 0


def models():
    names = [model.id for model in client.models.list()]
    assert names == ["test-model", "test-embedding"], names


def errors():
    cases = [
        ("test-unauthorized", openai.AuthenticationError, 401),
        ("test-limited", openai.RateLimitError, 429),
    ]
    for model, kind, status in cases:
        # Twice: an error is never answered from the cache.
        for _ in range(2):
            try:
                client.chat.completions.create(model=model, messages=messages("error"))
            except kind as error:
                assert error.status_code == status, error
                assert error.code == model, error
                assert error.response.headers.get("x-cache") != "HIT", error.response.headers
            else:
                raise AssertionError(f"{model}: no error")


for step in [
    chat,
    second_chat_is_a_hit,
    stream,
    both_forms,
    completions,
    responses,
    embeddings,
    embeddings_in_parts,
    models,
    errors,
]:
    step()
    print(f"{step.__name__}: ok", flush=True)
