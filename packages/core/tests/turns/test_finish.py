from typing import Any

import pytest

from idolchat_core import Finished, Usage
from idolchat_core.turns.finish import well_formed


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


def test_what_a_usage_tells_beside_its_counts_is_kept() -> None:
    usage = Usage.model_validate({"input_tokens": 1, "output_tokens": 2, "is_byok": False})

    assert well_formed(Finished(finish_reason="stop", usage=usage)).usage is usage


@pytest.mark.parametrize(
    ("odd", "kept"),
    [(nested(200), {}), (float("inf"), {"odd": None}), ({"at": object()}, {"odd": {"at": None}})],
    ids=["nested too deep", "infinite", "no JSON"],
)
def test_a_usage_keeps_nothing_that_cannot_be_stored(odd: Any, kept: dict[str, Any]) -> None:
    usage = well_formed(
        Finished(finish_reason="stop", usage=Usage.model_validate({"input_tokens": 1, "cost": 0.5, "odd": odd}))
    ).usage

    assert usage is not None
    assert usage.model_dump(exclude_unset=True) == {"input_tokens": 1, "cost": 0.5, **kept}
