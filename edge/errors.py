"""Everything that can be expected to go wrong, and the exit code for each kind.

Every message names the file, key or topic, what was found, and what to do about it.
"""


class WhosthereError(Exception):
    """The root of all expected failures."""

    exit_code = 1


class UsageError(WhosthereError):
    """The command line makes no sense."""

    exit_code = 2


class ConfigError(WhosthereError):
    """`config.yaml` is missing, unreadable or wrong."""

    exit_code = 3


class ModelError(WhosthereError):
    """A model or its card is missing or altered, or does not have the shape that the card states."""

    exit_code = 4


class GalleryError(WhosthereError):
    """A gallery is missing, damaged or made with another embedder."""

    exit_code = 4


class CameraError(WhosthereError):
    """A camera or recording cannot be opened, or has stopped delivering frames."""

    exit_code = 5


class CameraBusy(CameraError):
    """A camera is there but cannot be opened; another program may hold it."""


class BrokerError(WhosthereError):
    """The MQTT broker cannot be reached, or refuses the connection."""

    exit_code = 6
