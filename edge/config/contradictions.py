"""Settings that are valid individually but contradict each other."""

from edge.config.camera import CameraSettings, scheme_of
from edge.config.faces import QualitySettings
from edge.config.mqtt import MqttSettings
from edge.config.sections import ModelSettings
from edge.config.visits import Liveness, UnknownFacesSettings

REQUIRE = (
    "liveness: found 'require'; allowed: advise or off. It would refuse visitors by cues that are not good enough for "
    "that; docs/50-accuracy.md has the figures. For a lock, ask for a turn of the head: command/challenge"
)


def contradictions(
    camera: CameraSettings,
    mqtt: MqttSettings,
    quality: QualitySettings,
    strangers: UnknownFacesSettings,
    models: ModelSettings,
    liveness: Liveness,
) -> list[str]:
    """Return one line per contradiction, beginning with the key to change."""
    found = []
    for section, settings in (("camera", camera), ("mqtt", mqtt)):
        if settings.password_file is not None and settings.username is None:
            found.append(
                f"{section}.password_file: found without {section}.username, so it would not be used; "
                "set both or neither"
            )
    tls = mqtt.tls
    if not tls.enabled and (tls.ca_file is not None or tls.certificate_file is not None):
        found.append(
            "mqtt.tls.enabled: found false, but mqtt.tls names certificates: nothing would be encrypted; "
            "set it to true, or remove them"
        )
    if camera.certificate_sha256 is not None and scheme_of(camera.source).lower() not in ("https", "rtsps"):
        found.append(
            "camera.certificate_sha256: found with a camera.source that does not use TLS, so nothing would be checked; "
            "change the address to https:// or rtsps://, or remove the fingerprint"
        )
    if camera.reopen_min_s > camera.reopen_max_s:
        found.append(
            f"camera.reopen_min_s: found {camera.reopen_min_s:g}; allowed: at most camera.reopen_max_s, "
            f"which is {camera.reopen_max_s:g}"
        )
    if quality.min_brightness >= quality.max_brightness:
        found.append(
            f"quality.min_brightness: found {quality.min_brightness:g}; allowed: less than quality.max_brightness, "
            f"which is {quality.max_brightness:g}; otherwise no face is usable"
        )
    if strangers.group and not strangers.keep:
        found.append(
            "strangers.group: found true with strangers.keep 0, so there would be nobody to recognise; "
            "set strangers.keep to how many strangers to keep"
        )
    return found + _about_liveness(models, liveness)


def _about_liveness(models: ModelSettings, liveness: Liveness) -> list[str]:
    if liveness == "require":
        return [REQUIRE]
    if liveness is True:
        return ["liveness: found true; allowed: advise or off"]
    if models.second_liveness and not models.liveness:
        return ["models.second_liveness: found without models.liveness; put the only network there"]
    return []
