#!/usr/bin/env python3
"""Writes the licences of what is linked: cargo about generate --format json | licences.py CRATES >FILE

CRATES has a line `NAME vVERSION` for each crate that is linked, as `cargo tree` prints them. cargo-about also lists those
that only help to compile, which are left out here.
"""

import json
import pathlib
import sys


def main(crates):
    linked = {tuple(line.split()[:2]) for line in pathlib.Path(crates).read_text().splitlines() if line}
    told = {("wristband", line[1]) for line in linked if line[0] == "wristband"}
    for licence in json.load(sys.stdin)["licenses"]:
        used = {(use["crate"]["name"], f"v{use['crate']['version']}") for use in licence["used_by"]} & linked
        if used:
            told |= used
            names = ", ".join(" ".join(crate) for crate in sorted(used))
            print(f"{'=' * 80}\n{licence['name']}\nof {names}\n{'=' * 80}\n\n{licence['text'].strip()}\n")
    if linked - told:
        sys.exit(f"no licence is known of {sorted(linked - told)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
