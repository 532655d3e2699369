#!/usr/bin/env python3
"""The page of webhooks in a real browser, against a running hub whose deliveries are refused.

It starts a sandbox, has a receiver refuse what it is told, opens /pages/webhooks in Chromium, types
the key, and reads what stands there; presses "Gửi lại" and "Gửi tiếp ngay", and sees that the
receiver got it. A wrong key and a hub that is gone are told. With --pictures DIR the page is also
kept as pictures, to be looked at.

It needs `deploy/setup contract` (Playwright and Debian's Chromium), and is run by that Python.
Environment: CARGO_TARGET_DIR, where the programs are built (debug).
"""

import argparse
import contextlib
import os
import re
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import sandbox
from playwright.sync_api import Page, expect, sync_playwright
from sandbox import DOOR, ROOM, ROOT, WAIT_S_MAX, Sandbox, check, waited

CHROMIUM = "/usr/bin/chromium"
WIDTHS = {"wide": (1280, 900), "narrow": (390, 844)}


class Receiver:
    """Refuses what it is told but for a number of times, and remembers what came."""

    def __init__(self, running: contextlib.ExitStack):
        self.takes, self.came = 0, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802 (the library calls it so)
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append(self.headers["webhook-id"])
                self.send_response(204 if receiver.takes > 0 else 500)
                receiver.takes -= 1
                self.end_headers()

            def log_message(self, *_words):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.callback(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}/diemdanh"


def main() -> None:
    """Runs everything in a directory of its own, from the root of the project."""
    parser = argparse.ArgumentParser(description="The page of webhooks in a real browser.")
    parser.add_argument("--pictures", type=Path, help="keep pictures of the page there")
    pictures = parser.parse_args().pictures
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        pictures = pictures.resolve()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as running:
        hub = Sandbox(Path(work), running)
        receiver = Receiver(running)
        something_fails(hub, receiver)
        browser = running.enter_context(sync_playwright()).chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        running.callback(browser.close)
        # The hub's certificate is of its own authority, which no browser knows.
        context = browser.new_context(ignore_https_errors=True, locale="vi-VN")
        page = context.new_page()
        page.set_default_timeout(WAIT_S_MAX * 1000)
        expect.set_options(timeout=WAIT_S_MAX * 1000)
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{hub.url}/pages/webhooks")
        wrong_key_is_told(page)
        failure_is_shown(page, hub)
        keep(page, pictures, "failing")
        sent_again(page, hub, receiver)
        keep(page, pictures, "taken")
        check("what the browser complained of", complaints, [])
    print("page: what failed is shown in a browser, and sent again from there.")


def something_fails(hub: Sandbox, receiver: Receiver) -> None:
    """Puts two webhooks, one of which is told of a meeting and refuses it."""
    with hub.hub() as api:
        api.put_webhook("he-thong-mau", receiver.url, ("meeting.changed", "roll.revised"))
        api.put_webhook("kho-ban-ghi", receiver.url)
        now = datetime.now(timezone.utc)
        api.put_meeting("hop-mau-99", "Họp mẫu", ROOM, now, now + timedelta(hours=1), doors=[DOOR])
        waited("a delivery is refused", lambda: failed(api))


def failed(api) -> list:
    """The failed deliveries whose next try is known."""
    return [one for one in api.failed_deliveries("he-thong-mau") if one.get("next_at")]


def wrong_key_is_told(page: Page) -> None:
    """A key that is none is refused in words."""
    ask(page, "ddk1.khong-phai-khoa")
    expect(page.get_by_role("status")).to_have_text("Khóa không đúng hoặc đã bị thu hồi.")


def failure_is_shown(page: Page, hub: Sandbox) -> None:
    """The webhook that fails, and its delivery, are there; no secret is."""
    ask(page, hub.key)
    failing = page.locator("section", has_text="he-thong-mau")
    expect(failing.locator(".state")).to_have_text("Đang lỗi, sẽ thử lại")
    line = failing.locator("tbody tr")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("Cuộc họp thay đổi")
    expect(line).to_contain_text("trả lời mã 500")
    other = page.locator("section", has_text="kho-ban-ghi")
    expect(other).to_contain_text("Chưa có lần gửi nào bị lỗi.")
    check("a secret on the page", re.search("whsec_", page.content()), None)


def sent_again(page: Page, hub: Sandbox, receiver: Receiver) -> None:
    """What failed is sent again from the page, and then goes on in its turn."""
    # In its turn it has to fail once more: the next try is then a good while away.
    with hub.hub() as api:
        waited("a second failure", lambda: api.webhooks()[0]["failures"] == 2)
    receiver.takes = 1
    before = len(receiver.came)
    page.get_by_role("button", name="Gửi lại").click()
    waited("the delivery comes again", lambda: len(receiver.came) > before)
    failing = page.locator("section", has_text="he-thong-mau")
    expect(failing.locator("tbody tr")).to_contain_text("Đã nhận")
    receiver.takes = 1
    page.get_by_role("button", name="Gửi tiếp ngay").click()
    expect(failing.locator(".state")).to_have_text("Đang hoạt động")
    check("the same delivery", len(set(receiver.came)), 1)


def ask(page: Page, key: str) -> None:
    """Types a key and asks."""
    page.get_by_label("Khóa API").fill(key)
    page.get_by_role("button", name="Xem").click()


def keep(page: Page, pictures: Path | None, name: str) -> None:
    """Keeps the page in both widths and both colours."""
    for width, size in WIDTHS.items() if pictures else ():
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)


if __name__ == "__main__":
    sandbox.end_with_children()
    main()
