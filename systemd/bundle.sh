#!/usr/bin/env bash
# Makes what a box without a network installs from: our wheel, all it needs for one architecture, and install.sh.
#
#   systemd/bundle.sh ARCH FOLDER [PYTHON...]
#
# ARCH is aarch64 or x86_64; PYTHON versions default to those of trixie and bookworm, 3.13 and 3.11. For 3.11 it also holds
# tflite-runtime with the numpy that goes with it. Needs pip and the network, and no machine of that architecture. FOLDER
# becomes what is to be copied to the box, with wheels/ in it.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PIP=("${PYTHON:-python3}" -m pip --disable-pip-version-check)
arch="$1" folder="$2"
shift 2
[ $# -gt 0 ] || set -- 3.13 3.11
case "$arch" in aarch64|x86_64) ;; *) echo "bundle.sh: no wheels are known for $arch" >&2; exit 2 ;; esac

rm -rf "$folder"
mkdir -p "$folder/wheels"
"${PIP[@]}" wheel --quiet --no-deps --wheel-dir "$folder/wheels" "$HERE"
own=("$folder"/wheels/whosthere-*.whl)

# What an extra needs, for the Python of `version` and the platforms of `tags`.
fetch() {
    "${PIP[@]}" download --quiet --only-binary=:all: --implementation cp --python-version "$version" "${tags[@]}" \
        --constraint "$HERE/$2" --find-links "$folder/wheels" --dest "$folder/wheels" "${own[0]}[$1]"
}

for version in "$@"; do
    tags=(--abi "cp${version/./}" --abi abi3 --abi none)
    # glibc of bookworm is 2.36; pip does not take a newer tag to include the older ones.
    for glibc in 36 35 34 31 28 27 26 24 17; do tags+=(--platform "manylinux_2_${glibc}_$arch"); done
    tags+=(--platform "manylinux2014_$arch")
    fetch litert,age constraints.txt
    # No newer Python has wheels of it.
    if [ "$version" = 3.11 ]; then fetch tflite-runtime,age constraints-tflite-runtime.txt; fi
done
cp -R "$HERE/systemd" "$HERE/docs" "$HERE/config.yaml" "$HERE"/constraints.txt "$HERE"/constraints-tflite-runtime.txt \
    "$HERE/README.md" "$HERE/LICENSE" "$folder/"
