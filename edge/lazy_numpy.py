"""numpy, loaded when it is first used: the web page reads galleries, diaries and strangers without their vectors.

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np
"""

from typing import Any


def __getattr__(name: str) -> Any:
    import numpy as np  # noqa: PLC0415  (the point of this module)

    value = getattr(np, name)
    # The next time it is an ordinary attribute, as fast as numpy's own.
    globals()[name] = value
    return value
