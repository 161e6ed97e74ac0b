#!/usr/bin/env bash
# Installs whosthere as a service, or upgrades it in place; run it as root, from a checkout or an unpacked bundle.
#
#   systemd/install.sh [--wheelhouse DIR] [--config FILE] [--tflite-runtime] [--health-timeout SECONDS] [--no-start]
#
# --wheelhouse DIR    take every Python package from DIR and nothing from the network; an unpacked bundle (`make bundle`)
#                     has one, which is found without asking
# --config FILE       the first config.yaml, where there is none yet; otherwise `whosthere setup` asks, or without a
#                     terminal the template is taken
# --tflite-runtime    that runtime instead of LiteRT: for 32-bit boxes with Python 3.11
# --health-timeout    how long the new version may take until it watches (default 90)
# --no-start          leave the service as it is: neither started nor enabled
#
# An upgrade keeps config, passwords and gallery. When the new version does not become healthy in time, the old one is
# put back and started, and this script ends with 1.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ROOT=/opt/whosthere
ETC=/etc/whosthere
UNITS=/etc/systemd/system
SETTLE_S=5
wheelhouse="" config="" extra=litert health_timeout=90 start=yes

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case "$1" in
        --wheelhouse) wheelhouse="$(cd "$2" && pwd)"; shift ;;
        --config) config="$(realpath "$2")"; shift ;;
        --health-timeout) health_timeout="$2"; shift ;;
        --tflite-runtime) extra=tflite-runtime ;;
        --no-start) start=no ;;
        -h|--help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
        *) fail "unknown option $1; --help lists them" ;;
    esac
    shift
done
[ "$(id -u)" = 0 ] || fail "has to be run as root: sudo $0"
[ -d /run/systemd/system ] || fail "systemd does not run here; \`whosthere run --config FILE\` needs none"
if [ -z "$wheelhouse" ] && [ -d "$HERE/wheels" ]; then wheelhouse="$HERE/wheels"; fi

debian_packages() {
    local wanted=(python3-venv python3-systemd) missing=() package
    # Only Raspberry Pi OS has it; other boxes use USB or network cameras.
    if apt-cache show python3-picamera2 >/dev/null 2>&1; then wanted+=(python3-picamera2); fi
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Debian packages: ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null; } ||
        fail "apt-get could not install ${missing[*]}: install them by hand, then run this again"
}

# The user and whatever device groups this box has, whether or not the device is plugged in yet.
user_and_folders() {
    install -D -m 644 "$1/sysusers.d/whosthere.conf" /etc/sysusers.d/whosthere.conf
    install -D -m 644 "$1/tmpfiles.d/whosthere.conf" /etc/tmpfiles.d/whosthere.conf
    systemd-sysusers /etc/sysusers.d/whosthere.conf
    local group
    for group in gpio apex; do
        if getent group "$group" >/dev/null; then usermod --append --groups "$group" whosthere; fi
    done
    systemd-tmpfiles --create /etc/tmpfiles.d/whosthere.conf
}

# A virtual environment of its own for each release, so that the old one stays whole until the new one is proven.
new_release() {
    local release="$1" from=()
    python3 -m venv --system-site-packages "$release"
    if [ -n "$wheelhouse" ]; then
        from=(--no-index --find-links "$wheelhouse" "whosthere[$extra]")
    else
        from=("${HERE}[$extra]")
    fi
    if [ "$extra" = litert ] && [ -f "$HERE/constraints.txt" ]; then from+=(--constraint "$HERE/constraints.txt"); fi
    if [ "$extra" = tflite-runtime ] && [ -f "$HERE/constraints-tflite-runtime.txt" ]; then
        from+=(--constraint "$HERE/constraints-tflite-runtime.txt")
    fi
    "$release/bin/pip" install --quiet --disable-pip-version-check "${from[@]}" || return 1
    mkdir -p "$release/share/whosthere"
    cp -R "$HERE/systemd" "$HERE/config.yaml" "$HERE/docs" "$release/share/whosthere/"
    "$release/bin/whosthere" --version >/dev/null
}

first_config() {
    if [ -e "$ETC/config.yaml" ]; then return 0; fi
    if [ -n "$config" ]; then
        cp "$config" "$ETC/config.yaml"
    elif [ -t 0 ] && "$1/bin/whosthere" setup --help >/dev/null 2>&1; then
        "$1/bin/whosthere" setup --config "$ETC/config.yaml"
    else
        cp "$1/share/whosthere/config.yaml" "$ETC/config.yaml"
        say "$ETC/config.yaml is the template: name your camera and your broker there"
    fi
    systemd-tmpfiles --create /etc/tmpfiles.d/whosthere.conf
}

# Links and units of one release; everything that decides which version runs.
activate() {
    ln -sfn "$1" "$ROOT/.next" && mv -T "$ROOT/.next" "$ROOT/current"
    ln -sfn "$ROOT/current/bin/whosthere" /usr/local/bin/whosthere
    install -m 644 "$1"/share/whosthere/systemd/whosthere*.{service,path} "$UNITS/"
    systemctl daemon-reload
}

# READY has been told, and it has lasted for a moment.
healthy() {
    local deadline=$((SECONDS + health_timeout)) state
    systemctl reset-failed whosthere.service 2>/dev/null || true
    systemctl restart --no-block whosthere.service
    while [ $SECONDS -lt $deadline ]; do
        sleep 1
        state="$(systemctl show --property ActiveState,SubState --value whosthere.service | tr '\n' ' ')"
        case "$state" in
            active*)
                sleep "$SETTLE_S"
                [ "$(systemctl show --property NRestarts --value whosthere.service)" = 0 ] &&
                    systemctl --quiet is-active whosthere.service
                return ;;
            failed*|*auto-restart*) return 1 ;;
        esac
    done
    return 1
}

why_not() {
    systemctl show --property StatusText --value whosthere.service | sed '/^$/d'
    journalctl --quiet --no-pager --output cat --lines 5 --unit whosthere.service || true
}

forget_other_releases() {
    local release
    for release in "$ROOT"/releases/*; do
        [ "$release" = "$1" ] || [ "$release" = "$2" ] || rm -rf "$release"
    done
}

debian_packages
user_and_folders "$HERE/systemd"
previous="$(readlink "$ROOT/current" 2>/dev/null || true)"
release="$ROOT/releases/$(date -u +%Y%m%dT%H%M%S)"
mkdir -p "$ROOT/releases"
say "installing into $release"
new_release "$release" || { rm -rf "$release"; fail "the Python packages could not be installed; nothing was changed"; }
first_config "$release"
activate "$release"
if [ "$start" = no ]; then
    say "installed; start it with: systemctl enable --now whosthere.service whosthere-gallery.path"
    exit 0
fi
systemctl --quiet enable whosthere.service whosthere-gallery.path
say "starting; it may take $health_timeout s"
if healthy; then
    systemctl --quiet restart whosthere-gallery.path
    forget_other_releases "$release" "$previous"
    say "whosthere watches: $("$release/bin/whosthere" --version | head -n 1); systemctl status whosthere"
    exit 0
fi
why_not >&2
if [ -z "$previous" ]; then
    systemctl stop whosthere.service
    fail "installed, but it does not become healthy: mend $ETC/config.yaml, see \`whosthere check\`, then: systemctl start whosthere"
fi
say "the new version did not become healthy: going back to $previous" >&2
user_and_folders "$previous/share/whosthere/systemd"
activate "$previous"
rm -rf "$release"
if healthy; then fail "rolled back; the version before runs again"; fi
fail "rolled back, but the version before does not become healthy either: see \`systemctl status whosthere\`"
