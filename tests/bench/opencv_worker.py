"""The peer's side of `make bench`: OpenCV's own pipeline in Python, and faiss where it is there.

Why it exists: see ../examples/bench_worker.rs, whose counterpart this is, command by command. It
is written as one would write it for speed: one thread, sizes set once, no copies that OpenCV does
not make itself.
"""

import json
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models" / "files"
DETECTOR = MODELS / "face_detection_yunet_2023mar_int8bq.onnx"
# The published file has inputs that are none, which OpenCV refuses; this one has the same weights.
COMPARER = MODELS / "prepared" / "face_recognition_sface_2021dec.onnx"
ROSTER = 200
VALUES = 128
SEED = 20240226


def networks():
    cv2.setNumThreads(1)
    detector = cv2.FaceDetectorYN.create(str(DETECTOR), "", (320, 320), 0.8, 0.3, 5000)
    return detector, cv2.FaceRecognizerSF.create(str(COMPARER), "")


def find(detector, picture):
    height, width = picture.shape[:2]
    if detector.getInputSize() != (width, height):
        detector.setInputSize((width, height))
    _, found = detector.detect(picture)
    return [] if found is None else found


def normalised(feature):
    feature = feature.ravel()
    return feature / np.linalg.norm(feature)


def template(comparer, picture, face):
    return normalised(comparer.feature(comparer.alignCrop(picture, face)))


class Worker:
    """The frames of one run in every form that a stage starts from."""

    def __init__(self, directory):
        self.detector, self.comparer = networks()
        names = sorted(path.name for path in (directory / "vga").iterdir())
        self.jpegs = [np.fromfile(directory / "vga" / name, np.uint8) for name in names]
        self.large_jpegs = [np.fromfile(directory / "hd" / name, np.uint8) for name in names]
        self.pictures = [cv2.imdecode(jpeg, cv2.IMREAD_COLOR) for jpeg in self.jpegs]
        self.large = [cv2.imdecode(jpeg, cv2.IMREAD_COLOR) for jpeg in self.large_jpegs]
        self.small = [
            cv2.resize(picture, (320, 240), interpolation=cv2.INTER_AREA)
            for picture in self.pictures
        ]
        self.faces = [find(self.detector, picture)[0] for picture in self.pictures]
        self.aligned = [
            self.comparer.alignCrop(picture, face)
            for picture, face in zip(self.pictures, self.faces)
        ]
        self.roster = floats(directory / "roster.f32")[:ROSTER]

    def stage(self, name, times):
        once = getattr(self, name.replace("-", "_"))
        total, count = 0, len(self.jpegs)
        begun = time.process_time_ns()
        for index in range(times):
            total += once(index % count)
        spent = time.process_time_ns() - begun
        return {"ns": spent // times, "sum": total}

    def decode_vga(self, index):
        cv2.imdecode(self.jpegs[index], cv2.IMREAD_COLOR)
        return 0

    def decode_hd(self, index):
        cv2.imdecode(self.large_jpegs[index], cv2.IMREAD_COLOR)
        return 0

    def scale(self, index):
        cv2.resize(self.large[index], (640, 360), interpolation=cv2.INTER_AREA)
        return 0

    def detect_320(self, index):
        return len(find(self.detector, self.small[index]))

    def detect_640(self, index):
        return len(find(self.detector, self.pictures[index]))

    def align(self, index):
        self.comparer.alignCrop(self.pictures[index], self.faces[index])
        return 0

    def template(self, index):
        normalised(self.comparer.feature(self.aligned[index]))
        return 0

    def decision(self, index):
        picture = cv2.imdecode(self.jpegs[index], cv2.IMREAD_COLOR)
        face = find(self.detector, picture)[0]
        return int(np.argmax(self.roster @ template(self.comparer, picture, face)))


def make_frames(directory, portraits):
    """Portraits on grey, as a camera at a door would see one person, in two sizes."""
    detector, comparer = networks()
    templates = []
    paths = [path for path in sorted(portraits.rglob("*")) if path.suffix in (".jpg", ".png")]
    for size, (width, height) in {"vga": (640, 480), "hd": (1280, 720)}.items():
        (directory / size).mkdir()
        for index, path in enumerate(paths):
            portrait = cv2.imread(str(path), cv2.IMREAD_COLOR)
            factor = min(width / portrait.shape[1], height / portrait.shape[0])
            sides = [max(1, int(side * factor)) for side in portrait.shape[1::-1]]
            portrait = cv2.resize(portrait, sides, interpolation=cv2.INTER_AREA)
            frame = np.full((height, width, 3), 90, np.uint8)
            left, top = (width - sides[0]) // 2, (height - sides[1]) // 2
            frame[top : top + sides[1], left : left + sides[0]] = portrait
            name = str(directory / size / f"{index:02}.jpg")
            cv2.imwrite(name, frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
            if size == "hd":
                templates.append(template(comparer, frame, find(detector, frame)[0]))
    others = unit_vectors(np.random.default_rng(SEED), ROSTER - len(templates))
    np.vstack([templates, others]).astype("<f4").tofile(directory / "roster.f32")
    return {"frames": len(paths)}


def make_vectors(path, count, seed):
    unit_vectors(np.random.default_rng(seed), count).tofile(path)
    return {}


def unit_vectors(random, count):
    vectors = random.standard_normal((count, VALUES), np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")


def floats(path):
    return np.fromfile(path, "<f4").reshape(-1, VALUES)


def search(rows, probes, times):
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(VALUES)
    index.add(floats(rows))
    probes = [probe.reshape(1, VALUES) for probe in floats(probes)]
    begun = time.process_time_ns()
    for _ in range(times):
        best = [index.search(probe, 1)[1] for probe in probes]
    spent = time.process_time_ns() - begun
    return {"ns": spent // (times * len(probes)), "top": [int(row[0][0]) for row in best]}


def first_decision(paths):
    """From the start of the process to one comparison."""
    detector, comparer = networks()
    templates = []
    for path in paths:
        picture = cv2.imread(path, cv2.IMREAD_COLOR)
        templates.append(template(comparer, picture, find(detector, picture)[0]))
    print(json.dumps({"score": float(templates[0] @ templates[1])}))


def info():
    versions = {"name": "OpenCV", "version": cv2.__version__, "numpy": np.__version__}
    try:
        import faiss

        versions["faiss"] = faiss.__version__
    except ImportError:
        pass
    return versions


def main():
    if sys.argv[1:2] == ["first"]:
        return first_decision(sys.argv[2:4])
    worker = None
    for line in sys.stdin:
        match line.split():
            case ["make-frames", directory, portraits]:
                answer = make_frames(Path(directory), Path(portraits))
            case ["make-vectors", path, count, seed]:
                answer = make_vectors(path, int(count), int(seed))
            case ["frames", directory]:
                worker = Worker(Path(directory))
                answer = {}
            case ["stage", name, times]:
                answer = worker.stage(name, int(times))
            case ["search", rows, probes, times]:
                answer = search(rows, probes, int(times))
            case ["info"]:
                answer = info()
            case _:
                sys.exit(f"no such command: {line}")
        print(json.dumps(answer), flush=True)


main()
