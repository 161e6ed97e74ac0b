#!/usr/bin/env bash
# Installs whosthere as a service, or upgrades it in place; run it as root, from a checkout or an unpacked bundle.
#
#   systemd/install.sh [--wheelhouse DIR] [--config FILE] [--tflite-runtime] [--health-timeout SECONDS] [--no-start]
#
# --wheelhouse DIR    take every Python package from DIR and nothing from the network; an unpacked bundle (`make bundle`)
#                     has one, which is found without asking
# --config FILE       the first config.yaml, where there is none yet; otherwise `whosthere setup` asks, or without a
#                     terminal the template is taken
# --tflite-runtime    that runtime instead of LiteRT; chosen by itself on 32-bit systems, and on bookworm beside picamera2
# --health-timeout    how long the new version may take until it watches (default 90)
# --no-start          leave the service as it is: neither started nor enabled
#
# Interrupted, at whatever moment, it is simply begun again. An upgrade keeps config, passwords and gallery. When the
# new version does not become healthy in time, the old one is put back and started, and this script ends with 1.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ROOT=/opt/whosthere
ETC=/etc/whosthere
UNITS=/etc/systemd/system
GALLERY=/var/lib/whosthere/gallery.whg
SETTLE_S=5
wheelhouse="" config="" runtime="" health_timeout=90 start=yes

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case "$1" in
        --wheelhouse) wheelhouse="$(cd "$2" && pwd)"; shift ;;
        --config) config="$(realpath "$2")"; shift ;;
        --health-timeout) health_timeout="$2"; shift ;;
        --tflite-runtime) runtime=tflite-runtime ;;
        --no-start) start=no ;;
        -h|--help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
        *) fail "unknown option $1; --help lists them" ;;
    esac
    shift
done
[ "$(id -u)" = 0 ] || fail "has to be run as root: sudo $0"
[ -d /run/systemd/system ] || fail "systemd does not run here; \`whosthere run --config FILE\` needs none"
if [ -z "$wheelhouse" ] && [ -d "$HERE/wheels" ]; then wheelhouse="$HERE/wheels"; fi

# What another one left behind when it was killed may still be at work.
alone() {
    exec 9>/run/lock/whosthere-install
    flock --nonblock 9 && return
    say "another install.sh is at work: waiting for it"
    flock 9
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed'; }

debian_packages() {
    local wanted=(python3-venv python3-systemd) missing=() package
    # Only Raspberry Pi OS has it; other boxes use USB or network cameras.
    if apt-cache show python3-picamera2 >/dev/null 2>&1; then wanted+=(python3-picamera2); fi
    for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Debian packages: ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null; } ||
        fail "apt-get could not install ${missing[*]}: install them by hand, then run this again"
}

is_python() { python3 -c "import sys; sys.exit(not ($1))"; }

# LiteRT, but where it does not exist, and where it brings numpy 2 beside Debian modules that were built for numpy 1.
choose_runtime() {
    local version why=""
    version="$(python3 -c 'import platform; print(platform.python_version())')"
    is_python 'sys.version_info >= (3, 11)' || fail "Python 3.11 or newer is needed, this is $version: take bookworm or newer"
    if ! is_python 'sys.maxsize > 2 ** 32'; then
        why="this system has 32 bits"
    elif installed python3-picamera2 && ! is_python 'sys.version_info >= (3, 12)'; then
        why="this Debian's picamera2 needs numpy 1"
    fi
    if [ -z "$runtime" ] && [ -n "$why" ]; then
        runtime=tflite-runtime
        say "tflite-runtime instead of LiteRT, as $why"
    fi
    runtime="${runtime:-litert}"
    [ "$runtime" = litert ] || is_python 'sys.version_info < (3, 12)' ||
        fail "tflite-runtime needs Python 3.11, this is $version: take a 64-bit system, which has LiteRT"
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
    local release="$1" extras="$runtime" from=() constraints="$HERE/constraints.txt"
    # pyrage, for encrypted galleries, does not exist for 32 bits.
    if is_python 'sys.maxsize > 2 ** 32'; then extras+=",age"; fi
    if [ "$runtime" = tflite-runtime ]; then constraints="$HERE/constraints-tflite-runtime.txt"; fi
    if [ -n "$wheelhouse" ]; then
        from=(--no-index --find-links "$wheelhouse" "whosthere[$extras]")
    else
        from=("${HERE}[$extras]")
    fi
    if [ -f "$constraints" ]; then from+=(--constraint "$constraints"); fi
    python3 -m venv --system-site-packages "$release" || return 1
    # Where /tmp is memory, a small box has too little of it. No cache, as `uninstall` leaves nothing.
    TMPDIR="$release" "$release/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check "${from[@]}" || return 1
    mkdir -p "$release/share/whosthere"
    cp -R "$HERE/systemd" "$HERE/config.yaml" "$HERE/docs" "$release/share/whosthere/"
    "$release/bin/whosthere" --version >/dev/null
}

