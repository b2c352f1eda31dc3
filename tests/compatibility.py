#!/usr/bin/env python3
"""Runs the end-to-end tests in several Envoys and writes the table of docs/compatibility.md: compatibility.py VERSION=ENVOY..."""

import os
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path("docs/compatibility.md")
LOGS = pathlib.Path("target/compatibility")

# Of an Envoy that loads no module every test fails, in the same way; so one is enough to see it.
FIRST = "discovery::without_an_issuer_there_is_nothing_to_discover"
LOADS_NONE = "Failed to load Wasm code"

# What cannot pass before a version, and why.
SAMPLES = "the samples as they are: `capability_restriction_config` has to move"
NULLS = "in the JSON access log what is empty is `null`, `omit_empty_values` or not"
AUTHORIZER = "`www-authenticate` of the authorizer in `authorizer.yaml` does not reach the client"
SIGN = "Envoy does not sign: the VM does, and `crypto: host` cannot"
SINCE = {
    "samples::every_sample_is_valid_as_it_is": (40, SAMPLES),
    "seen::a_rollout_begins_with_looking_and_finds_who_would_be_denied": (40, NULLS),
    "seen::the_access_log_of_the_samples_says_who_was_denied_and_why": (40, NULLS),
    "troubles::what_is_not_denied_here_is_found_too": (40, NULLS),
    "samples::whom_the_authorizer_names_gets_a_wristband_and_nobody_else": (38, AUTHORIZER),
    "algorithms::a_key_that_is_only_published_may_be_one_that_the_host_does_not_have": (37, SIGN),
    "algorithms::every_algorithm_of_the_host_is_everyone_elses_too": (37, SIGN),
    "metrics::counters_say_which_filter_and_whose_token_it_was": (37, SIGN),
}


def main(envoys):
    LOGS.mkdir(parents=True, exist_ok=True)
    logs = {version: run(version, envoy) for version, envoy in envoys}
    unexpected = write(logs)
    if unexpected:
        sys.exit("failed, and no reason is known: " + ", ".join(unexpected))


def run(version, envoy):
    """What the tests print in this Envoy."""
    print(f"Envoy {version}", file=sys.stderr)
    log = tests(envoy, "--exact", FIRST)
    if LOADS_NONE not in log:
        log = tests(envoy)
        # A machine that has much else to do lets some of them wait too long.
        failed = [name for name, outcome in outcomes(log).items() if outcome == "FAILED"]
        log += tests(envoy, "--exact", *failed) if failed else ""
    (LOGS / f"{version}.log").write_text(log)
    return log


def tests(envoy, *arguments):
    command = ["cargo", "test", "--locked", "--test", "e2e", "--", *arguments]
    environment = {**os.environ, "ENVOY": envoy}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace")


def outcomes(log):
    """Of each test the last."""
    return dict(re.findall(r"^test (\S+) \.\.\. (ok|FAILED)", log, re.MULTILINE))


def write(logs):
    """Writes a row for each version into the page, in the place of the one that is there; the tests that failed for no known
    reason."""
    unexpected = []
    rows = dict(re.findall(r"^\| (1\.\d+\.\d+) (\|.*)$", PAGE.read_text(), re.MULTILINE))
    for version, log in logs.items():
        rows[version], without_reason = row(version, log)
        unexpected += without_reason
    ordered = sorted(rows, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    table = "".join(f"| {version} {rows[version]}\n" for version in ordered)
    heading = "| Envoy | tests that passed | what does not work there |\n|---|---|---|\n"
    page = re.sub(r"^\| Envoy \|.*\n(\|.*\n)*", lambda _: heading + table, PAGE.read_text(), flags=re.MULTILINE)
    PAGE.write_text(page)
    return unexpected


def row(version, log):
    if LOADS_NONE in log and " 0 passed" in log:
        return f"| none | it loads no Wasm module (`{LOADS_NONE}`) |", []
    found = outcomes(log)
    failed = sorted(name for name, outcome in found.items() if outcome == "FAILED")
    minor = int(version.split(".")[1])
    reasons = {name: why for name in failed for before, why in [SINCE.get(name, (0, ""))] if minor < before}
    unexpected = [f"{name} ({version})" for name in failed if name not in reasons]
    told = sorted(set(reasons.values())) + [f"FAILED: {name}" for name in unexpected]
    return f"| {len(found) - len(failed)} of {len(found)} | {'; '.join(told)} |", unexpected


if __name__ == "__main__":
    main([argument.split("=", 1) for argument in sys.argv[1:]])
