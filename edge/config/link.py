"""The section `link` of config.yaml."""

import msgspec


class LinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The daemon's socket for other programs on this box, such as the web page."""

    enabled: bool = True
    """Whether there is one. Without it the page shows neither live pictures nor what happens now."""
    path: str = "/run/whosthere/link.sock"
    """Relative to the folder of config.yaml. Only root and the daemon's own user may use it."""