first_config() {
    if [ -e "$ETC/config.yaml" ]; then return 0; fi
    if [ -n "$config" ]; then
        install -m 640 "$config" "$ETC/.config.yaml.draft" && mv "$ETC/.config.yaml.draft" "$ETC/config.yaml"
    elif [ -t 0 ]; then
        say "a few questions now; what is tried and fails can be corrected, and Ctrl-C gives up"
        # Ctrl-C is for the questions; this script has something to say afterwards.
        trap : INT
        "$1/bin/whosthere" setup --config "$ETC/config.yaml" ||
            fail "not set up, so nothing was started: run this again, or with --config FILE"
        trap - INT
    else
        cp "$1/share/whosthere/config.yaml" "$ETC/config.yaml"
        say "$ETC/config.yaml is the template: sudo whosthere setup, then sudo systemctl restart whosthere"
    fi
    systemd-tmpfiles --create /etc/tmpfiles.d/whosthere.conf
}

# The unit's limits are for a gigabyte and more. With less, a leak is to end the service before it chokes the box.
limits_of_a_small_box() {
    local folder="$UNITS/whosthere.service.d" total_kb
    total_kb="$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
    if [ -e "$folder/memory.conf" ] || [ "$total_kb" -ge 900000 ]; then return 0; fi
    mkdir -p "$folder"
    printf '[Service]\nMemoryHigh=60%%\nMemoryMax=75%%\n' > "$folder/memory.conf"
    say "$((total_kb / 1024)) MB of memory: the service may have three quarters, see $folder/memory.conf"
}

# Links and units of one release; everything that decides which version runs.
activate() {
    ln -sfn "$1" "$ROOT/.next" && mv -T "$ROOT/.next" "$ROOT/current"
    ln -sfn "$ROOT/current/bin/whosthere" /usr/local/bin/whosthere
    install -m 644 "$1"/share/whosthere/systemd/whosthere*.{service,path} "$UNITS/"
    systemctl daemon-reload
}

# READY has been told, and it has lasted for a moment. If not, `reason` says what was wrong.
healthy() {
    local deadline=$((SECONDS + health_timeout)) state
    began="$(date +%s)"
    systemctl reset-failed whosthere.service 2>/dev/null || true
    systemctl restart --no-block whosthere.service
    while [ $SECONDS -lt $deadline ]; do
        sleep 1
        state="$(systemctl show --property ActiveState,SubState --value whosthere.service | tr '\n' ' ')"
        case "$state" in
            active*)
                reason="it was ready, but not for long"
                sleep "$SETTLE_S"
                [ "$(systemctl show --property NRestarts --value whosthere.service)" = 0 ] &&
                    systemctl --quiet is-active whosthere.service
                return ;;
            failed*|*auto-restart*) reason="it ended before it was ready"; return 1 ;;
        esac
    done
    reason="it was not ready after $health_timeout s"
    return 1
}

why_not() {
    systemctl show --property StatusText --value whosthere.service | sed '/^$/d'
    journalctl --quiet --no-pager --output cat --lines 5 --since "@$began" --unit whosthere.service || true
}

forget_other_releases() {
    local release
    for release in "$ROOT"/releases/*; do
        [ "$release" = "$1" ] || [ "$release" = "$2" ] || rm -rf "$release"
    done
}

# Of an install.sh that did not get to its end.
forget_unfinished() {
    local release
    for release in "$ROOT"/releases/*; do
        [ -e "$release/proven" ] || [ "$release" = "$(readlink "$ROOT/current")" ] || rm -rf "$release"
    done
}

last_proven() {
    local release found=""
    for release in "$ROOT"/releases/*; do if [ -e "$release/proven" ]; then found="$release"; fi; done
    printf %s "$found"
}

what_next() {
    say "$("$release/bin/whosthere" --version | head -n 1) runs: $(systemctl show --property StatusText --value whosthere.service)"
    say "  what is wrong?    sudo whosthere doctor"
    [ -e "$GALLERY" ] ||
        say "  nobody is known:  sudo whosthere enroll --gallery $GALLERY --person 'Ada Lovelace' ada*.jpg"
}

alone
debian_packages
choose_runtime
user_and_folders "$HERE/systemd"
previous="$(last_proven)"
release="$ROOT/releases/$(date -u +%Y%m%dT%H%M%S)"
mkdir -p "$ROOT/releases"
forget_unfinished
trap forget_unfinished EXIT
say "installing into $release; this takes a few minutes on a small box"
new_release "$release" || fail "the Python packages could not be installed; nothing was changed"
first_config "$release"
limits_of_a_small_box
activate "$release"
if [ "$start" = no ]; then
    touch "$release/proven"
    say "installed; start it with: systemctl enable --now whosthere.service whosthere-gallery.path"
    exit 0
fi
systemctl --quiet enable whosthere.service whosthere-gallery.path
say "starting; it may take $health_timeout s"
if healthy; then
    touch "$release/proven"
    systemctl --quiet restart whosthere-gallery.path
    forget_other_releases "$release" "$previous"
    what_next
    exit 0
fi
why_not >&2
if [ -z "$previous" ]; then
    systemctl stop whosthere.service
    fail "installed, but $reason: mend $ETC/config.yaml, see \`whosthere check\`, then: systemctl start whosthere"
fi
say "the new version did not become healthy, $reason: going back to $previous" >&2
user_and_folders "$previous/share/whosthere/systemd"
activate "$previous"
rm -rf "$release"
if healthy; then fail "rolled back; the version before runs again"; fi
fail "rolled back, but the version before does not become healthy either, $reason: see \`systemctl status whosthere\`"
