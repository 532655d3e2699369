"""An example of `diemdanh.py`: three people, a meeting now, its roster, and its roll as it fills.

Run it against a sandbox, with the hub's address, an API key and its authority in the environment:

    DIEMDANH_URL=https://127.0.0.1:8443 DIEMDANH_KEY=ddk1.… DIEMDANH_CA=sandbox/ca.pem \\
        python3 example.py [SECONDS_TO_WAIT]

All names are made up. Running it again changes nothing but the meeting's time.
"""

import os
import sys
import time
from datetime import datetime, timedelta, timezone

from diemdanh import Hub, Problem

MEETING = "hop-mau-02"
POLL_S = 5.0


def main(wait_s: float) -> None:
    """Puts everything, then prints each new revision of the roll for `wait_s` seconds."""
    with Hub(*(os.environ[f"DIEMDANH_{name}"] for name in ("URL", "KEY", "CA"))) as hub:
        # Two people of one name, told apart by their ids, and shown with their units.
        hub.put_person("mau-001", "Nguyễn Văn Mẫu", "Ông", "Sở Thí Nghiệm")
        hub.put_person("mau-002", "Nguyễn Văn Mẫu", "Ông", "Sở Ví Dụ")
        hub.put_person("mau-003", "Trần Thị Thử", "Bà", "Sở Ví Dụ")
        # With a portrait at hand: hub.put_portrait("mau-001", "2026", Path("…").read_bytes())

        room = (hub.rooms() or [hub.put_room("phong-mau", "Phòng Mẫu", ["cua-mau"])])[0]
        now = datetime.now(timezone.utc).replace(microsecond=0)
        ends_at = now + timedelta(hours=2)
        hub.put_meeting(MEETING, "Họp thử", room["id"], now, ends_at, quorum=2)
        roster = hub.put_roster(
            MEETING,
            [
                {"person": "mau-001"},
                {"person": "mau-002"},
                # She has no photograph, is called by her invitation's code, and may attend for
                # the second of the namesakes.
                {
                    "person": "mau-003",
                    "attendance": "code-only",
                    "instead_of": "mau-002",
                    "document": "Giấy uỷ quyền số 01/UQ-MẪU",
                },
            ],
        )
        print(f"roster: generation {roster['generation']}, {len(roster['entries'])} people")
        print(f"without a reference: {', '.join(roster['without_reference']) or 'nobody'}")

        printed, until = 0, time.monotonic() + wait_s
        while True:
            roll = hub.roll(MEETING)
            if roll["revision"] > printed:
                print_roll(roll)
                printed = roll["revision"]
            if roll["closed"] or time.monotonic() >= until:
                return
            time.sleep(POLL_S)


def print_roll(roll: dict) -> None:
    """Prints a revision of a roll; a substitute's opaque id is looked up in its rows."""
    names = {row["opaque"]: row["name"] for row in roll["rows"]}
    print(f"{roll['title']}: revision {roll['revision']}, {roll['attended']}/{roll['expected']}")
    for row in roll["rows"]:
        substitute = row.get("substitute")
        by = f", by {names.get(substitute, substitute)}" if substitute else ""
        mark = "x" if row["attended"] else " "
        print(f"  [{mark}] {row['title']} {row['name']}, {row['unit']}{by}")


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    except Problem as problem:
        sys.exit(f"the hub refused: {problem}")
