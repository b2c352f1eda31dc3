# For those who have a container engine: the file that `make image` packs without one. After `make build`:
# docker build --platform wasip1/wasm --tag wristband .
FROM scratch
COPY target/wristband.wasm /plugin.wasm
