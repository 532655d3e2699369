#!/usr/bin/env python3
"""Measures the wire between doors and the hub, and writes its section of BENCHMARKS.md anew.

It measures with the project's own programs, which take turns with their peers themselves; here
their figures only become tables. It talks to loopback only.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "BENCHMARKS.md"
HEADING = "## Records and rosters over the wire"
RECORDS = 200_000
PEOPLE = 10_000
DEVICES = 200


def main():
    arguments = parse()
    load = os.getloadavg()[0]
    rates = measure([arguments.ingest_rate, "5", str(ROOT / ".setup")])
    programs = ["--programs", arguments.programs, "--json"]
    drained = measure([arguments.processes, "drain", "--records", str(RECORDS), *programs])
    fleet = measure(
        [arguments.processes, "fleet", "--people", str(PEOPLE), "--devices", str(DEVICES), *programs]
    )
    write(section(load, rates, drained, fleet))


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ingest-rate", required=True, help="the built ingest_rate of the hub")
    parser.add_argument("--processes", required=True, help="the built program of that name")
    parser.add_argument("--programs", required=True, help="the directory of `kiosk` and `syncd`")
    return parser.parse_args()


def measure(command):
    """The figures are the last line of what is printed."""
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def section(load, rates, drained, fleet):
    lines = [
        HEADING,
        "",
        f"`tests/bench/run wire`, {datetime.date.today().isoformat()}, commit {commit()}, optimised",
        f"builds, load before {load:.1f}. Goals in brackets.",
        "",
        "Records a second that the hub's store takes durably, decoded, digested, their chain and its",
        "signed head checked, against bare SQLite that inserts the same bytes in the same batches",
        "(goal: at least 0.7). A ratio above 1 is the better one.",
        "",
        "| records of a batch | devices at once | store | bare SQLite | ratio |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['batch']} | {row['devices']} | {row['store_per_s']:,.0f} "
        f"| {row['bare_per_s']:,.0f} | {row['ratio']:.2f} |"
        for row in rates
    ]
    size = fleet["bytes"] / 1e6
    rate = size * fleet["devices"] / fleet["hub_s"]
    lines += [
        "",
        "| what | measured |",
        "|---|---|",
        f"| {drained['records']:,} records of one door drained to the hub over TLS "
        f"| {drained['seconds']:.1f} s, {drained['per_s']:,.0f} a second |",
        f"| the daemon's resident memory at rest (20 MB) | {drained['rest_mb']:.1f} MB |",
        f"| the same while it drains (64 MB) | {drained['peak_mb']:.1f} MB |",
        f"| a roster of {fleet['people']:,} people, a reference each, to the first device "
        f"| {size:.1f} MB, {fleet['first_s']:.2f} s |",
        f"| the same to {fleet['devices']} devices at once, each by its own TLS connection "
        f"| {fleet['hub_s']:.1f} s, {rate:,.0f} MB a second |",
        f"| the hub's resident memory, at most | {fleet['hub_mb']:.0f} MB |",
    ]
    if fleet["nginx_s"] is not None:
        ratio = fleet["hub_s"] / fleet["nginx_s"]
        lines.append(
            f"| nginx with the same bytes from a file, in turns | {fleet['nginx_s']:.1f} s; "
            f"the hub takes {ratio:.2f} times as long |"
        )
    lines += [
        "",
        "The devices run on the same cores as the hub, and so do nginx's readers.",
        "",
    ]
    return "\n".join(lines)


def write(new):
    """Puts the section where it was, or before the notes about what was tried."""
    text = BENCHMARKS.read_text()
    begin = text.find(HEADING)
    if begin < 0:
        begin = text.find("## Options of ONNX Runtime")
        end = begin = len(text) if begin < 0 else begin
    else:
        end = text.find("\n## ", begin) + 1 or len(text)
    BENCHMARKS.write_text(text[:begin] + new + "\n" + text[end:])


def commit():
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
