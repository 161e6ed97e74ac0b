#!/usr/bin/env bash
# Enrols and identifies on emulated arm64 and compares the answers with this machine's; for `make test-arm64`.
#
#   tests/support/arm64.sh ROOTFS BUNDLE PYTHON RUNTIME
#
# The arguments are those of tests/support/arm64_root.sh; needs root and qemu-user-static. Prints a table and fails when a name
# differs, or a similarity by more than 0.001.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
root="$1" bundle="$2" version="$3" runtime="$4"
BIN="$HERE/.venv/bin"
# The same packages on this machine: OpenCV 4.11, which tflite-runtime wants, warps pictures a little differently than 5.
if [ "$runtime" = tflite-runtime ]; then SAME="$HERE/.venv-tflite-runtime/bin"; else SAME="$BIN"; fi
TOLERANCE=0.001

mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || /lib/systemd/systemd-binfmt /usr/lib/binfmt.d/qemu-aarch64.conf

"$HERE/tests/support/arm64_root.sh" "$root" "$bundle" "$version" "$runtime"
rm -rf "$root/photos"
cp -R "$HERE/edge/demo/portraits" "$root/photos"
mkdir -p "$root/tmp" "$root/proc" "$root/dev"
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT

# A core without float16 arithmetic, which this machine does not have either: the Pi 5 has it, and rounds differently.
box() { chroot "$root" env -i QEMU_CPU=cortex-a72 PATH=/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 PYTHONPATH=/opt/site "python$version" -m edge "$@"; }
here() { (cd "$1" && shift && "$SAME/python" -P -m edge "$@"); }

work="$(mktemp -d)"
cp -R "$HERE/edge/demo/portraits" "$work/photos"
rm -f "$root/g.whg"
for folder in "$root"/photos/enroll/*; do
    person="$(basename "$folder")"
    box enroll --gallery /g.whg --person "$person" "/photos/enroll/$person/photo.jpg" >/dev/null
    here "$work" enroll --gallery g.whg --person "$person" "photos/enroll/$person/photo.jpg" >/dev/null
done
box identify --gallery /g.whg /photos/visit /photos/enroll --json >"$work/arm64.json"
here "$work" identify --gallery g.whg photos/visit photos/enroll --json >"$work/here.json"
box doctor --json >"$work/doctor.json" || true
"$BIN/python" "$HERE/tests/support/compare_answers.py" "$work/here.json" "$work/arm64.json" "$TOLERANCE"
"$BIN/python" -c 'import json, sys; s = json.load(open(sys.argv[1]))["software"]; print(s["arch"], s["system"], "Python", s["python"], s["runtime"])' "$work/doctor.json"
