"""Other gateways, on request; none of them stores a turn. They are installed outside of the project, once."""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load.options import Mode
from benchmarks.wire.gateway import OPENAI_PATH, Gateway, Setup
from benchmarks.wire.ports import free_port

__all__ = ["PEERS", "PLACE", "install"]

PLACE = Path.home() / ".cache" / "idolchat-benchmarks"
LITELLM = "litellm[proxy]==1.105.7"  # exactly, and wheels only: other releases have been poisoned
# With @hono/node-server 1.19.19, which npm would take, each stream fails with status 500: it hands the headers of the
# model server's answer on as they are, and Portkey cannot add its own to them.
PORTKEY = {"dependencies": {"@portkey-ai/gateway": "1.15.2"}, "overrides": {"@hono/node-server": "1.13.8"}}
OPEN_WEBUI = "open-webui==0.12.0"
KEY = "sk-of-no-use"


def prepare_litellm(folder: Path, upstream: str) -> Setup:
    """Tell LiteLLM's proxy of the model server."""
    program = _python_package("litellm", LITELLM, "litellm")
    configuration = folder / "litellm.yaml"
    configuration.write_text(
        "model_list:\n"
        '  - model_name: "*"\n'
        f'    litellm_params: {{model: "openai/*", api_base: "{upstream}", api_key: {KEY}}}\n'
        "general_settings: {dangerously_permit_weak_or_unset_master_key: true}\n"  # on loopback, with nothing to lose
    )
    port = free_port()
    command = [str(program), "--config", str(configuration), "--port", str(port), "--host", "127.0.0.1"]
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_LOG": "ERROR"}
    return Setup(command=command, port=port, environment=environment, ready="/health/liveliness")


def prepare_portkey(folder: Path, upstream: str) -> Setup:
    """Take Portkey's gateway as it comes; requests name the model server."""
    del folder
    place = PLACE / "portkey"
    program = place / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    manifest, wanted = place / "package.json", json.dumps(PORTKEY)
    if not program.exists() or manifest.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        manifest.write_text(wanted)
        install("npm", "install", "--no-audit", "--no-fund", "--prefix", str(place))
    port = free_port()
    headers = ["x-portkey-provider: openai", f"x-portkey-custom-host: {upstream}", f"authorization: Bearer {KEY}"]
    command = ["node", str(program), f"--port={port}", "--headless"]
    return Setup(command=command, port=port, headers=headers, environment={"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"})


def prepare_open_webui(folder: Path, upstream: str) -> Setup:
    """Let Open WebUI in without a login; its OpenAI-compatible route is what is measured."""
    program = _python_package("open-webui", OPEN_WEBUI, "open-webui")
    port = free_port()
    environment = {
        "DATA_DIR": str(folder / "data"),
        "WEBUI_AUTH": "False",
        "OPENAI_API_BASE_URL": upstream,
        "OPENAI_API_KEY": KEY,
        "ENABLE_OLLAMA_API": "False",
        "OFFLINE_MODE": "True",
        "WEBUI_SECRET_KEY": KEY,
    }
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    return Setup(command=command, port=port, environment=environment, ready="/health")


def log_in_to_open_webui(setup: Setup) -> Sequence[str]:
    """Have it make the user that it has without a login."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{setup.port}/api/v1/auths/signin",
        data=b'{"email": "", "password": ""}',
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310  # our own address
        return [f"authorization: Bearer {json.load(response)['token']}"]


def _python_package(name: str, requirement: str, program: str) -> Path:
    place = PLACE / name
    installed = place / "bin" / program
    if not installed.exists():
        install("uv", "venv", "--python", sys.executable, "--clear", str(place))
        install("uv", "pip", "install", "--python", str(place), "--only-binary", ":all:", requirement)
    return installed


def install(*command: str) -> None:
    """Run a command that installs something. Raises ``SystemExit``."""
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is needed to install what is compared with") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"what is compared with could not be installed: {error}") from error


def _paths(path: str = OPENAI_PATH) -> dict[Mode, str]:
    return {"json": path, "sse": path}


_ALL: Sequence[Gateway] = (
    Gateway(name="litellm", prepare=prepare_litellm, paths=_paths()),
    Gateway(name="portkey", prepare=prepare_portkey, paths=_paths()),
    Gateway(
        name="open-webui",
        prepare=prepare_open_webui,
        log_in=log_in_to_open_webui,
        paths=_paths("/api/chat/completions"),
    ),
)
PEERS = {gateway.name: gateway for gateway in _ALL}
