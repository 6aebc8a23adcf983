"""Decides which error of core an error of a server is: by its code, its words and its status."""

from __future__ import annotations

import re

from idolchat_core import (
    ContextTooLong,
    ModelNotFound,
    NotAuthorized,
    PaymentRequired,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)
from idolchat_llm_openrouter.error_object import ErrorObject

__all__ = ["can_be_retried", "kind_of"]

# Codes in one spelling: lower case letters, without "error" or "exception" at the end.
CODES: dict[type[ProviderError], str] = {
    ContextTooLong: """contextlengthexceeded contextwindowexceeded modelcontextwindowexceeded exceedcontextsize
        tokenlimitexceeded tokenslimitreached stringtoolong stringabovemaxlength prompttoolong inputtoolong""",
    NotAuthorized: "authentication unauthenticated unauthorized invalidapikey permission permissiondenied accessdenied",
    PaymentRequired: """paymentrequired insufficientquota insufficientbalance insufficientcredits billing
        billinghardlimitreached billingnotactive""",
    RateLimited: """ratelimit ratelimited ratelimitexceeded toomanyrequests capacityexhausted resourceexhausted
        throttling""",
    ProviderUnavailable: """provideroverloaded providerunavailable temporarilyunavailable server internal internalserver
        overloaded engineoverloaded serviceunavailable unavailable api modelnotready""",
    ProviderTimeout: "timeout requesttimeout gatewaytimeout deadlineexceeded",
    ModelNotFound: """modelnotfound noendpoints modeldeprecated modeldecommissioned modelunavailableupstream
        modelnotsupported regionrestricted privacyrestricted constraintfiltered freevariantended""",
    RequestRefused: """wrongendpoint maxtokensexceeded invalidprompt preconditionfailed payloadtoolarge requesttoolarge
        unprocessable unprocessableentity contentpolicyviolation contentfilter refusal invalidimage notimplemented
        unsupportedparameter unsupportedvalue missingrequiredparameter invalidparameter invalidvalue""",
}
KINDS = {code: kind for kind, codes in CODES.items() for code in codes.split()}
VAGUE_CODES = frozenset(("invalidrequest", "badrequest", "invalidargument", "validation"))
"""Codes that say no more than a status of 400; where the status says more, it counts."""

STATUSES: dict[int, type[ProviderError]] = {
    401: NotAuthorized, 402: PaymentRequired, 403: NotAuthorized, 404: ModelNotFound, 407: ProviderUnavailable,
    408: ProviderTimeout, 413: RequestRefused, 425: ProviderUnavailable, 429: RateLimited, 501: RequestRefused,
    504: ProviderTimeout, 524: ProviderTimeout,
}  # fmt: skip

TOO_LONG = re.compile(
    "|".join(
        (
            r"context.?(length|window|size|limit)",  # OpenAI, OpenRouter, vLLM, SGLang, llama.cpp, Mistral, Ollama
            r"(prompt|inputs?|request|messages?) (is |are |was )?too long",  # Anthropic, Bedrock, Fireworks, Ollama
            r"reduce the length of",  # OpenAI, Groq, Cerebras
            r"maximum prompt length",  # xAI
            r"prompt (length|tokens?|token count)\b.{0,40}(greater|longer|exceed)",  # TabbyAPI, Copilot
            r"input (length|tokens?|token count)\b.{0,60}(exceed|greater|longer)",  # Gemini, OpenAI, watsonx, Poolside
            r"max(imum)?.?(seq(uence)?.?len(gth)?|model length|(allowed )?input length)",  # TabbyAPI, vLLM
            r"`inputs` (tokens \+ `max_new_tokens` must be|must have less than)",  # TGI, Together
            r"exceed(s|ed)? (the )?(model )?(token limit|max(imum)? length)",  # Moonshot, Zhipu
            r"token limit exceeded",
            r"too many (input )?tokens",  # Cohere, Titan
            r"range of input length should be",  # DashScope
            r"tokens in request more than max",
            r"too large to process",  # llama.cpp's batch
        )
    ),
    re.IGNORECASE,
)
OVER_THE_MINUTE = re.compile(
    r"too large for .{0,120}tokens|reduce your message size|tokens must be reduced", re.IGNORECASE
)
"""One request with more tokens than the account has for a minute (Groq, OpenAI, GitHub): waiting does not help."""

ABOUT_THE_REPLY = re.compile(
    r"maximum value for `?max_|supports at most \d+ completion|maximum allowed number of output", re.IGNORECASE
)
ABOUT_THE_RATE = re.compile(r"rate.?limit|throttl|too many requests|please wait|per (minute|day|hour)", re.IGNORECASE)
UNKNOWN_MODEL = re.compile(
    r"not a valid model|no such model|unknown model|model.{0,80}(not found|not exist|not supported)", re.IGNORECASE
)
NO_CREDIT = re.compile(
    r"credit balance is too low|insufficient (balance|credit|funds|quota)|out of credits", re.IGNORECASE
)
REFUSED_FOR_MORE = (401, 402, 403, 407)


def kind_of(error: ErrorObject) -> type[ProviderError]:
    """Choose the class of an error."""
    if error.is_moderation:
        return RequestRefused
    codes = [_plain(code) for code in error.codes]
    known = next((KINDS[code] for code in codes if code in KINDS), None)
    if known is ContextTooLong or _is_too_long(error):
        return ContextTooLong
    if error.status == 413:  # the same request cannot succeed, whatever its code says
        return RequestRefused
    if known and known is not RequestRefused:
        return known
    told = _kind_by_words(error) or known
    if told:
        return told
    if error.status not in STATUSES and VAGUE_CODES.intersection(codes):
        return RequestRefused
    return _kind_of_status(error.status)


def _kind_by_words(error: ErrorObject) -> type[ProviderError] | None:
    if error.status in (None, 400, 404, 422) and UNKNOWN_MODEL.search(error.words):
        return ModelNotFound
    if error.status not in (401, 403, 429) and NO_CREDIT.search(error.words):
        return PaymentRequired
    return None


def can_be_retried(kind: type[ProviderError], error: ErrorObject) -> bool:
    """Return whether the same request may succeed later."""
    return issubclass(kind, ProviderUnavailable | RateLimited) and error.may_retry is not False


def _is_too_long(error: ErrorObject) -> bool:
    if error.status in REFUSED_FOR_MORE or ABOUT_THE_REPLY.search(error.words):
        return False
    if OVER_THE_MINUTE.search(error.words):
        return True
    if error.status == 429 or ((error.status is None or error.status >= 500) and ABOUT_THE_RATE.search(error.words)):
        return False
    return TOO_LONG.search(error.words) is not None


def _plain(code: str) -> str:
    letters = re.sub("[^a-z]", "", code.lower())
    return letters.removesuffix("exception").removesuffix("error") or letters


def _kind_of_status(status: int | None) -> type[ProviderError]:
    if status in STATUSES:
        return STATUSES[status]
    return RequestRefused if status and 400 <= status < 500 else ProviderUnavailable
