#!/usr/bin/env bash
# Removes what install.sh made; run it as root.
#
#   systemd/uninstall.sh [--remove-gallery | --keep-gallery]
#
# It asks whether to remove the gallery, the templates of the people you enrolled; without a terminal, the gallery stays.
# Debian packages stay, because other programs may need them. It needs only what every Debian with systemd has; interrupted,
# run it again.
set -euo pipefail
# `su` may leave out the folders that hold root's programs.
PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"

GALLERY=/var/lib/whosthere/gallery.whg
gallery=ask

say() { printf '%s\n' "$*"; }
fail() { printf 'uninstall.sh: %s\n' "$*" >&2; exit 1; }

for option in "$@"; do
    case "$option" in
        --remove-gallery) gallery=remove ;;
        --keep-gallery) gallery=keep ;;
        -h|--help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
        *) fail "unknown option $option; --help lists them" ;;
    esac
done
[ "$(id -u)" = 0 ] || fail "this needs root: sudo $0"
missing=()
for tool in systemctl getent find sed; do command -v "$tool" >/dev/null || missing+=("$tool"); done
[ ${#missing[@]} = 0 ] || fail "found no ${missing[*]}; required before anything is removed: install them, then run this again"

# A minimal system may lack the package `passwd` and with it `userdel`; then no other program but systemd changes accounts.
remove_account() {
    if command -v userdel >/dev/null && command -v groupdel >/dev/null; then
        if getent passwd whosthere >/dev/null; then userdel whosthere; fi
        if getent group whosthere >/dev/null; then groupdel whosthere; fi
        return
    fi
    local file
    for file in passwd shadow group gshadow; do
        if [ -e "/etc/$file" ]; then sed -i '/^whosthere:/d' "/etc/$file"; fi
    done
    # It is also in the last field of its groups: a list of names, separated by commas.
    for file in group gshadow; do
        if [ -e "/etc/$file" ]; then
            sed -E -i ':again; s/^(.*[:,])whosthere(,(.*))?$/\1\3/; t again; s/,$//' "/etc/$file"
        fi
    done
}

if [ "$gallery" = ask ]; then
    gallery=keep
    if [ -e "$GALLERY" ] && [ -t 0 ]; then
        read -r -p "Remove the gallery $GALLERY as well? [y/N] " answer
        case "$answer" in [yY]*) gallery=remove ;; esac
    fi
fi

units=(whosthere.service whosthere-gallery.path whosthere-gallery.service)
units+=(whosthere-web.path whosthere-web.socket whosthere-web.service)
systemctl --quiet disable --now "${units[@]}" 2>/dev/null || true
systemctl reset-failed "${units[@]}" 2>/dev/null || true
rm -rf /etc/systemd/system/whosthere{,-web}.service.d /etc/systemd/system/whosthere-web.socket.d
for unit in "${units[@]}"; do rm -f "/etc/systemd/system/$unit"; done
systemctl daemon-reload
rm -rf /opt/whosthere /etc/whosthere /usr/local/bin/whosthere /run/whosthere-install.lock
rm -f /etc/ssh/sshd_config.d/whosthere.conf
# Without an SSH server, install.sh made these.
rmdir /etc/ssh/sshd_config.d /etc/ssh 2>/dev/null || true
if systemctl --quiet is-active ssh.service; then systemctl reload ssh.service || true; fi
rm -f /etc/sysusers.d/whosthere.conf /etc/tmpfiles.d/whosthere.conf

if [ "$gallery" = keep ] && [ -e "$GALLERY" ]; then
    find /var/lib/whosthere -mindepth 1 ! -path "$GALLERY" -delete
    # Its owner is about to be removed, and the next user with that number must not inherit faces.
    chown -R root:root /var/lib/whosthere
    chmod 700 /var/lib/whosthere
    say "kept: $GALLERY"
else
    rm -rf /var/lib/whosthere
fi
remove_account
say "whosthere is removed"
