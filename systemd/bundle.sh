#!/usr/bin/env bash
# Makes a bundle for boxes without a network: our wheel, everything it needs for one architecture, and install.sh.
#
#   systemd/bundle.sh ARCH FOLDER [PYTHON...]
#
# ARCH is aarch64 or x86_64; PYTHON versions default to those of trixie and bookworm, 3.13 and 3.11. For 3.11 it also holds
# tflite-runtime with its numpy. Needs pip and the network, but no machine of that architecture. Copy FOLDER, which holds
# wheels/, to the box.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PIP=("${PYTHON:-python3}" -m pip --disable-pip-version-check)
arch="$1" folder="$2"
shift 2
[ $# -gt 0 ] || set -- 3.13 3.11
case "$arch" in aarch64|x86_64) ;; *) echo "bundle.sh: found ARCH $arch; allowed: aarch64, x86_64" >&2; exit 2 ;; esac

rm -rf "$folder"
mkdir -p "$folder/wheels"
"${PIP[@]}" wheel --quiet --no-deps --wheel-dir "$folder/wheels" "$HERE"
own=("$folder"/wheels/whosthere-*.whl)

# Downloads what an extra needs, for the Python of `version` and the platforms of `tags`.
fetch() {
    "${PIP[@]}" download --quiet --only-binary=:all: --implementation cp --python-version "$version" "${tags[@]}" \
        --constraint "$HERE/$2" --find-links "$folder/wheels" --dest "$folder/wheels" "${own[0]}[$1]"
}

for version in "$@"; do
    tags=(--abi "cp${version/./}" --abi abi3 --abi none)
    # bookworm has glibc 2.36; to pip, a newer tag does not include the older ones.
    for glibc in 36 35 34 31 28 27 26 24 17; do tags+=(--platform "manylinux_2_${glibc}_$arch"); done
    tags+=(--platform "manylinux2014_$arch")
    fetch litert,age,web constraints.txt
    # It has no wheels for any newer Python.
    if [ "$version" = 3.11 ]; then fetch tflite-runtime,age,web constraints-tflite-runtime.txt; fi
done
cp -R "$HERE/systemd" "$HERE/docs" "$HERE/config.yaml" "$HERE"/constraints.txt "$HERE"/constraints-tflite-runtime.txt \
    "$HERE/README.md" "$HERE/LICENSE" "$folder/"
