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
NOTES = Path(__file__).resolve().parent / "notes.md"

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
# Two portraits of one person among the frames: the one enrolled, the one at the door.
FIRST_FRAMES = ("11.jpg", "12.jpg")
RECORDED_FRAMES = 12


def main():
    arguments = parse()
    load = os.getloadavg()[0]
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
        starts = measure_starts(arguments, versions, scratch)
    appends = measure_appends(arguments.append_rate)
    report = Report(arguments, versions, frames, load)
    text = report.text(stages, searches, appends, starts)
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


def measure_starts(arguments, versions, scratch):
    """From the start of a process to one comparison: wall time in seconds and peak memory in MB."""
    frames = [str(scratch / "vga" / name) for name in FIRST_FRAMES]
    starts = {"ours": lambda: timed([arguments.worker, "first", *frames])}
    if arguments.kiosk:
        kiosk = Kiosk(arguments.kiosk, scratch)
        starts["kiosk"] = kiosk.decide
    for name in versions:
        if name != "ours":
            python = str(SETUP / f"venv-{name}" / "bin" / "python")
            command = [python, str(OPENCV_WORKER), "first", *frames]
            starts[name] = lambda command=command: timed(command)
    measured = {name: [] for name in starts}
    for turn in range(arguments.starts + 1):
        progress("starts", turn, arguments.starts)
        for name, start in in_turn(starts, turn):
            seconds, megabytes, _ = start()
            if turn > 0:
                measured[name].append((seconds, megabytes))
    if arguments.kiosk:
        kiosk.check()
    return measured


class Kiosk:
    """The kiosk with a roster of 200, of whom as many are enrolled as there are portraits, and a
    recording in which one of them stands before the door."""

    MEETING = "bench"
    DECIDED = "a face was decided"

    def __init__(self, program, scratch):
        self.program = program
        self.directory = scratch / "kiosk"
        self.directory.mkdir()
        self.configuration = self.directory / "kiosk.toml"
        self.configuration.write_text(f"""
[data]
directory = "{self.directory / 'var'}"
[models]
manifest = "{ROOT / 'models/manifest.toml'}"
directory = "{ROOT / 'models/files'}"
runtime = "{SETUP / 'onnxruntime/libonnxruntime.so'}"
""")
        roster = self.directory / "roster.csv"
        people = [f"P{at:03};Người thử {at:03};Chuyên viên;Phòng thử" for at in range(200)]
        roster.write_text("\n".join(["Mã;Họ và tên;Chức danh;Đơn vị", *people]) + "\n")
        now = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=7)))
        start, end = (
            (now + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M") for hours in (-1, 4)
        )
        meeting = ["--meeting", self.MEETING, "--title", "Đo", "--start", start, "--end", end]
        self.kiosk("roster", "import", str(roster), *meeting)
        self.kiosk("enrol", "--person", "P011", str(scratch / "hd" / FIRST_FRAMES[0]))
        self.recording = self.directory / "recording"
        self.recording.mkdir()
        shown = (scratch / "vga" / FIRST_FRAMES[1]).read_bytes()
        for index in range(RECORDED_FRAMES):
            (self.recording / f"{index:03}.jpg").write_bytes(shown)

    def kiosk(self, *words):
        return timed([self.program, "--config", str(self.configuration), *words])[2]

    def decide(self):
        words = ["run", "--replay", str(self.recording), "--meeting", self.MEETING]
        command = [self.program, "--config", str(self.configuration), *words]
        return timed(command, self.DECIDED)

    def check(self):
        """That the one who stood there was called, and nobody else."""
        roll = self.kiosk("roll", "--meeting", self.MEETING, "--format", "csv")
        called = [line for line in roll.splitlines() if "P011" in line]
        if len(called) != 1 or "present" not in called[0]:
            sys.exit(f"bench: the kiosk did not call the one who stood there: {called}")


def timed(command, until=None):
    """Wall seconds, peak resident megabytes and output of a program that has to succeed; with
    `until`, the seconds to the first line of its log that has these words."""
    environment = one_thread() | {"RUST_LOG": "info"}
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.PIPE, text=True, env=environment
        )
        seconds, log = None, []
        for line in process.stderr:
            log.append(line)
            if until and seconds is None and until in line:
                seconds = time.monotonic() - begun
        _, status, usage = os.wait4(process.pid, 0)
        seconds = seconds if until else time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0 or seconds is None:
            sys.exit(f"bench: {' '.join(command)} failed:\n{''.join(log)}")
        output.seek(0)
        return seconds, usage.ru_maxrss / 1024, output.read()


