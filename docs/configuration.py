"""Write ``configuration.md`` from the settings classes: ``python docs/configuration.py > docs/configuration.md``."""

import sys

from pydantic.fields import FieldInfo

import idolchat_llm_local.settings
import idolchat_storage_local.settings
from idolchat_api.settings.api import ApiSettings
from idolchat_api_openai.settings import OpenAISettings
from idolchat_auth_supabase.settings import SupabaseAuthSettings
from idolchat_bus_redis.settings import RedisSettings
from idolchat_characters.settings import CharactersSettings
from idolchat_core.settings import CoreSettings, PackageSettings
from idolchat_llm_openrouter.settings import OpenRouterSettings
from idolchat_memory.settings import MemorySettings
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_supabase.settings import SupabaseSettings

PACKAGES: dict[str, type[PackageSettings]] = {
    "core": CoreSettings,
    "api": ApiSettings,
    "api-openai": OpenAISettings,
    "auth-supabase": SupabaseAuthSettings,
    "storage-local": idolchat_storage_local.settings.LocalSettings,
    "storage-postgres": PostgresSettings,
    "storage-supabase": SupabaseSettings,
    "llm-openrouter": OpenRouterSettings,
    "llm-local": idolchat_llm_local.settings.LocalSettings,
    "characters": CharactersSettings,
    "memory": MemorySettings,
    "bus-redis": RedisSettings,
}

HEAD = """\
# Configuration

Every variable has a default, or is needed only by the part that it belongs to. It is read from the environment, else
from `.env` in the working directory; a wrong value stops the start with a message that names the variable, what was
found and what to write. `.env` is UTF-8; `${NAME}` in a value is the value of another variable, and `~` at the
beginning of a path the home folder. `idol doctor` checks them. It, `idol config show` and the start of `idol serve`
tell of those that nothing reads, as of a package that is not installed. Variables that several packages read stand
where they first come; storage-local reads `IDOLCHAT_DATA_DIR` alone.
"""


def shown(field: FieldInfo) -> str:
    """Show a default as one would write it."""
    value = field.get_default(call_default_factory=True, validated_data={})
    if value in (None, (), ""):
        return ""
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{text.lower() if isinstance(value, bool) else text}`"


def page() -> str:
    """Write the whole page."""
    parts, known = [HEAD], set[str]()
    for package, settings in PACKAGES.items():
        rows = []
        for name, field in settings.model_fields.items():
            variables = settings.variables_of(name)
            if not known.issuperset(variables):
                known.update(variables)
                named = ", else ".join(f"`{variable}`" for variable in variables)
                rows.append(f"| {named} | {shown(field)} | {field.description} |\n")
        if rows:
            parts.append(f"\n## {package}\n\n| variable | default | meaning |\n|---|---|---|\n{''.join(rows)}")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
