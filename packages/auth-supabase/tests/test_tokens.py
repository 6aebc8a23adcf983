"""Which tokens are good: really signed ones, by keys that are fetched over HTTP."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idolchat_api.auth import AuthUnavailable, Principal, Scope, Unauthenticated
from idolchat_auth_supabase.authenticator import SupabaseAuth
from idolchat_auth_supabase.testing import ANON_KEY, SECRET, Project, SigningKey, raw_token


@pytest.mark.parametrize("place", [0, 1], ids=["ES256", "RS256"])
async def test_a_users_token_is_good(auth: SupabaseAuth, project: Project, place: int) -> None:
    user = uuid4()

    principal = await auth.authenticate(project.keys[place].sign(project.claims(sub=str(user))))

    assert (principal.user_id, principal.scopes) == (user, frozenset({Scope.CHAT}))


async def test_nothing_that_users_write_themselves_is_believed(auth: SupabaseAuth, project: Project) -> None:
    token = project.token(user_metadata={"role": "admin", "scopes": ["admin"], "sub": str(uuid4())})

    principal = await auth.authenticate(token)

    assert (principal.may(Scope.ADMIN), principal.is_operator, principal.is_bound) == (False, False, True)


NOW = int(time.time())
WRONG: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 60},
    "without an end": {"exp": None},
    "ending with a word": {"exp": "tomorrow"},
    "ending beyond all time": {"exp": 10**400},
    "not yet": {"nbf": NOW + 3600},
    "of another issuer": {"iss": "https://evil.supabase.co/auth/v1"},
    "of an issuer with more behind it": {"iss": "https://evil.example"},
    "without an issuer": {"iss": None},
    "for somebody else": {"aud": "anon"},
    "for nobody": {"aud": None},
    "an anon key": {"role": "anon", "aud": None, "sub": None},
    "an anon key for the right": {"role": "anon"},
    "a service_role key": {"role": "service_role"},
    "a service_role key with a user": {"role": "service_role", "sub": str(uuid4())},
    "without a role": {"role": None},
    "with roles": {"role": ["authenticated"]},
    "without a user": {"sub": None},
    "with a user that is none": {"sub": "admin"},
    "with a user that is a number": {"sub": 7},
    "of an anonymous user": {"is_anonymous": True},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
async def test_a_token_that_says_something_wrong_is_refused(
    auth: SupabaseAuth, project: Project, claims: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        await auth.authenticate(project.token(**claims))


async def test_clocks_may_differ_a_little(auth: SupabaseAuth, project: Project) -> None:
    principal = await auth.authenticate(project.token(exp=int(time.time()) - 3, nbf=int(time.time()) + 3))

    assert principal.expires_at is not None
    assert principal.expires_at.timestamp() > time.time()


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
async def test_an_unsigned_token_is_refused(auth: SupabaseAuth, project: Project, name: str) -> None:
    header = {"alg": name, "typ": "JWT", "kid": project.keys[0].id}

    with pytest.raises(Unauthenticated):
        await auth.authenticate(raw_token(header, project.claims()))


@pytest.mark.parametrize("place", [0, 1], ids=["ES256", "RS256"])
async def test_a_public_key_is_no_secret(auth: SupabaseAuth, project: Project, place: int) -> None:
    """HS256 with what everybody can fetch, which a library takes that goes by the token's own header."""
    key = project.keys[place]
    public = key.private.public_key()
    secrets = [public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), str(key.public()).encode(), b""]

    for secret in secrets:
        for kid in (key.id, str(uuid4())):
            with pytest.raises(Unauthenticated):
                await auth.authenticate(raw_token({"alg": "HS256", "kid": kid}, project.claims(), secret))


async def test_an_algorithm_is_that_of_its_key(auth: SupabaseAuth, project: Project) -> None:
    ec_key, rsa_key = project.keys

    for token in (
        ec_key.sign(project.claims(), kid=rsa_key.id),
        rsa_key.sign(project.claims(), kid=ec_key.id),
        SigningKey().sign(project.claims(), kid=ec_key.id),
    ):
        with pytest.raises(Unauthenticated):
            await auth.authenticate(token)


async def test_a_key_in_the_token_is_not_used(auth: SupabaseAuth, project: Project) -> None:
    """Nor is an address of one: they would be the forger's own."""
    forged = SigningKey()

    for header in ({"jwk": forged.public()}, {"jku": "http://127.0.0.1:1/jwks.json"}, {"crit": ["b64"], "b64": False}):
        with pytest.raises(Unauthenticated):
            await auth.authenticate(forged.sign(project.claims(), **header, kid=project.keys[0].id))


