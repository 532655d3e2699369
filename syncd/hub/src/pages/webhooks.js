// Shows an organisation's webhooks and their failed deliveries from the hub's own API, and sends
// again. The key stays in this page's memory. What the hub answers is only ever set as text.
"use strict";

const BASE = "/v1-draft/webhooks";
// The hub's numbers of tries and states change while somebody looks.
const LOOK_EVERY_MS = 10000;

const STATES = {
    "working": ["Đang hoạt động", "good"],
    "failing": ["Đang lỗi, sẽ thử lại", "warn"],
    "given-up": ["Đã ngừng gửi", "bad"],
};
const TYPES = {
    "record": "Bản ghi điểm danh",
    "meeting.changed": "Cuộc họp thay đổi",
    "meeting.cancelled": "Cuộc họp bị hủy",
    "meeting.closed": "Cuộc họp kết thúc",
    "roll.revised": "Bảng điểm danh có bản mới",
    "device.silent": "Thiết bị mất liên lạc",
    "device.trouble": "Thiết bị gặp sự cố",
    "device.revoked": "Thiết bị bị thu hồi",
};
const COLUMNS = [
    "Sự việc", "Gửi lần đầu", "Gửi lần cuối", "Số lần", "Kết quả", "Thử lại lúc", "",
];
const PROBLEMS = {
    401: "Khóa không đúng hoặc đã bị thu hồi.",
    403: "Khóa này không có quyền webhooks:write.",
    429: "Có quá nhiều yêu cầu; xin đợi một lát rồi thử lại.",
};

const when = new Intl.DateTimeFormat("vi-VN", {
    timeZone: "Asia/Ho_Chi_Minh",
    day: "2-digit", month: "2-digit", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
});

let key = "";
let timer = 0;
// A later look replaces an earlier one, whichever is answered first.
let look = 0;

const told = document.getElementById("told");
const place = document.getElementById("webhooks");

class Refused extends Error {}

async function call(method, path) {
    let answer;
    try {
        answer = await fetch(BASE + path, { method, headers: { Authorization: `Bearer ${key}` } });
    } catch {
        throw new Refused("Không liên lạc được với máy chủ.");
    }
    if (!answer.ok) {
        const fallback = `Máy chủ từ chối yêu cầu (mã ${answer.status}).`;
        throw new Refused(PROBLEMS[answer.status] ?? fallback);
    }
    return answer.status === 204 ? null : answer.json();
}

function say(text, isBad) {
    told.textContent = text;
    told.className = isBad ? "bad" : "";
}

function made(name, text, kind) {
    const element = document.createElement(name);
    element.textContent = text ?? "";
    if (kind) element.className = kind;
    return element;
}

function time(text) {
    return text ? when.format(new Date(text)) : "–";
}

/// The type of a CloudEvent is `diemdanh.` and the type and the version.
function typeName(type) {
    const name = type.replace(/^diemdanh\./, "").replace(/\.v1(-draft)?$/, "");
    return TYPES[name] ?? name;
}

function button(text, act) {
    const element = made("button", text, "small");
    element.type = "button";
    element.addEventListener("click", async () => {
        element.disabled = true;
        try {
            await act();
            await show();
        } catch (error) {
            fail(error);
        } finally {
            element.disabled = false;
        }
    });
    return element;
}

function pairs(list) {
    const element = document.createElement("dl");
    for (const [name, value] of list) {
        if (value !== undefined) element.append(made("dt", name), made("dd", value));
    }
    return element;
}

/// The hub says in English what went wrong; the commonest is said in the page's language.
function problem(text) {
    return text?.replace(/^it answered (\d+)$/, "Nơi nhận trả lời mã $1") ?? "–";
}

function row(webhook, delivery) {
    const line = document.createElement("tr");
    const cells = [
        [typeName(delivery.type), ""],
        [time(delivery.first_at), "when"],
        [time(delivery.tried_at), "when"],
        [String(delivery.tries), "number"],
        delivery.taken ? ["Đã nhận", "good"] : [problem(delivery.problem), "bad"],
        [time(delivery.next_at), "when"],
    ];
    line.append(...cells.map(([text, kind], column) => {
        const cell = made("td", text, kind);
        // On a narrow screen a cell says itself which column it is of.
        cell.dataset.name = COLUMNS[column];
        return cell;
    }));
    const last = document.createElement("td");
    const path = `/${encodeURIComponent(webhook.id)}/deliveries/${encodeURIComponent(delivery.id)}`;
    last.append(button("Gửi lại", () => call("POST", `${path}/again`)));
    line.append(last);
    return line;
}

function section(webhook, deliveries) {
    const element = document.createElement("section");
    const head = made("div", "", "row");
    const [text, kind] = STATES[webhook.state] ?? [webhook.state, ""];
    head.append(made("h2", webhook.id), made("span", text, `state ${kind}`));
    if (webhook.state !== "working") {
        const path = `/${encodeURIComponent(webhook.id)}/retry`;
        head.append(button("Gửi tiếp ngay", () => call("POST", path)));
    }
    element.append(head, pairs([
        ["Địa chỉ nhận", webhook.url],
        ["Sự việc", webhook.types.map(typeName).join(", ")],
        ["Gửi được gần nhất", time(webhook.delivered_at)],
        ["Lỗi từ", webhook.failing_since && time(webhook.failing_since)],
        ["Số lần lỗi liên tiếp", webhook.failures ? String(webhook.failures) : undefined],
        ["Lỗi gần nhất", webhook.state === "working" ? undefined : problem(webhook.problem)],
        ["Thử lại lúc", webhook.state === "failing" ? time(webhook.next_at) : undefined],
    ]));
    if (deliveries.length === 0) {
        element.append(made("p", "Chưa có lần gửi nào bị lỗi.", "muted"));
        return element;
    }
    const table = document.createElement("table");
    const names = document.createElement("tr");
    names.append(...COLUMNS.map((name) => made("th", name)));
    const top = document.createElement("thead");
    top.append(names);
    const body = document.createElement("tbody");
    body.append(...deliveries.map((delivery) => row(webhook, delivery)));
    table.append(top, body);
    const scroll = made("div", "", "scroll");
    scroll.append(table);
    element.append(made("h3", "Những lần gửi đã bị lỗi"), scroll);
    return element;
}

async function show() {
    const mine = ++look;
    clearTimeout(timer);
    const { webhooks } = await call("GET", "");
    const sections = await Promise.all(webhooks.map(async (webhook) => {
        const path = `/${encodeURIComponent(webhook.id)}/deliveries`;
        return section(webhook, (await call("GET", path)).deliveries);
    }));
    if (mine !== look) return;
    say(webhooks.length === 0 ? "Tổ chức này chưa đặt webhook nào." : "", false);
    // A page that is read by voice or worked by keyboard is not taken away while nothing changed.
    const next = document.createElement("div");
    next.append(...sections);
    if (next.innerHTML !== place.innerHTML) place.replaceChildren(...sections);
    timer = setTimeout(() => show().catch(fail), LOOK_EVERY_MS);
}

function fail(error) {
    clearTimeout(timer);
    if (!(error instanceof Refused)) throw error;
    say(error.message, true);
}

document.getElementById("ask").addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = document.getElementById("key");
    key = input.value.trim();
    place.replaceChildren();
    say("Đang tải…", false);
    try {
        await show();
    } catch (error) {
        fail(error);
    }
});
