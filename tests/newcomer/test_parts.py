"""A server of chosen parts, by pip alone."""

import os
import subprocess
import sys
from pathlib import Path

from tests.newcomer.checkout import Checkout, blocks


def test_a_server_is_installed_by_pip_from_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    install, start = blocks("docs/installing.md")[0].splitlines()
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], env=checkout.environment, check=True)
    path = os.pathsep.join((str(tmp_path / "venv" / "bin"), checkout.environment["PATH"]))
    environment = {**checkout.environment, "PATH": path}
    subprocess.run(["sh", "-c", install], cwd=checkout.folder, env=environment, check=True, capture_output=True)
    port = checkout.ports["8001"]
    settings = {"OPENROUTER_API_KEY": "sk-or-v1-test", "IDOLCHAT_DATA_DIR": str(tmp_path), "IDOLCHAT_PORT": port}
    with checkout.running(start, PATH=path, **settings) as said:
        assert said.readline().startswith(f"Serving http://127.0.0.1:{port} ")
