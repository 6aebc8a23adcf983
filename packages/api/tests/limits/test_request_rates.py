"""Requests are counted by user and by address, and refused with how long to wait."""

from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from starlette.types import Scope as AsgiScope

from idolchat_api.asgi.responses import problem_headers
from idolchat_api.auth.principal import ANYONE, LOCAL, Principal, Scope
from idolchat_api.connections.limiter import ConnectionLimiter
from idolchat_api.errors import problem_from
from idolchat_api.limits.request_rates import RequestRates, address_of
from idolchat_api.settings.api import ApiSettings
from idolchat_api.testing import NewKey, serving
from idolchat_core.coordination.local import LocalCounters
from idolchat_core.errors import BudgetExceeded, LimitReached
from idolchat_core.plugins.loader import Plugins
from idolchat_core.spending.budgets import Budgets, Spender

USER = Principal(subject="user:1", scopes=frozenset({Scope.CHAT}), user_id=uuid4())
BACK_END = Principal(subject="key:1", scopes=frozenset({Scope.CHAT}), is_trusted=True)


def at(host: str) -> AsgiScope:
    return {"type": "http", "client": (host, 1234)}


def test_a_user_may_send_so_many_requests_and_not_one_more() -> None:
    rates = RequestRates(ApiSettings(user_requests_per_minute=10), LocalCounters())
    for remaining in range(9, -1, -1):
        [quota] = rates.take(USER, None)
        assert round(quota.remaining) == remaining
    with pytest.raises(LimitReached, match="IDOLCHAT_API_USER_REQUESTS_PER_MINUTE") as refused:
        rates.take(USER, None)
    headers = dict(problem_headers(problem_from(refused.value)))

    assert headers[b"ratelimit-policy"] == b'"user-requests";q=10;w=60'
    assert headers[b"ratelimit"] == b'"user-requests";r=0;t=60'
    assert 1 <= int(headers[b"retry-after"]) <= 6


@pytest.mark.parametrize(("wait_s", "told"), [(5.98765432109876, 5.988), (0.0001, 0.001), (3.0, 3.0)])
def test_when_to_come_back_is_told_in_milliseconds(wait_s: float, told: float) -> None:
    problem = problem_from(LimitReached("too many", retry_after_s=wait_s))

    assert problem.as_dict()["retry_after_s"] == told


def test_an_address_is_limited_whoever_uses_it() -> None:
    rates = RequestRates(ApiSettings(address_requests_per_minute=2, user_requests_per_minute=0), LocalCounters())
    rates.take(USER, "192.0.2.1")
    rates.take(ANYONE, "192.0.2.1")
    with pytest.raises(LimitReached, match="this address"):
        rates.take(ANYONE, "192.0.2.1")

    assert rates.take(ANYONE, "192.0.2.2")


@pytest.mark.parametrize(
    ("host", "principal", "address"),
    [
        ("192.0.2.1", USER, "192.0.2.1"),
        ("::ffff:192.0.2.1", ANYONE, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", ANYONE, "2001:db8:1:2::/64"),
        ("127.0.0.1", ANYONE, None),
        ("::1", USER, None),
        ("192.0.2.1", BACK_END, None),
        ("127.0.0.1", LOCAL, None),
        ("not an address", ANYONE, None),
    ],
)
def test_what_a_request_is_counted_by(host: str, principal: Principal, address: str | None) -> None:
    assert address_of(at(host), principal) == address


@pytest.mark.parametrize(("proxies", "statuses"), [(("127.0.0.1",), [200, 200, 429, 200]), ((), [200, 200, 200, 200])])
async def test_a_proxys_clients_are_limited_each_where_it_is_trusted(
    settings: ApiSettings, plugins: Plugins, proxies: tuple[str, ...], statuses: list[int]
) -> None:
    limits = {"auth": "api-key", "trusted_proxies": proxies, "address_requests_per_minute": 2}
    settings = settings.model_copy(update=limits)
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url) as client:
        told = [
            (await client.get("/livez", headers={"X-Forwarded-For": f"192.0.2.7, {address}"})).status_code
            for address in ["192.0.2.1"] * 3 + ["192.0.2.2"]
        ]

    assert told == statuses


async def test_a_users_requests_are_limited_and_told_of(
    settings: ApiSettings, plugins: Plugins, new_key: NewKey
) -> None:
    settings = settings.model_copy(update={"auth": "api-key", "user_requests_per_minute": 2})
    header = await new_key(user_id=uuid4())
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, headers=header) as client:
        replies = [await client.get("/conversations") for _ in range(3)]

    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert [reply.headers["ratelimit"].partition(";t")[0] for reply in replies] == [
        f'"user-requests";r={remaining}' for remaining in (1, 0, 0)
    ]
    assert replies[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert int(replies[2].headers["retry-after"]) >= 1


def test_a_budget_that_is_used_up_says_when_it_opens_again() -> None:
    noon = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
    budgets = Budgets(ApiSettings(budget_daily_cost=0.5), clock=lambda: noon)
    budgets.spend(Spender("ana"), "chat", at=noon, tokens=1, cost=0.5)
    with pytest.raises(BudgetExceeded) as refused:
        budgets.admit(Spender("ana"))
    problem = problem_from(refused.value)

    assert (problem.status, problem.code) == (429, "insufficient_quota")
    assert dict(problem_headers(problem)) == {
        b"retry-after": b"43200",
        b"ratelimit-policy": b'"cost-day";q=500000;w=86400;qu="microcost"',
        b"ratelimit": b'"cost-day";r=0;t=43200',
    }


def test_so_many_connections_from_one_address_and_not_one_more() -> None:
    limiter = ConnectionLimiter(ApiSettings(address_max_connections=2, trusted_proxies=("192.0.2.9",)))
    for _ in range(2):
        assert limiter.acquire("192.0.2.1") is None
    assert "from this address" in (limiter.acquire("192.0.2.1") or "")
    assert all(limiter.acquire(host) is None for host in ["192.0.2.2", *["192.0.2.9"] * 5, *["127.0.0.1"] * 5])
    limiter.release("192.0.2.1")

    assert limiter.acquire("192.0.2.1") is None


def test_connections_from_a_network_of_proxies_are_not_limited() -> None:
    limiter = ConnectionLimiter(ApiSettings(address_max_connections=2, trusted_proxies=("10.0.0.0/8",)))

    assert all(limiter.acquire("10.1.2.3") is None for _ in range(5))
