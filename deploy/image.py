#!/usr/bin/env python3
"""Packs the filter as an OCI image layout: image.py MODULE FOLDER

The form is the one that Istio's agent and Envoy Gateway read first, the "compat" variant of the Wasm Image Specification: the
last layer of an ordinary image is a gzipped tar with the file `plugin.wasm`. The same module gives the same bytes, whenever,
wherever and by whomever it is packed: nothing here has a time, an owner or a path, and GNU gzip packs alike on every machine,
which zlib does not.
"""

import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def main(module, folder):
    blobs = pathlib.Path(folder, "blobs", "sha256")
    blobs.mkdir(parents=True)

    def put(media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    tar = layer(pathlib.Path(module).read_bytes())
    config = {
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
    }
    package = described()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": put(CONFIG, encoded(config)),
        "layers": [put(LAYER, gzipped(tar))],
        "annotations": annotations(package),
    }
    image = put(MANIFEST, encoded(manifest))
    image["annotations"] = {"org.opencontainers.image.ref.name": package["version"]}
    index = {"schemaVersion": 2, "manifests": [image]}
    pathlib.Path(folder, "index.json").write_bytes(encoded(index))
    pathlib.Path(folder, "oci-layout").write_bytes(encoded({"imageLayoutVersion": "1.0.0"}))
    print(image["digest"])


def layer(module):
    """A tar with the one file."""
    file = tarfile.TarInfo("plugin.wasm")
    file.size, file.mode = len(module), 0o644
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(file, io.BytesIO(module))
    return packed.getvalue()


def gzipped(content):
    return subprocess.run(["gzip", "-n9"], input=content, capture_output=True, check=True).stdout


def encoded(document):
    return json.dumps(document, separators=(",", ":")).encode()


def described():
    """What Cargo.toml says of the package."""
    command = ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["packages"][0]


def annotations(package):
    """As the OCI image specification names them; what Cargo.toml does not say is left out."""
    fields = {"title": "name", "version": "version", "description": "description", "licenses": "license"}
    fields["source"] = "repository"
    named = {f"org.opencontainers.image.{name}": package[field] for name, field in fields.items()}
    return {name: value for name, value in named.items() if value}


if __name__ == "__main__":
    main(*sys.argv[1:])
