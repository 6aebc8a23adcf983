"""The README says what is so."""

import re
import subprocess
import sys
from pathlib import Path

from idolchat_api import ApiSettings
from idolchat_api.errors import STATUSES
from idolchat_core.settings import CoreSettings

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_program_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)

    assert done.stdout == "Hello to you!\n"


def test_every_setting_is_in_the_table() -> None:
    own = ApiSettings.model_fields.keys() - CoreSettings.model_fields.keys()

    missing = [name for name in own if any(f"`{one}`" not in README for one in ApiSettings.variables_of(name))]
    assert not missing


def test_every_error_code_of_a_request_is_in_the_table() -> None:
    table = README.partition("## Errors")[2].partition("## Settings")[0]
    never_sent = {"configuration_error", "plugin_error", "plugin_not_found", "plugin_name_taken", "plugin_broken"}
    by_parent = {"provider_error", "conversation_exists"}

    codes = {kind.code for kind in STATUSES} - never_sent - by_parent
    assert {code for code in codes if f"`{code}`" not in table} == set()
