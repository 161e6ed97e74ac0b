"""What `camera.source` may hold as an address."""

from edge.address import DEFAULT_PORTS, Address, parse_address
from edge.errors import ConfigError


def is_address(source: str) -> bool:
    """Whether a source begins with a scheme that `parse` knows."""
    scheme, separator, _ = source.partition("://")
    return bool(separator) and scheme.lower() in DEFAULT_PORTS


def parse(source: str) -> Address:
    """Parse the address in `camera.source`. Raises ConfigError, which does not quote it."""
    try:
        return parse_address(source)
    except ValueError:
        # Not chained: the error of urllib quotes parts of the address.
        pass
    raise ConfigError(
        "camera.source: not an address such as rtsp://192.168.1.20:554/stream1 (not quoted, as it may contain a "
        "password; passwords go in camera.password_file, or have `/?#%@` and spaces percent-encoded, such as %23 for #)"
    )


def shown(source: str) -> str:
    """Return an address as it may be shown, even when it is malformed."""
    try:
        return str(parse(source))
    except ConfigError:
        return f"{source.partition('://')[0]}://..."
