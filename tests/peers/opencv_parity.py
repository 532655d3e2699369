"""What OpenCV's FaceDetectorYN and FaceRecognizerSF see in the photographs of the demonstration.

Why it exists: the parity test compares this project's detections and templates with OpenCV's. So
that the test needs no Python, OpenCV's results are stored as numbers in data/opencv_parity.json;
this script makes that file. The detector it runs is the published file; the comparer is the
prepared one, since OpenCV refuses the published file's false inputs (model_outputs.py proves that
preparing changes no output). It stores no pixel of a photograph.

    deploy/setup peers
    .setup/venv-opencv5/bin/python tests/peers/opencv_parity.py

With two arguments it does the same for other photographs, which stay outside of this tree, as do
the numbers; the test takes both from the environment:

    … opencv_parity.py PHOTOGRAPHS NUMBERS.json
    DIEMDANH_PHOTOGRAPHS=PHOTOGRAPHS DIEMDANH_PARITY=NUMBERS.json cargo test -p acceptance
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SETUP = Path(os.environ.get("DIEMDANH_SETUP", ROOT / ".setup"))
MODELS = ROOT / "models" / "files"
DETECTOR = "face_detection_yunet_2023mar_int8bq.onnx"
COMPARER = "prepared/face_recognition_sface_2021dec.onnx"
DATA = Path(__file__).resolve().parent / "data" / "opencv_parity.json"
PORTRAITS, OUTPUT = map(Path, sys.argv[1:3]) if sys.argv[1:] else (SETUP / "portraits", DATA)

SCORE_MIN, NMS_IOU, TOP_K = 0.8, 0.3, 5000
# Each photograph is looked at in two sizes: a large one, and one as a camera at a door gives it.
LONGEST_SIDES_PX = (1600, 640)
# All of them side by side in one picture, so that faces compete with each other.
LONGEST_SIDE_TOGETHER_PX = 320
TOGETHER_MAX = 16



def main():
    cv2.setNumThreads(1)
    detector = cv2.FaceDetectorYN.create(
        str(MODELS / DETECTOR), "", (320, 320), SCORE_MIN, NMS_IOU, TOP_K
    )
    comparer = cv2.FaceRecognizerSF.create(str(MODELS / COMPARER), "")
    photographs = [p for p in sorted(PORTRAITS.rglob("*")) if p.suffix in (".jpg", ".png")]
    if not photographs:
        sys.exit(f"no photographs under {PORTRAITS}; run deploy/setup")
    views = [
        view(detector, comparer, parts, longest)
        for longest in LONGEST_SIDES_PX
        for parts in [[photograph] for photograph in photographs]
    ]
    for first in range(0, len(photographs), TOGETHER_MAX):
        together = photographs[first : first + TOGETHER_MAX]
        views.append(view(detector, comparer, together, LONGEST_SIDE_TOGETHER_PX))
    head = {
        "made_by": "tests/peers/opencv_parity.py",
        "opencv": cv2.__version__,
        "detector_sha256": sha256(MODELS / DETECTOR),
        "comparer_sha256": sha256(MODELS / COMPARER),
        "score_min": SCORE_MIN,
        "nms_iou": NMS_IOU,
        "top_k": TOP_K,
    }
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in views)
    OUTPUT.write_text(f'{json.dumps(head, indent=1)[:-2]},\n "views": [\n{lines}\n]\n}}\n')
    faces = sum(len(one["faces"]) for one in views)
    print(f"{OUTPUT}: OpenCV {cv2.__version__}, {len(views)} views, {faces} faces")


def view(detector, comparer, photographs, longest):
    """One picture, or several side by side from the left, black below the lower ones."""
    pictures = [reduced(photograph, longest) for photograph in photographs]
    height = max(picture.shape[0] for picture in pictures)
    picture = np.hstack(
        [np.pad(one, ((0, height - one.shape[0]), (0, 0), (0, 0))) for one in pictures]
    )
    width = picture.shape[1]
    detector.setInputSize((width, height))
    _, found = detector.detect(picture)
    return {
        "photographs": [str(path.relative_to(PORTRAITS)) for path in photographs],
        "sha256": [sha256(path) for path in photographs],
        "longest_side_px": longest,
        "width": width,
        "height": height,
        "faces": [face(comparer, picture, row) for row in ([] if found is None else found)],
    }


def reduced(photograph, longest):
    picture = cv2.imread(str(photograph), cv2.IMREAD_COLOR)
    while max(picture.shape[:2]) > longest:
        picture = halve(picture)
    return picture


def halve(picture):
    """Means of 2×2 pixels, halves rounded up: the same on both sides of the comparison to the bit,
    as no library's scaling is."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    squares = picture[:height, :width].astype(np.uint16).reshape(height // 2, 2, width // 2, 2, 3)
    return ((squares.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)


def face(comparer, picture, row):
    template = comparer.feature(comparer.alignCrop(picture, row)).ravel().astype(np.float64)
    template /= np.linalg.norm(template)
    return {
        "box": [round(float(value), 2) for value in row[:4]],
        "landmarks": [round(float(value), 2) for value in row[4:14]],
        "score": round(float(row[14]), 4),
        "template": [round(float(value), 4) for value in template],
    }


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


main()
