"""A small client of a Điểm Danh hub for integrators: people, meetings, rosters up; rolls down.

It was written from the OpenAPI document alone (`docs/openapi.json`) and needs nothing but Python
3.11. It never trusts a certificate that the given authority did not sign, never follows a
redirect, never sends the key over plain HTTP, and never prints the key or a person's data.

One `Hub` holds one connection and belongs to one thread.
"""

import base64
import hmac
import http.client
import json
import random
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit

PREFIX = "/v1-draft"
# A request may take a minute to arrive at the hub; an answer is waited for a little longer.
TIMEOUT_S = 70.0
# Five tries with growing pauses outlast a restart of the hub.
ATTEMPTS_MAX = 5
# A hub that asks for a longer pause is not waited for: the caller hears of it instead.
RETRY_AFTER_S_MAX = 60.0
# The largest roster body is 64 MiB; no answer may be larger.
ANSWER_BYTES_MAX = 64 * 1024 * 1024
# How much of an answer that is no problem document is shown as its detail.
EXCERPT_CHARS_MAX = 200
# "Too many requests" and "the hub cannot do this now": worth another try, the same request.
STATUS_RETRIED = frozenset({429, 503})
JSON = "application/json"
CSV = "text/csv"
EVENTS = "text/event-stream"
# One event is one record, which is far smaller than a whole batch of them may be.
EVENT_LINE_BYTES_MAX = 4 * 1024 * 1024
# How far the hub's clock and a receiver's may be apart, as Standard Webhooks recommends.
DELIVERY_AGE_S_MAX = 300.0
# Between the end of a stream and the next one, so that a hub which ends it at once is not stormed.
STREAM_PAUSE_S = 1.0


class Problem(Exception):
    """The hub refused a request (RFC 9457). Decide by `type` alone; the rest is for people."""

    def __init__(self, status: int, body: dict, retry_after_s: float | None = None):
        self.status = status
        self.type = str(body.get("type", "about:blank"))
        self.title = str(body.get("title", "The answer is no problem document."))
        self.detail = body.get("detail")
        #: The request's id: name it when you ask the hub's keeper about it.
        self.request = body.get("request")
        #: In how many seconds the hub asked to be tried again, where it did.
        self.retry_after_s = retry_after_s
        what = f"{self.title} {self.detail}" if self.detail else self.title
        super().__init__(f"{status} {self.type}: {what} (request {self.request or 'unknown'})")


