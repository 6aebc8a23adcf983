"""What holds for the tests of all packages: hypothesis draws the same examples each time, and takes the time it needs.

A run fails for what was changed, and not by chance. `pytest --hypothesis-profile=default` draws other examples.
"""

from importlib.util import find_spec

if find_spec("hypothesis") is not None:  # which not every package tests with
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "repeatable", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("repeatable")
