"""Marks of tests whose libraries take seconds to import: every process that collects tests would pay for that."""

from importlib.util import find_spec

import pytest


def _needed(library: str) -> pytest.MarkDecorator:
    reason = f"{library} is not installed: pip install 'whosthere[converter]'"
    return pytest.mark.skipif(find_spec(library) is None, reason=reason)


TENSORFLOW = [_needed("tensorflow"), pytest.mark.tensorflow]
SKLEARN = _needed("sklearn")
MATPLOTLIB = _needed("matplotlib")
