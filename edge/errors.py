"""What can go wrong, and the exit code that each kind ends the process with.

Every message names the file, key or topic, what was found, and what to do about it.
"""


class WhosthereError(Exception):
    """The root of all expected failures."""

    exit_code = 1


class UsageError(WhosthereError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class ConfigError(WhosthereError):
    """`config.yaml` is missing, unreadable or wrong."""

    exit_code = 3


class ModelError(WhosthereError):
    """A model or its card is missing, altered or not of the shape that the card states."""

    exit_code = 4


class GalleryError(WhosthereError):
    """A gallery is missing, damaged or made with another embedder."""

    exit_code = 4


class CameraError(WhosthereError):
    """A camera or a recording cannot be opened or stopped delivering frames."""

    exit_code = 5


class BrokerError(WhosthereError):
    """The MQTT broker cannot be reached or refuses us."""

    exit_code = 6
