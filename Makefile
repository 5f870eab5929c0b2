# Thin front of meson. `make` leaves the program at build/hull; every target works from an empty clone.
BUILD ?= build

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) programs

$(BUILD)/build.ninja:
	@tools/install-deps build
	@meson setup $(BUILD)

# Installs what it needs, builds every way, runs everything; ends with `N passed, N failed, N skipped`.
test:
	@command -v python3 >/dev/null || tools/install-deps build
	@tools/test

# Boots Debian's stock cloud kernel and runs a command in it; COMMAND='...' for another one.
demo:
	@tools/install-deps demo
	@$(MAKE) --no-print-directory all
	@tools/demo --build $(BUILD) $(if $(COMMAND),'$(COMMAND)')
	@tools/demo-run --build $(BUILD)

# hull-metal, the module, Debian's KVM and Xen with the same guest on the same emulated machine (bench/metal).
bench-metal: all
	@tools/install-deps test
	@tools/install-deps metal
	@bench/metal --build $(BUILD)

# The Linux module build/kmod/hull.ko (docs/kmod.md), for the kernel whose headers are installed.
kmod:
	@tools/install-deps kmod
	@tools/build-kmod $(BUILD) $(VERSION)

# The unit tests of the ordinary build only.
check: all
	@tools/test --fast

# hull's jit engine and QEMU's TCG in turn, ratios of medians.
bench: all
	@tools/install-deps bench
	@ninja -C $(BUILD)
	@bench/run --build $(BUILD)
	@$(BUILD)/hull kernel fetch --arch ppc64le && bench/run --arch ppc64le --build $(BUILD)
	@bench/run-foreign --build $(BUILD)
	@bench/image --build $(BUILD)
	@bench/run-images --build $(BUILD)
	@bench/oci --build $(BUILD)

# build/hull-metal.iso: hull-metal with the guests of guest/metal/hull.conf, for BIOS and UEFI (docs/metal.md).
metal-iso: all
	@tools/install-deps metal
	@tools/metal-iso --build $(BUILD) -o $(BUILD)/hull-metal.iso

# All tests of hull-metal; `make test` has the short ones.
test-metal: all
	@tools/install-deps test
	@$(BUILD)/tests/unit/metal/metal_config && HULL=$(abspath $(BUILD))/hull HULL_METAL_LONG=1 tests/integration/metal.py
	@HULL=$(abspath $(BUILD))/hull tests/metal/kmod.py

install: all
	@meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-clang build-asan build-fuzz

.PHONY: all demo test check bench bench-metal kmod metal-iso test-metal install clean
