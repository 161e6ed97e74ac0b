"""Addresses of web servers in config.yaml."""

from edge.address import parse_address

_NOT_QUOTED = "not quoted, as it may hold a secret"


def web_address_mistake(text: str, example: str, *, login_allowed: bool = False) -> str:
    """What is wrong with an address of a web server; empty when nothing is. The address is not quoted."""
    try:
        address = parse_address(text)
    except ValueError:
        address = None
    if address is None or address.scheme not in ("http", "https"):
        return f"found something else ({_NOT_QUOTED}); allowed: an address such as {example}"
    if address.login and not login_allowed:
        return f"found a login in the address ({_NOT_QUOTED}); put it in a file, and name that"
    return ""
