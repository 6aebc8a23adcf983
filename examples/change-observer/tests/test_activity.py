"""The example is right when it passes the kit."""

from pathlib import Path

import pytest
from idolchat_activity import open_activity

from idolchat_core import Storage
from idolchat_core.testing import ChangeObserverConformance, OpenObserver


class TestActivity(ChangeObserverConformance):
    @pytest.fixture
    def opening(self, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenObserver:
        monkeypatch.setenv("ACTIVITY_FILE", str(tmp_path / "activity.sqlite"))
        return lambda: open_activity(storage)