@pytest.mark.parametrize(
    "change", [lambda t: t[:-4] + "AAAA", lambda t: t + ".x", lambda t: t.rpartition(".")[0] + "."]
)
async def test_a_token_that_was_changed_is_refused(auth: SupabaseAuth, project: Project, change: Any) -> None:
    with pytest.raises(Unauthenticated):
        await auth.authenticate(change(project.token()))


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "eyJhbGciOiJFUzI1NiJ9.e30.", "\x00", "idol_aaaa_bbbb"])
async def test_what_is_no_token_is_refused_without_a_fetch(auth: SupabaseAuth, project: Project, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await auth.authenticate(token)

    assert project.fetches == 0


class TestKeys:
    """The keys change, and the server follows."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"keys_cooldown_s": 0.2, "keys_max_age_s": 0.4, "keys_stale_s": 60}

    async def test_a_new_key_is_fetched_when_a_token_names_it(self, auth: SupabaseAuth, project: Project) -> None:
        await auth.authenticate(project.token())
        project.keys.insert(0, SigningKey())

        principal = await until(auth, project.token(), Principal)

        assert isinstance(principal, Principal)

    async def test_a_key_that_was_withdrawn_is_good_no_longer(self, auth: SupabaseAuth, project: Project) -> None:
        token = project.token()
        await auth.authenticate(token)

        project.keys.pop(0)

        assert isinstance(await until(auth, token, Unauthenticated), Unauthenticated)

    async def test_keys_at_hand_are_used_while_none_can_be_fetched(self, auth: SupabaseAuth, project: Project) -> None:
        token = project.token()
        await auth.authenticate(token)
        before, project.is_down = project.fetches, True

        while project.fetches == before:
            await auth.authenticate(token)

        assert (await auth.authenticate(token)).is_bound

    async def test_the_server_is_back_when_the_keys_are(self, auth: SupabaseAuth, project: Project) -> None:
        project.is_down = True
        assert isinstance((await together(auth.authenticate(project.token())))[0], AuthUnavailable)

        project.is_down = False

        assert isinstance(await until(auth, project.token(), Principal), Principal)


class TestStaleKeys:
    """None can be fetched for long."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"keys_cooldown_s": 0.2, "keys_max_age_s": 0.4, "keys_stale_s": 0.4}

    async def test_keys_at_hand_are_not_used_for_ever(self, auth: SupabaseAuth, project: Project) -> None:
        token = project.token()
        await auth.authenticate(token)
        project.is_down = True

        assert isinstance(await until(auth, token, AuthUnavailable), AuthUnavailable)


async def test_a_flood_of_unknown_keys_is_one_fetch(auth: SupabaseAuth, project: Project) -> None:
    await auth.authenticate(project.token())
    tokens = [project.keys[0].sign(project.claims(), kid=str(uuid4())) for _ in range(200)]

    told = await together(*(auth.authenticate(token) for token in tokens))

    assert {type(one) for one in told} == {Unauthenticated}
    assert project.fetches == 1  # the first; within its cooldown no other is made


async def test_many_first_tokens_are_one_fetch(auth: SupabaseAuth, project: Project) -> None:
    told = await together(*(auth.authenticate(project.token()) for _ in range(50)))

    assert {type(one) for one in told} == {Principal}
    assert project.fetches == 1


class TestAnonymous:
    """Users who signed in anonymously, where they are wanted."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"allow_anonymous": True}

    async def test_they_are_let_in(self, auth: SupabaseAuth, project: Project) -> None:
        assert (await auth.authenticate(project.token(is_anonymous=True))).is_bound


def hs256(project: Project, secret: str = SECRET, **claims: Any) -> str:
    return raw_token({"alg": "HS256", "typ": "JWT", "kid": "x"}, project.claims(**claims), secret.encode())


class SharedSecret:
    """What holds for HS256, whoever knows the secret."""

    async def test_a_users_token_is_good(self, auth: SupabaseAuth, project: Project) -> None:
        user = uuid4()

        assert (await auth.authenticate(hs256(project, sub=str(user)))).user_id == UUID(str(user))

    async def test_a_forged_one_is_not(self, auth: SupabaseAuth, project: Project) -> None:
        with pytest.raises(Unauthenticated):
            await auth.authenticate(hs256(project, secret="another secret, of the same length as theirs"))

    @pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
    async def test_nor_one_that_says_something_wrong(
        self, auth: SupabaseAuth, project: Project, claims: dict[str, Any]
    ) -> None:
        """Among them the project's anon and service_role keys, which this very secret signs."""
        with pytest.raises(Unauthenticated):
            await auth.authenticate(hs256(project, **claims))

    async def test_nor_one_of_another_algorithm(self, auth: SupabaseAuth, project: Project) -> None:
        for token in (project.token(), raw_token({"alg": "none"}, project.claims())):
            with pytest.raises(Unauthenticated):
                await auth.authenticate(token)


class TestSecret(SharedSecret):
    """A self-hosted project, whose secret is set."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"algorithms": ("HS256",), "secret": SECRET}

    async def test_nobody_is_asked(self, auth: SupabaseAuth, project: Project) -> None:
        await auth.authenticate(hs256(project))

        assert (project.asked, project.fetches) == (0, 0)


class TestUserEndpoint(SharedSecret):
    """A project whose auth server keeps the secret to itself."""

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"algorithms": ("HS256",), "anon_key": ANON_KEY}

    async def test_what_cannot_be_good_is_not_asked_about(self, auth: SupabaseAuth, project: Project) -> None:
        with pytest.raises(Unauthenticated):
            await auth.authenticate(hs256(project, role="anon"))

        assert project.asked == 0

    async def test_an_auth_server_that_is_away_is_no_wrong_token(self, auth: SupabaseAuth, project: Project) -> None:
        project.is_down = True

        with pytest.raises(AuthUnavailable):
            await auth.authenticate(hs256(project))


async def until(auth: SupabaseAuth, token: str, kind: type[object]) -> object:
    """Ask until the answer is of this kind."""
    deadline = time.monotonic() + 60
    (told,) = await together(auth.authenticate(token))
    while not isinstance(told, kind) and time.monotonic() < deadline:
        (told,) = await together(auth.authenticate(token))
    return told


async def together(*waiting: Awaitable[Principal]) -> list[Principal | BaseException]:
    return await asyncio.gather(*waiting, return_exceptions=True)
