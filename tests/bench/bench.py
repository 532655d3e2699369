"""Measures this project against its peers in one interleaved run and writes BENCHMARKS.md.

Why it exists: two programs measured one after the other are measured on two different machines, as
far as heat, neighbours and caches go. Here each side is a process that waits, and every round lets
each of them do the same work on the same frames in turn. What is compared is the processor time of
one thread; a figure is the median over the rounds, a ratio the median of the rounds' own ratios.

It measures; it decides nothing, and it fails only where results differ (another face count, another
best match). Started by `run`, which builds and sets up what it needs.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETUP = Path(os.environ.get("DIEMDANH_SETUP", ROOT / ".setup"))
OPENCV_WORKER = Path(__file__).resolve().parent / "opencv_worker.py"
REPORT = ROOT / "BENCHMARKS.md"

# How often each stage is done in one turn: some tens of milliseconds, so that a turn is neither
# lost in the clock nor long enough for the machine to change.
STAGES = {
    "decode-vga": ("decode a 640×480 JPEG", 20),
    "decode-hd": ("decode a 1280×720 JPEG", 8),
    "scale": ("scale 1280×720 to 640×360", 40),
    "detect-320": ("detect at 320×240", 13),
    "detect-640": ("detect at 640×480", 13),
    "align": ("align one face", 200),
    "template": ("compute one template", 6),
    "decision": ("one whole decision: JPEG 640×480 to the best of 200", 13),
}
SEARCH_ROWS = {200: 40, 1_000: 20, 10_000: 4, 100_000: 1}
PROBES = 50


def main():
    arguments = parse()
    workers = {"ours": Worker([arguments.worker])}
    for name in ("opencv5", "opencv4"):
        python = SETUP / f"venv-{name}" / "bin" / "python"
        if python.exists():
            workers[name] = Worker([str(python), str(OPENCV_WORKER)])
        else:
            print(f"bench: {name} is not installed, so it is not compared", file=sys.stderr)
    if "opencv5" not in workers:
        sys.exit("bench: OpenCV 5 is missing; run `deploy/setup peers`")
    versions = {name: worker.ask("info") for name, worker in workers.items()}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        frames = workers["opencv5"].ask(f"make-frames {scratch} {SETUP / 'portraits'}")["frames"]
        for worker in workers.values():
            worker.ask(f"frames {scratch}")
        stages = measure_stages(workers, arguments.rounds)
        searches = measure_search(workers, scratch, arguments.rounds)
        for worker in workers.values():
            worker.close()
        starts = measure_starts(arguments.worker, versions, scratch, arguments.starts)
        kiosk = measure_kiosk(arguments.kiosk, scratch, arguments.starts)
    appends = measure_appends(arguments.append_rate)
    report = Report(arguments, versions, frames)
    text = report.text(stages, searches, appends, starts, kiosk)
    print(text)
    if arguments.write:
        REPORT.write_text(text)
        print(f"bench: wrote {REPORT.relative_to(ROOT)}", file=sys.stderr)


def parse():
    parser = argparse.ArgumentParser(description="see the top of the file")
    parser.add_argument("--worker", required=True, help="the built bench_worker")
    parser.add_argument("--append-rate", help="the built append_rate of the ledger")
    parser.add_argument("--kiosk", help="the built kiosk")
    parser.add_argument("--rounds", type=int, default=25, help="turns of each side")
    parser.add_argument("--starts", type=int, default=9, help="starts of each program")
    parser.add_argument("--no-write", dest="write", action="store_false", help="only print")
    return parser.parse_args()


class Worker:
    """One side: a process that does what it is told and answers with a line of JSON."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=one_thread(),
        )
        self.command = command

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench: {self.command[-1]} failed at `{line}`; run it by hand to see why")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def one_thread():
    """The environment of every side. How BLAS libraries are tuned is left to themselves."""
    environment = dict(os.environ)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(name, None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = "1"
    environment["OPENCV_LOG_LEVEL"] = "ERROR"
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    return environment


def measure_stages(workers, rounds):
    """For each stage and side the times of all rounds in nanoseconds."""
    times = {stage: {name: [] for name in workers} for stage in STAGES}
    for turn in range(rounds + 1):
        progress("stages", turn, rounds)
        for stage, (_, often) in STAGES.items():
            sums = {}
            for name, worker in in_turn(workers, turn):
                answer = worker.ask(f"stage {stage} {often}")
                sums[name] = answer["sum"]
                # The first round warms up.
                if turn > 0:
                    times[stage][name].append(answer["ns"])
            if len(set(sums.values())) != 1:
                sys.exit(f"bench: the sides disagree at `{stage}`: {sums}")
    return times


def measure_search(workers, scratch, rounds):
    """For each number of rows the times of ours and of faiss in nanoseconds."""
    sides = {name: workers[name] for name in ("ours", "opencv5")}
    probes = scratch / "probes.f32"
    sides["opencv5"].ask(f"make-vectors {probes} {PROBES} 1")
    times = {}
    for rows, often in SEARCH_ROWS.items():
        path = scratch / f"{rows}.f32"
        sides["opencv5"].ask(f"make-vectors {path} {rows} {rows}")
        times[rows] = {name: [] for name in sides}
        for turn in range(rounds + 1):
            progress(f"search {rows}", turn, rounds)
            tops = []
            for name, worker in in_turn(sides, turn):
                answer = worker.ask(f"search {path} {probes} {often}")
                tops.append(answer["top"])
                if turn > 0:
                    times[rows][name].append(answer["ns"])
            if tops[0] != tops[1]:
                sys.exit(f"bench: another best match among {rows} rows")
    return times


def in_turn(workers, turn):
    """Who begins changes with every round."""
    names = list(workers)
    shift = turn % len(names)
    return [(name, workers[name]) for name in names[shift:] + names[:shift]]


def measure_starts(worker, versions, scratch, starts):
    """From the start of a process to one comparison: wall time in seconds and peak memory in MB."""
    frames = [str(scratch / "vga" / name) for name in ("08.jpg", "11.jpg")]
    commands = {"ours": [worker, "first", *frames]}
    for name in versions:
        if name != "ours":
            python = str(SETUP / f"venv-{name}" / "bin" / "python")
            commands[name] = [python, str(OPENCV_WORKER), "first", *frames]
    measured = {name: [] for name in commands}
    for turn in range(starts + 1):
        progress("starts", turn, starts)
        for name, command in in_turn(commands, turn):
            seconds, megabytes, _ = timed(command)
            if turn > 0:
                measured[name].append((seconds, megabytes))
    return measured


def timed(command, **options):
    """Wall seconds, peak resident megabytes and output of a program that has to succeed."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=one_thread(), **options
    )
    output = process.stdout.read()
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed: {errors.decode()}")
    return seconds, usage.ru_maxrss / 1024, output.decode()


def measure_kiosk(kiosk, scratch, starts):
    """The kiosk itself playing a recording, when it was built."""
    return None


def measure_appends(append_rate):
    if not append_rate:
        return None
    return timed([append_rate])[2].strip()


def progress(what, turn, turns):
    print(f"\rbench: {what}, round {turn} of {turns}   ", end="", file=sys.stderr, flush=True)
    if turn == turns:
        print(file=sys.stderr)


class Report:
    """BENCHMARKS.md."""

    def __init__(self, arguments, versions, frames):
        self.arguments = arguments
        self.versions = versions
        self.frames = frames

    def text(self, stages, searches, appends, starts, kiosk):
        parts = [
            self.head(),
            self.stages(stages),
            self.searches(searches),
            self.appends(appends),
            self.starts(starts),
            kiosk or "",
            NOTES.read_text() if NOTES.exists() else "",
        ]
        return "\n".join(part for part in parts if part)

    def peers(self):
        return [name for name in ("opencv5", "opencv4") if name in self.versions]

    def head(self):
        opencv = " and ".join(self.versions[name]["version"] for name in self.peers())
        return f"""# Benchmarks

Written by `make bench`; measured, not promised. Processor time of one thread; each figure is the
median of {self.arguments.rounds} rounds in which all sides took turns on the same {self.frames} frames, each ratio the
median of the rounds' own ratios. Below 1 this project is the quicker one.

| | |
|---|---|
| machine | {cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()} |
| date | {datetime.date.today().isoformat()} |
| commit | {commit()} |
| this project | rustc {rustc()}, ONNX Runtime {onnxruntime()} |
| peers | OpenCV {opencv} (Python {platform.python_version()}), faiss {self.versions["opencv5"].get("faiss", "none")}, numpy {self.versions["opencv5"]["numpy"]} |
| command | `make bench` |
"""

    def stages(self, times):
        peers = self.peers()
        lines = [
            "## Each stage and one decision",
            "",
            "The peer is OpenCV's own pipeline in Python: `imdecode`, `FaceDetectorYN`, `alignCrop`,",
            "`FaceRecognizerSF`, a matrix product for the search. Results were the same on all sides:",
            "as many faces in each frame, the same person for each decision.",
            "",
            "| stage | ours ms | " + " | ".join(f"{self.label(p)} ms | ratio" for p in peers) + " |",
            "|---|---|" + "---|---|" * len(peers),
        ]
        for stage, (label, _) in STAGES.items():
            ours = times[stage]["ours"]
            cells = [label, milliseconds(ours)]
            for peer in peers:
                theirs = times[stage][peer]
                cells += [milliseconds(theirs), ratio(ours, theirs)]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def label(self, peer):
        return f"OpenCV {self.versions[peer]['version']}"

    def searches(self, times):
        lines = [
            "## Search",
            "",
            f"The best of so many templates of 128 values by cosine, one probe at a time; {PROBES} probes, and",
            "the same best match from both for every one of them. The peer is faiss `IndexFlatIP`.",
            "",
            "| templates | ours µs | faiss µs | ratio |",
            "|---|---|---|---|",
        ]
        for rows, sides in times.items():
            ours, faiss = sides["ours"], sides["opencv5"]
            lines.append(
                f"| {rows:,} | {microseconds(ours)} | {microseconds(faiss)} | {ratio(ours, faiss)} |"
            )
        return "\n".join(lines) + "\n"

    def appends(self, output):
        if output is None:
            return ""
        return f"## Durable appends\n\n{output}\n"

    def starts(self, measured):
        lines = [
            "## From start to first decision",
            "",
            "A new process loads both networks, reads two 640×480 JPEGs, finds the face in each and",
            "compares them. Wall time with warm file caches, and the most memory that was resident.",
            "",
            "| | seconds | ratio | peak MB | ratio |",
            "|---|---|---|---|---|",
        ]
        ours = measured["ours"]
        for name, values in measured.items():
            label = "this project" if name == "ours" else self.label(name)
            seconds, megabytes = ([value[i] for value in values] for i in (0, 1))
            cells = [label, f"{statistics.median(seconds):.2f}", "", f"{statistics.median(megabytes):.0f}", ""]
            if name != "ours":
                cells[2] = ratio([value[0] for value in ours], seconds)
                cells[4] = ratio([value[1] for value in ours], megabytes)
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


NOTES = Path(__file__).resolve().parent / "notes.md"


def ratio(ours, theirs):
    return f"{statistics.median(a / b for a, b in zip(ours, theirs)):.2f}"


def milliseconds(times):
    return f"{statistics.median(times) / 1e6:.3f}"


def microseconds(times):
    return f"{statistics.median(times) / 1e3:.1f}"


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


def commit():
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout

    changed = git("status", "--porcelain", "--", "appliance", "models", "tests", "Cargo.lock")
    return git("rev-parse", "--short", "HEAD").strip() + (" and changes" if changed else "")


def rustc():
    return subprocess.run(["rustc", "-V"], capture_output=True, text=True).stdout.split()[1]


def onnxruntime():
    pins = (ROOT / "deploy/requirements/runtime.txt").read_text()
    return next(
        line.split("==")[1].split()[0]
        for line in pins.splitlines()
        if line.startswith("onnxruntime==")
    )


main()
