import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.mock_supabase.keys import SECRET
from tests.support.mock_supabase.server import MockSupabase

import idolchat_storage_supabase.plugin as plugin
from idolchat_core import ConfigurationError, CoreSettings, Registry, Storage, hookimpl, read_settings
from idolchat_core.choice import choose_storages
from idolchat_core.plugins.loader import load_plugins
from idolchat_storage_supabase import SupabaseSettings
from idolchat_storage_supabase.factory import open_supabase_storage
from idolchat_storage_supabase.storage import SupabaseStorage


@pytest.mark.parametrize(
    "url",
    [
        "abc.supabase.co",
        "ftp://x",
        "https://",
        "https://x:y",
        "https://x/rest/v1",
        "https://x/storage/v1/",
        "postgres://x",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_URL is"):
        read_settings(SupabaseSettings, url=url)


@pytest.mark.parametrize("url", ["https://user:secret@x", "https://x?apikey=secret", "https://x#secret"])
def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_SERVICE_ROLE_KEY") as refused:
        read_settings(SupabaseSettings, url=url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["two\nlines", "two words", "sb_publishable_abc", "ключ"])
def test_a_key_that_is_none_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_SERVICE_ROLE_KEY") as refused:
        read_settings(SupabaseSettings, service_role_key=key)
    assert key not in str(refused.value)


@pytest.mark.parametrize("bucket", ["", "a/b", "대화", "x" * 101, "..", " x"])
def test_a_bucket_that_cannot_be_is_refused(bucket: str) -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_STORAGE_BUCKET"):
        read_settings(SupabaseSettings, bucket=bucket)


def test_the_address_alone_makes_it_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET)
    storages = load_plugins(plugin, installed=False).storages
    assert (list(storages), storages.asked_for()) == (["supabase"], [])

    monkeypatch.setenv("SUPABASE_URL", "https://abc.supabase.co/")
    assert storages.asked_for() == ["supabase"]


def test_an_address_that_is_there_to_let_users_in_asks_for_no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://abc.supabase.co")
    monkeypatch.setenv("IDOLCHAT_AUTH", "supabase")

    assert load_plugins(plugin, installed=False).storages.asked_for() == []


def test_an_address_without_a_key_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://abc.supabase.co")
    plugins = load_plugins(plugin, Local(), installed=False)

    with pytest.raises(ConfigurationError, match="SUPABASE_SERVICE_ROLE_KEY is not"):
        choose_storages(read_settings(CoreSettings), plugins)


async def test_the_factory_opens_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, mock_supabase: MockSupabase
) -> None:
    monkeypatch.setenv("SUPABASE_URL", mock_supabase.url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET)
    factory = load_plugins(plugin, installed=False).storages.get("supabase")

    async with factory() as storage:
        assert isinstance(storage, SupabaseStorage)
        await storage.check()


async def test_the_storage_cannot_be_opened_without_an_address() -> None:
    factory = load_plugins(plugin, installed=False).storages.get("supabase")

    with pytest.raises(ConfigurationError, match="SUPABASE_URL"):
        async with factory():
            pass


def test_the_plugin_is_found_by_its_entry_point() -> None:
    assert "supabase" in load_plugins(only=["storage-supabase"]).storages


def test_loading_the_plugin_does_not_load_the_client() -> None:
    code = "import sys, idolchat_storage_supabase.plugin; sys.exit('supabase' in sys.modules or 'typer' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_env_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"SUPABASE_URL=https://abc.supabase.co\nSUPABASE_SERVICE_ROLE_KEY={SECRET}\n")

    assert read_settings(SupabaseSettings).access() == ("https://abc.supabase.co", SECRET)


class Local:
    """A primary beside which the mirror stands."""

    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        registry.add("local", open_supabase_storage)