def measure_appends(append_rate):
    """Appends a second, as the ledger's own example measures them on the disk of this tree."""
    if not append_rate:
        return None
    return json.loads(timed([append_rate, str(SETUP)])[2])


def progress(what, turn, turns):
    print(f"\rbench: {what}, round {turn} of {turns}   ", end="", file=sys.stderr, flush=True)
    if turn == turns:
        print(file=sys.stderr)


class Report:
    """BENCHMARKS.md."""

    def __init__(self, arguments, versions, frames, load):
        self.arguments = arguments
        self.versions = versions
        self.frames = frames
        self.load = load

    def text(self, stages, searches, appends, starts):
        parts = [
            self.head(),
            self.stages(stages),
            self.searches(searches),
            self.appends(appends),
            self.starts(starts),
            NOTES.read_text() if NOTES.exists() else "",
        ]
        return "\n".join(part for part in parts if part)

    def peers(self):
        return [name for name in ("opencv5", "opencv4") if name in self.versions]

    def head(self):
        opencv = " and ".join(self.versions[name]["version"] for name in self.peers())
        faiss, numpy = (self.versions["opencv5"].get(name, "none") for name in ("faiss", "numpy"))
        return f"""# Benchmarks

Written by `make bench`; measured, not promised. Processor time of one thread; each figure is the
median of {self.arguments.rounds} rounds in which all sides took turns on the same {self.frames} frames, each ratio
the median of the rounds' own ratios. Below 1 this project is the quicker one.

| | |
|---|---|
| machine | {cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()} |
| date | {datetime.date.today().isoformat()} |
| commit | {commit()} |
| this project | rustc {rustc()}, ONNX Runtime {onnxruntime()} |
| peers | OpenCV {opencv} (Python {platform.python_version()}), faiss {faiss}, numpy {numpy} |
| load before | {self.load:.1f}: more than 0.5 makes the wall times below (appends, starts) unsteady |
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
            "The best of so many templates of 128 values by cosine, one probe at a time, as the door",
            f"searches; {PROBES} probes, and the same best match from both for every one of them. The",
            "peer is faiss `IndexFlatIP`.",
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

    def appends(self, measured):
        if measured is None:
            return ""
        lines = [
            "## Durable appends",
            "",
            "Records a second that are on the disk when the call returns (WAL, `synchronous=FULL`),",
            "against bare SQLite with the same settings and rows of the same size",
            f"({measured['row_bytes']} bytes), in turns. Here a ratio above 1 is the better one; the",
            "disk decides the figures themselves.",
            "",
            "| | ledger | bare SQLite | ratio |",
            "|---|---|---|---|",
        ]
        for key, label in (("single", "one by one"), ("batch_100", "in batches of 100")):
            one = measured[key]
            lines.append(
                f"| {label} | {one['ledger_per_s']:,} | {one['bare_per_s']:,} | {one['ratio']:.2f} |"
            )
        return "\n".join(lines) + "\n"

    def starts(self, measured):
        lines = [
            "## From start to first decision",
            "",
            "A new process loads both networks, reads two 640×480 JPEGs, finds the face in each and",
            "compares them. The kiosk itself also opens its ledger and a roster of 200 and looks at",
            "several frames of a recording until it decides. Wall time with warm file caches, and the",
            "most memory that was resident.",
            "",
            "| | seconds | ratio | peak MB | ratio |",
            "|---|---|---|---|---|",
        ]
        ours = measured["ours"]
        for name, values in measured.items():
            labels = {"ours": "this project's networks", "kiosk": "`kiosk run --replay`"}
            label = labels.get(name) or self.label(name)
            seconds, megabytes = ([value[i] for value in values] for i in (0, 1))
            cells = [
                label,
                f"{statistics.median(seconds):.2f}",
                "",
                f"{statistics.median(megabytes):.0f}",
                "",
            ]
            if name not in labels:
                cells[2] = ratio([value[0] for value in ours], seconds)
                cells[4] = ratio([value[1] for value in ours], megabytes)
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


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
