#!/usr/bin/env python3
"""Stores what OpenCV's own networks answer, as the numbers that prepared models are held to.

Why it exists: `models prepare` rewrites published files; this runs those files as they were
published, block-quantised, in another implementation. Run it in the peers' environment, from the
project's directory, after `deploy/setup base peers`:

    .setup/venv-opencv5/bin/python tests/peers/model_outputs.py          # compare with what is stored
    .setup/venv-opencv5/bin/python tests/peers/model_outputs.py --write  # store anew

It stores numbers and digests, never a picture.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys

import cv2
import numpy as np

STORED = "tests/peers/data/model_outputs.json"
INPUTS = os.path.join(os.environ.get("DIEMDANH_SETUP", ".setup"), "peer-inputs")
STRIDES = (8, 16, 32)
VALUES = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
# Of the detector's many cells, those that see a face are stored, and a sample of the others.
SCORE_MIN = 0.3
SAMPLE_EVERY = {8: 997, 16: 211, 32: 53}
TOLERANCE = 1e-4


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--write", action="store_true", help="store the numbers anew")
    write = arguments.parse_args().write
    command = ["cargo", "run", "--quiet", "-p", "models", "--example", "peer_inputs"]
    subprocess.run([*command, "--", INPUTS], check=True)
    with open(os.path.join(INPUTS, "index.json"), encoding="utf-8") as file:
        index = json.load(file)
    answers = {
        "made_by": f"opencv-python-headless {cv2.__version__}",
        "published": {entry["model"]: entry["onnx_sha256"] for entry in index},
        "inputs": [answer(entry) for entry in index],
    }
    if write:
        with open(STORED, "w", encoding="utf-8") as file:
            file.write(one_line_each(answers))
        print(f"stored {STORED}, {os.path.getsize(STORED)} bytes")
        return 0
    with open(STORED, encoding="utf-8") as file:
        return compare(json.load(file), answers)


def answer(entry):
    """The outputs of one network for one tensor."""
    with open(os.path.join(INPUTS, entry["file"]), "rb") as file:
        planes = file.read()
    with open(entry["onnx"], "rb") as file:
        onnx = file.read()
    assert hashlib.sha256(planes).hexdigest() == entry["sha256"], entry["file"]
    assert hashlib.sha256(onnx).hexdigest() == entry["onnx_sha256"], entry["onnx"]
    shape = (1, 3, entry["height"], entry["width"])
    tensor = np.frombuffer(planes, np.uint8).reshape(shape).astype(np.float32)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(onnx, np.uint8))
    net.setInput(tensor, entry["input"])
    kept = {key: entry[key] for key in ("model", "portrait", "width", "height", "sha256")}
    if entry["model"].startswith("sface"):
        return kept | {"outputs": {"fc1": numbers(net.forward("fc1"))}}
    return kept | detector_outputs(net)


def detector_outputs(net):
    """The chosen cells of each grid, and their values."""
    names = [f"{what}_{stride}" for stride in STRIDES for what in VALUES]
    found = dict(zip(names, net.forward(names)))
    cells, outputs = {}, {}
    for stride in STRIDES:
        parts = {what: found[f"{what}_{stride}"].reshape(-1, n) for what, n in VALUES.items()}
        score = np.sqrt(np.clip(parts["cls"], 0, 1) * np.clip(parts["obj"], 0, 1)).ravel()
        chosen = set(np.flatnonzero(score >= SCORE_MIN).tolist())
        chosen |= set(range(0, len(score), SAMPLE_EVERY[stride]))
        cells[str(stride)] = sorted(chosen)
        for what, values in parts.items():
            outputs[f"{what}_{stride}"] = numbers(values[sorted(chosen)])
    return {"cells": cells, "outputs": outputs}


def numbers(values):
    """As many digits as tell 32-bit floats apart at the tolerance, many times over."""
    return [float(f"{value:.7g}") for value in np.asarray(values, np.float64).ravel()]


def one_line_each(answers):
    """JSON with one line for each input, so that a change shows where it is."""
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in answers["inputs"])
    head = json.dumps({k: v for k, v in answers.items() if k != "inputs"}, indent=1)
    return head.removesuffix("\n}") + ',\n "inputs": [\n' + lines + "\n]}\n"


def compare(stored, answers):
    """Says how far this peer is from what is stored; the exit status."""
    if stored["published"] != answers["published"]:
        print("stored for other files; run with --write", file=sys.stderr)
        return 1
    worst = 0.0
    for old, new in zip(stored["inputs"], answers["inputs"], strict=True):
        if old["sha256"] != new["sha256"] or old.get("cells") != new.get("cells"):
            print(f"{new['portrait']}: stored for another input", file=sys.stderr)
            return 1
        for name, values in old["outputs"].items():
            worst = max(worst, np.abs(np.subtract(values, new["outputs"][name])).max(initial=0))
    print(f"{answers['made_by']} against {stored['made_by']}: at most {worst:.2g} apart")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