class Hub:
    """One organisation's view of a hub, by one API key.

    `url` is like `https://hub.example:8443`; `ca_file` is the PEM file of the authority that
    signed the hub's certificate, or None for those that the system trusts.
    """

    def __init__(self, url: str, key: str, ca_file: str | None, timeout_s: float = TIMEOUT_S):
        self._arguments = (url, key, ca_file, timeout_s)
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"the hub's address must be https://HOST[:PORT], not {url!r}")
        self._base = parts.path.rstrip("/") + PREFIX
        self._key = key
        context = ssl.create_default_context(cafile=ca_file)
        self._connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout_s, context=context
        )

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; a later request opens it again."""
        self._connection.close()

    # People.

    def put_person(self, person: str, name: str, title: str = "", unit: str = "") -> dict:
        """Makes or replaces a person under the caller's own id; answers it with its `opaque` id."""
        return self._json("PUT", ["people", person], {"name": name, "title": title, "unit": unit})

    def people(self) -> Iterator[dict]:
        """All people, in order of the caller's ids, fetched page by page."""
        query = {"limit": 500}
        while True:
            page = self._json("GET", ["people"], query=query)
            yield from page["people"]
            if page.get("next") is None:
                return
            query["after"] = page["next"]

    def put_portrait(self, person: str, reference: str, image: bytes) -> dict:
        """Enrols a person from a JPEG, PNG or WebP, which the hub does not keep.

        `reference` is the caller's own name for it, such as `2026`; the same name replaces it.
        """
        path = ["people", person, "portraits", reference]
        return json.loads(self._ask("PUT", path, body=image, media=_image_type(image)))

    # Rooms.

    def put_room(self, room: str, name: str, doors: list[str]) -> dict:
        """Makes or changes a room; a door belongs to one room."""
        return self._json("PUT", ["rooms", room], {"name": name, "doors": doors})

    def rooms(self) -> list[dict]:
        """All rooms."""
        return self._json("GET", ["rooms"])["rooms"]

    # Meetings and their rosters.

    def put_meeting(
        self, meeting: str, title: str, room: str, starts_at: datetime, ends_at: datetime, **more
    ) -> dict:
        """Makes, changes or moves a meeting; times are aware. `more`: `doors`, `quorum`, `zone`."""
        times = {"starts_at": _instant(starts_at), "ends_at": _instant(ends_at)}
        body = {"title": title, "room": room} | times | more
        return self._json("PUT", ["meetings", meeting], body)

    def meeting(self, meeting: str) -> dict:
        """A meeting, with its state and the generation of its roster."""
        return self._json("GET", ["meetings", meeting])

    def put_roster(self, meeting: str, entries: list[dict]) -> dict:
        """Replaces the whole roster, in the order of the list.

        An entry is `{"person": ID}` and, where they apply, `role`, `attendance`, `title`, `unit`,
        and `instead_of` with `document` for a substitute. Look at the answer's
        `without_reference`: these people can only be called by another means than the face.
        """
        return self._json("PUT", ["meetings", meeting, "roster"], {"entries": entries})

    def close_meeting(self, meeting: str) -> dict:
        """Closes a meeting for good: its key is destroyed."""
        return self._json("POST", ["meetings", meeting, "closing"])

    def cancel_meeting(self, meeting: str) -> None:
        """Cancels a meeting: doors forget it, its records stay. Putting it again plans it again."""
        self._ask("DELETE", ["meetings", meeting])

    # Rolls and records.

    def roll(self, meeting: str, revision: int | None = None) -> dict:
        """The newest revision of a meeting's roll, or the given one, which never changes."""
        query = {} if revision is None else {"revision": revision}
        return self._json("GET", ["meetings", meeting, "roll"], query=query)

    def roll_csv(self, meeting: str) -> bytes:
        """The newest revision as a table, in UTF-8."""
        return self._ask("GET", ["meetings", meeting, "roll"], accept=CSV)

    def records(self, after: str | None = None) -> Iterator[tuple[list[dict], str]]:
        """Pages of the organisation's records, and the cursor behind each, until no more are there.

        Work a page off, then keep its cursor, then take the next page: whoever starts again from
        the kept cursor misses nothing, and after a crash sees one page twice at most.
        """
        while True:
            query = {"limit": 500} | ({"after": after} if after else {})
            page = self._json("GET", ["records"], query=query)
            if page["more"] and page["next"] == after:
                raise ValueError("the hub's cursor does not move on although more is there")
            if page["records"] or page["next"] != after:
                yield page["records"], page["next"]
            after = page["next"]
            if not page["more"]:
                return

    def follow(self, after: str) -> Iterator[tuple[dict, str]]:
        """Records as they come, and the cursor behind each, for ever: server-sent events.

        `after` is a cursor that `records` or this gave. A broken stream is taken up again behind
        the last record; what `records` says of keeping cursors holds here too.
        """
        with Hub(*self._arguments) as own:
            while True:
                path, query = ["records", "live"], {"after": after}
                stream = own._ask("GET", path, query=query, accept=EVENTS, read=False)
                try:
                    for record, after in _events(stream):
                        yield record, after
                except (OSError, http.client.HTTPException):
                    pass  # It broke off, which is no other than that it ended.
                own.close()
                time.sleep(STREAM_PAUSE_S)

    # Webhooks.

    def put_webhook(self, webhook: str, url: str, types: tuple[str, ...] = ("record",)) -> dict:
        """Has what happens from now on delivered to an address; the answer's `secret` signs it.

        `types` are those of the document's `EventType`, like `meeting.closed` or `roll.revised`.
        Keep the secret where you keep the key, and give it to `event` with every delivery.
        """
        return self._json("PUT", ["webhooks", webhook], {"url": url, "types": list(types)})

    def webhooks(self) -> list[dict]:
        """All webhooks, how their deliveries go, and why not where they do not."""
        return self._json("GET", ["webhooks"])["webhooks"]

    def retry_webhook(self, webhook: str) -> dict:
        """Goes on delivering at once from where it was, also when it was given up."""
        return self._json("POST", ["webhooks", webhook, "retry"])

    def failed_deliveries(self, webhook: str) -> list[dict]:
        """The newest deliveries that failed once, at least, and what became of each."""
        return self._json("GET", ["webhooks", webhook, "deliveries"])["deliveries"]

    def redeliver(self, webhook: str, delivery: str) -> None:
        """Delivers one of them once more, out of its turn."""
        self._ask("POST", ["webhooks", webhook, "deliveries", delivery, "again"])

    def delete_webhook(self, webhook: str) -> None:
        """Takes a webhook away."""
        self._ask("DELETE", ["webhooks", webhook])

    # How a request is made.

    def _json(self, method: str, path: list[str], body=None, query: dict | None = None):
        packed = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        return json.loads(self._ask(method, path, query=query, body=packed))

    def _ask(
        self, method, path: list[str], *, query=None, body=None, media=JSON, accept=JSON, read=True
    ):
        """The answer to one request, as bytes or (`read` False) as the stream of them.

        It is tried again while that may help: every request here may be repeated.
        """
        if not all(path):
            raise ValueError("an id must not be empty")
        target = "/".join([self._base, *(quote(part, safe="") for part in path)])
        target += "?" + urlencode(query) if query else ""
        headers = {"Authorization": f"Bearer {self._key}", "Accept": accept}
        if body is not None:
            headers["Content-Type"] = media
        for attempt in range(1, ATTEMPTS_MAX + 1):
            pause_s = random.uniform(0.5, 1.0) * 0.2 * 4**attempt
            try:
                return self._once(method, target, headers, body, read)
            except Problem as problem:
                asked_s = problem.retry_after_s or 0.0
                hopeless = problem.status not in STATUS_RETRIED or asked_s > RETRY_AFTER_S_MAX
                if hopeless or attempt == ATTEMPTS_MAX:
                    raise
                pause_s = max(pause_s, asked_s)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # Another authority's certificate stays another authority's.
                untrusted = isinstance(error, ssl.SSLCertVerificationError)
                if untrusted or attempt == ATTEMPTS_MAX:
                    raise
            time.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, method: str, target: str, headers: dict, body: bytes | None, read: bool):
        self._connection.request(method, target, body=body, headers=headers)
        answer = self._connection.getresponse()
        if not read and answer.status == 200:
            return answer
        content = answer.read(ANSWER_BYTES_MAX + 1)
        if len(content) > ANSWER_BYTES_MAX:
            self.close()
            raise ValueError(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
        if 200 <= answer.status < 300:
            return content
        asked = answer.getheader("Retry-After", "")
        # A hub gives seconds; a date, which a proxy may give, is as good as none.
        retry_after_s = float(asked) if asked.isascii() and asked.isdigit() else None
        problem = _problem(content, answer.getheader("X-Request-Id"))
        raise Problem(answer.status, problem, retry_after_s)


class Forged(Exception):
    """A delivery that the hub did not send, or not now. Answer it with 400 and do nothing."""


def event(
    secret: str, headers: Mapping[str, str], body: bytes, now_s: float | None = None
) -> dict:
    """The CloudEvent of a webhook's delivery, once it is sure who sent it (Standard Webhooks).

    `secret` is the webhook's (`whsec_…`), `body` the bytes as they came: whoever parses and writes
    them anew has other bytes. Work each `id` once: what is not answered with 2xx within 15
    seconds is delivered again. Raises `Forged`.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        identity, at = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()
        age_s = (time.time() if now_s is None else now_s) - int(at)
    except (KeyError, ValueError) as error:
        raise Forged(f"a header is missing or wrong: {error}") from None
    # A delivery that somebody kept must not be good for ever.
    if abs(age_s) > DELIVERY_AGE_S_MAX:
        raise Forged(f"it was sent {age_s:.0f} seconds ago, by your clock")
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = f"{identity}.{at}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    # Several, while a secret is being replaced; compared in constant time.
    matches = [hmac.compare_digest(one, f"v1,{expected}") for one in signatures]
    if not any(matches):
        raise Forged("its signature is not the hub's")
    found = json.loads(body)
    if found.get("specversion") != "1.0" or found.get("id") != identity:
        raise Forged("it is no CloudEvent of this delivery")
    return found


def _problem(content: bytes, request: str | None) -> dict:
    """The problem document of an answer, or what can be said of one that a proxy wrote."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {"detail": content.decode(errors="replace")[:EXCERPT_CHARS_MAX]}
    return {"request": request} | body


def _events(stream: http.client.HTTPResponse) -> Iterator[tuple[dict, str]]:
    """The records of a stream of events, each with its id. Comments only show that it lives."""
    event: dict[str, str] = {}
    while line := stream.readline(EVENT_LINE_BYTES_MAX):
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        if name in ("id", "data"):
            event[name] = value.removeprefix(" ")
        elif not name and not value and event:
            if "id" in event and "data" in event:
                yield json.loads(event["data"]), event["id"]
            event = {}


def _instant(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError(f"the time {at} says no zone; give an aware datetime")
    return at.isoformat()


def _image_type(image: bytes) -> str:
    if image.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "image/webp"
    raise ValueError("a portrait must be JPEG, PNG or WebP")
