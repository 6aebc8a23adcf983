"""The README's example runs."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_first_script_finds_what_it_says(tmp_path: Path) -> None:
    script = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]

    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert ran.stdout == "['My dog is called Biscuit']\n"
