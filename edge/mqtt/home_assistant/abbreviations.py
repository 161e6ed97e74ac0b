"""Home Assistant's short forms of the keys in a discovery message: brokers limit the size of a packet. Pure.

https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages
"""

from collections.abc import Mapping
from typing import Any

_SHORT = {
    "automation_type": "atype",
    "availability": "avty",
    "availability_mode": "avty_mode",
    "command_template": "cmd_tpl",
    "command_topic": "cmd_t",
    "components": "cmps",
    "content_type": "cont_type",
    "device": "dev",
    "device_class": "dev_cla",
    "entity_category": "ent_cat",
    "event_types": "evt_typ",
    "icon": "ic",
    "image_topic": "img_t",
    "options": "ops",
    "origin": "o",
    "payload": "pl",
    "payload_install": "pl_inst",
    "payload_off": "pl_off",
    "payload_on": "pl_on",
    "payload_press": "pl_prs",
    "platform": "p",
    "state_class": "stat_cla",
    "state_topic": "stat_t",
    "subtype": "stype",
    "topic": "t",
    "unique_id": "uniq_id",
    "unit_of_measurement": "unit_of_meas",
    "value_template": "val_tpl",
}
_SHORT_DEVICE = {
    "configuration_url": "cu",
    "identifiers": "ids",
    "manufacturer": "mf",
    "model": "mdl",
    "suggested_area": "sa",
    "sw_version": "sw",
}
"""For the device and the origin; a component's `model` would be something else."""
_LONG = {short: long for long, short in _SHORT.items()}
_LONG_DEVICE = {short: long for long, short in _SHORT_DEVICE.items()}


def abbreviated(document: Mapping[str, Any]) -> dict[str, Any]:
    """The discovery message with short keys. Keys that have no short form stay."""
    return _renamed(document, _SHORT, _SHORT_DEVICE)


def in_full(document: Mapping[str, Any]) -> dict[str, Any]:
    """The discovery message with long keys, whichever it has."""
    return _renamed(document, _LONG, _LONG_DEVICE)


def _renamed(document: Mapping[str, Any], keys: Mapping[str, str], device_keys: Mapping[str, str]) -> dict[str, Any]:
    changed = dict(document)
    for name in ("device", "dev", "origin", "o"):
        if isinstance(changed.get(name), dict):
            changed[name] = _with_keys(changed[name], device_keys)
    for name in ("components", "cmps"):
        if isinstance(changed.get(name), dict):
            changed[name] = {key: _component(part, keys) for key, part in changed[name].items()}
    return _with_keys(changed, keys)


def _component(part: Any, keys: Mapping[str, str]) -> Any:
    if not isinstance(part, dict):
        return part
    # The availability is a list of topics; `options` and `event_types` are lists of words.
    return {
        keys.get(key, key): [_with_keys(each, keys) if isinstance(each, dict) else each for each in value]
        if isinstance(value, list)
        else value
        for key, value in part.items()
    }


def _with_keys(part: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    return {keys.get(key, key): value for key, value in part.items()}
