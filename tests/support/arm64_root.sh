#!/usr/bin/env bash
# Puts the arm64 wheels into the root of an arm64 Debian; for `make test-arm64` and `make count-arm64`.
#
#   tests/support/arm64_root.sh ROOTFS BUNDLE PYTHON RUNTIME
#
# ROOTFS is an arm64 Debian (mmdebstrap --arch=arm64 --variant=extract) with that Python version, BUNDLE what
# systemd/bundle.sh made for aarch64, RUNTIME litert or tflite-runtime.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
root="$1" bundle="$2" version="$3" runtime="$4"
BIN="$HERE/.venv/bin"

rm -rf "$root/opt/site"
tags=(--implementation cp --python-version "$version" --abi "cp${version/./}" --abi abi3 --abi none)
for glibc in 36 35 34 31 28 27 17; do tags+=(--platform "manylinux_2_${glibc}_aarch64"); done
"$BIN/pip" install --quiet --disable-pip-version-check --no-compile --no-index --find-links "$bundle/wheels" \
    --only-binary=:all: "${tags[@]}" --platform manylinux2014_aarch64 --target "$root/opt/site" "whosthere[$runtime]"
# Compiled here: under emulation `import numpy` takes 90 s without, and 7 s with compiled files.
for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
    if "$python" -c '' 2>/dev/null; then
        env -u PYTHONDONTWRITEBYTECODE "$python" -m compileall -q -j 2 -s "$root" "$root/opt/site" || true
        break
    fi
done
