"""A stand-in for OpenRouter, spoken to over real HTTP: ``python -m tests.support.mock_openrouter --port 0``.

The model of a request says how it is answered: ``mock/`` and words joined by ``-``.

    n64    content deltas in a stream              j200   words in a whole reply
    d15    ms between deltas (0: one send each)    w100   ms before the response begins
    c4096  context length in tokens, enforced      k2     only the first 2 requests of this model fail
    h8     after 8 deltas of a stream, waits until it is released
    r3     Retry-After of an error, in seconds     s5     seconds that an xstall lasts
    echo   answers with the user's last words      count  counts the prompt's tokens, honours max_tokens
    uni    text of many scripts                    bytes  the stream in pieces of one byte
    tools  calls a tool                            reason thinks aloud first
    x...   a fault: an HTTP status such as x429, or a name in ``faults`` or ``spoil``, such as xcut

So ``mock/n64-d0``, ``mock/n64-d15-xcut``, ``mock/x429-r0-k2``, ``mock/echo-c512``. A model without ``mock/`` does
not exist. Paths under ``/api/v1`` speak as OpenRouter does; under ``/v1`` as OpenAI does (usage only if asked for),
with ``/vllm/v1`` and ``/llamacpp/v1`` for their forms of the list of models. A key that begins with ``sk-wrong`` is
refused, one that begins with ``sk-poor`` has no credit left, ``sk-spent`` says so in its own record.

``/_stats`` counts what was seen; ``/_requests?last=5`` shows the last requests in full; ``/_wait?open=0`` answers once
so many replies are being made (other counters: at least so many); ``/_release`` lets replies of ``h`` go on, also those
that come later, until ``/_hold``; ``/_reset`` forgets everything, and holds.
"""
