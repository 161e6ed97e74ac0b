#!/usr/bin/env bash
# Installs whosthere as a service, or upgrades it in place; run it as root, from a checkout or an unpacked bundle.
#
#   systemd/install.sh [--wheelhouse DIR] [--config FILE] [--tflite-runtime] [--health-timeout SECONDS] [--no-start]
#
# --wheelhouse DIR    Install every Python package from DIR and nothing from the network. An unpacked bundle (from
#                     `make bundle`) contains such a folder, which is used automatically.
# --config FILE       Start with this config.yaml if the box has none. Without it, `whosthere setup` asks; without a
#                     terminal, the template is installed.
# --tflite-runtime    Use tflite-runtime instead of LiteRT. This is automatic on 32-bit systems, and on bookworm with
#                     picamera2.
# --health-timeout    Wait this many seconds for the new version to start watching (default 90).
# --no-start          Neither start nor enable the service.
#
# If it is interrupted, run it again. An upgrade keeps config, passwords and gallery. If the new version does not become
# healthy in time, the old one is restored and started, and this script exits with 1.
#
# It needs Debian with systemd. What else it needs, it installs: python3-venv and python3-systemd.
set -euo pipefail
# `su` may leave out the folders that hold root's programs.
PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"

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
[ "$(id -u)" = 0 ] || fail "this needs root: sudo $0"
[ -d /run/systemd/system ] || fail "systemd is not running on this machine; without it, use \`whosthere run --config FILE\`"
missing=()
for tool in apt-get dpkg-query flock getent journalctl systemctl systemd-sysusers systemd-tmpfiles; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
[ ${#missing[@]} = 0 ] || fail "found no ${missing[*]}; required: Debian with systemd; nothing has changed"
cd /
if [ -z "$wheelhouse" ] && [ -d "$HERE/wheels" ]; then wheelhouse="$HERE/wheels"; fi

# A killed install.sh may have left processes that are still working.
wait_for_other_installs() {
    # Not in /run/lock, where everybody may write, and not readable: a user who can open a file can lock it.
    local lock=/run/whosthere-install.lock
    (umask 077 && : >> "$lock")
    exec 9>> "$lock"
    flock --nonblock 9 && return
    say "waiting for another install.sh to finish"
    flock 9
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed'; }

debian_packages() {
    local wanted=(python3-venv python3-systemd) missing=() package
    # Only Raspberry Pi OS has this package; other boxes use USB or network cameras.
    if apt-cache show python3-picamera2 >/dev/null 2>&1; then wanted+=(python3-picamera2); fi
    for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Debian packages: ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null; } ||
        fail "apt-get could not install ${missing[*]}; install them by hand, then run this again"
}

# -I, and not in the caller's folder: a platform.py there must not run as root.
is_python() { python3 -I -c "import sys; sys.exit(not ($1))"; }

# LiteRT, except where it does not exist, and where it would bring numpy 2 to Debian modules that were built for numpy 1.
choose_runtime() {
    local version why=""
    version="$(python3 -I -c 'import platform; print(platform.python_version())')"
    is_python 'sys.version_info >= (3, 11)' || fail "found Python $version; required: 3.11 or newer, as in Debian bookworm"
    if ! is_python 'sys.maxsize > 2 ** 32'; then
        why="this is a 32-bit system"
    elif installed python3-picamera2 && ! is_python 'sys.version_info >= (3, 12)'; then
        why="this Debian's picamera2 needs numpy 1"
    fi
    if [ -z "$runtime" ] && [ -n "$why" ]; then
        runtime=tflite-runtime
        say "using tflite-runtime instead of LiteRT: $why"
    fi
    runtime="${runtime:-litert}"
    [ "$runtime" = litert ] || is_python 'sys.version_info < (3, 12)' ||
        fail "found Python $version; tflite-runtime requires 3.11: use a 64-bit system, which has LiteRT"
}

# The user, with the device groups that this box has, whether the devices are plugged in yet or not.
user_and_folders() {
    install -D -m 644 "$1/sysusers.d/whosthere.conf" /etc/sysusers.d/whosthere.conf
    install -D -m 644 "$1/tmpfiles.d/whosthere.conf" /etc/tmpfiles.d/whosthere.conf
    systemd-sysusers /etc/sysusers.d/whosthere.conf
    local group
    for group in gpio apex; do
        # Not usermod, which a minimal system may lack.
        if getent group "$group" >/dev/null; then systemd-sysusers - <<< "m whosthere $group"; fi
    done
    systemd-tmpfiles --create /etc/tmpfiles.d/whosthere.conf
    # A version that is rolled back to may have none; then the new one stays, because the keys have been moved.
    if [ -e "$1/sshd_config.d/whosthere.conf" ]; then keys_out_of_reach "$1/sshd_config.d/whosthere.conf"; fi
}

# The keys for pushing used to lie in the service's own folder, where it could have added some.
keys_out_of_reach() {
    local old=/var/lib/whosthere/.ssh/authorized_keys moved
    # As the service's user, which may have made it a link.
    if [ ! -e "$ETC/authorized_keys" ] && moved="$(runuser -u whosthere -- cat "$old" 2>/dev/null)"; then
        install -m 640 -o root -g whosthere /dev/stdin "$ETC/authorized_keys" <<< "$moved"
        runuser -u whosthere -- rm -f "$old"
        say "moved the keys for pushing to $ETC/authorized_keys; check that each line is yours:"
        cut -c 1-160 "$ETC/authorized_keys" | LC_ALL=C tr -cd '\11\12\40-\176'
    fi
    install -D -m 644 "$1" /etc/ssh/sshd_config.d/whosthere.conf
    command -v sshd >/dev/null || return 0
    if systemctl --quiet is-active ssh.service; then systemctl reload ssh.service || true; fi
    sshd -T -C user=whosthere,host=localhost,addr=127.0.0.1 2>/dev/null | grep -qx "authorizedkeysfile $ETC/authorized_keys" ||
        say "sshd does not use $ETC/authorized_keys: let /etc/ssh/sshd_config include /etc/ssh/sshd_config.d/*.conf"
}

# Each release has its own virtual environment, so the old one stays intact until the new one has proven itself.
new_release() {
    local release="$1" extras="$runtime,web" from=() constraints="$HERE/constraints.txt"
    # pyrage, for encrypted galleries, does not exist for 32-bit systems.
    if is_python 'sys.maxsize > 2 ** 32'; then extras+=",age"; fi
    if [ "$runtime" = tflite-runtime ]; then constraints="$HERE/constraints-tflite-runtime.txt"; fi
    if [ -n "$wheelhouse" ]; then
        from=(--no-index --find-links "$wheelhouse" "whosthere[$extras]")
    else
        from=("${HERE}[$extras]")
    fi
    if [ -f "$constraints" ]; then from+=(--constraint "$constraints"); fi
    python3 -I -m venv --system-site-packages "$release" || return 1
    # A small box has too little memory where /tmp is in memory. No cache: uninstall.sh leaves nothing behind.
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
        say "a few questions; you can correct every answer that does not work, and Ctrl-C cancels"
        # Ctrl-C ends the questions; this script still has something to say afterwards.
        trap : INT
        "$1/bin/whosthere" setup --config "$ETC/config.yaml" ||
            fail "setup was not finished, so nothing was started; run this again, or with --config FILE"
        trap - INT
    else
        cp "$1/share/whosthere/config.yaml" "$ETC/config.yaml"
        say "$ETC/config.yaml is the template; now run: sudo whosthere setup, then: sudo systemctl restart whosthere"
    fi
    systemd-tmpfiles --create /etc/tmpfiles.d/whosthere.conf
}

# The unit's limits are for a gigabyte or more. With less, a leak must end the service before it chokes the box.
limits_of_a_small_box() {
    local folder="$UNITS/whosthere.service.d" total_kb
    total_kb="$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
    if [ -e "$folder/memory.conf" ] || [ "$total_kb" -ge 900000 ]; then return 0; fi
    mkdir -p "$folder"
    printf '[Service]\nMemoryHigh=60%%\nMemoryMax=75%%\n' > "$folder/memory.conf"
    say "$((total_kb / 1024)) MB of memory: the service may use three quarters of it, see $folder/memory.conf"
}

# Switch to a release: its links and units decide which version runs.
activate() {
    ln -sfn "$1" "$ROOT/.next" && mv -T "$ROOT/.next" "$ROOT/current"
    ln -sfn "$ROOT/current/bin/whosthere" /usr/local/bin/whosthere
    install -m 644 "$1"/share/whosthere/systemd/whosthere*.{service,path} "$UNITS/"
    # A version that is rolled back to may have no page.
    if [ -e "$1/share/whosthere/systemd/whosthere-web.socket" ]; then
        install -m 644 "$1/share/whosthere/systemd/whosthere-web.socket" "$UNITS/"
    else
        systemctl --quiet disable --now whosthere-web.path whosthere-web.socket whosthere-web.service 2>/dev/null || true
        rm -f "$UNITS"/whosthere-web.*
    fi
    systemctl daemon-reload
}

# Whether the service has reported READY and then lasted for a moment; otherwise `reason` says what went wrong.
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
                reason="it stopped soon after it was ready"
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

# Removes what an unfinished install.sh left behind.
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
    say "$("$release/bin/whosthere" --version | head -n 1) is running: $(systemctl show --property StatusText --value whosthere.service)"
    say "  look for problems:  sudo whosthere doctor"
    [ -e /var/lib/whosthere/web/password ] ||
        say "  use the web page:   sudo whosthere web password, then see docs/72-web.md"
    [ -e "$GALLERY" ] ||
        say "  enrol people:       sudo whosthere enroll --gallery $GALLERY --person 'Ada Lovelace' ada*.jpg"
}

wait_for_other_installs
debian_packages
choose_runtime
user_and_folders "$HERE/systemd"
previous="$(last_proven)"
release="$ROOT/releases/$(date -u +%Y%m%dT%H%M%S)"
mkdir -p "$ROOT/releases"
forget_unfinished
trap forget_unfinished EXIT
say "installing into $release; this takes a few minutes on a small box"
new_release "$release" || fail "the Python packages could not be installed; nothing has changed"
first_config "$release"
limits_of_a_small_box
activate "$release"
if [ "$start" = no ]; then
    touch "$release/proven"
    say "installed; start it with: systemctl enable --now whosthere.service whosthere-gallery.path whosthere-web.path"
    exit 0
fi
systemctl --quiet enable whosthere.service whosthere-gallery.path whosthere-web.path
say "starting; this may take up to $health_timeout s"
if healthy; then
    touch "$release/proven"
    systemctl --quiet restart whosthere-gallery.path whosthere-web.path
    # If it runs, it runs the version before.
    systemctl --quiet try-restart whosthere-web.service
    forget_other_releases "$release" "$previous"
    what_next
    exit 0
fi
why_not >&2
if [ -z "$previous" ]; then
    systemctl stop whosthere.service
    fail "installed, but $reason; fix $ETC/config.yaml (\`whosthere check\` helps), then: systemctl start whosthere"
fi
say "the new version did not become healthy ($reason): rolling back to $previous" >&2
user_and_folders "$previous/share/whosthere/systemd"
activate "$previous"
rm -rf "$release"
if healthy; then fail "rolled back; the previous version is running again"; fi
fail "rolled back, but the previous version does not become healthy either ($reason): see \`systemctl status whosthere\`"
