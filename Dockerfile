# For those who have a container engine: the file that `make image` packs without one. First: make build
FROM scratch
COPY target/wristband.wasm /plugin.wasm
