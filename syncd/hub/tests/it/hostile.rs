//! What nobody should send, sent: each is answered with the problem that it is, costs bounded
//! memory, and the hub goes on.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::Scope;
use wire::limits::BODY_BYTES_MAX;
use wire::packing::{Packing, unpack};
use wire::problem::{PROBLEM_JSON, Problem, ProblemType};

use crate::town::{Town, ask, read};

/// Sends a PUT of a person with some body and headers, and checks which problem it is.
async fn check(
    town: &Town,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    expect: ProblemType,
    detail: &str,
) {
    let key = town.key("mau", Scope::ALL);
    let url = town.url("/v1-draft/people/a1");
    let mut request = town.client(None).put(url).bearer_auth(key).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], PROBLEM_JSON);
    let problem: Problem = read(answer, expect.status()).await;
    assert_eq!(problem.problem_type(), Some(expect), "{problem:?}");
    let told = problem.detail.unwrap();
    assert!(told.contains(detail), "{detail:?} in {told:?}");
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn bodies_that_are_none_are_told_what_they_are() {
    let town = Town::start().await;
    let json = |text: &str| text.as_bytes().to_vec();
    check(&town, &[JSON], json(""), ProblemType::Malformed, "the body").await;
    check(
        &town,
        &[JSON],
        json("{"),
        ProblemType::Malformed,
        "the body",
    )
    .await;
    check(
        &town,
        &[JSON],
        json("{\"name\":5}"),
        ProblemType::Malformed,
        "`name`",
    )
    .await;
    check(
        &town,
        &[JSON],
        json("{\"nam\":\"x\"}"),
        ProblemType::Malformed,
        "`nam`",
    )
    .await;
    check(
        &town,
        &[JSON],
        json("{\"name\":\"x\"}x"),
        ProblemType::Malformed,
        "trailing",
    )
    .await;
    check(
        &town,
        &[JSON],
        json("{\"name\":\"a\\u0007\"}"),
        ProblemType::Malformed,
        "control",
    )
    .await;
    let deep = "[".repeat(100_000);
    check(&town, &[JSON], json(&deep), ProblemType::Malformed, "").await;
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(300));
    check(&town, &[JSON], json(&long), ProblemType::Malformed, "256").await;
    check(
        &town,
        &[],
        json("{}"),
        ProblemType::UnsupportedMediaType,
        "application/json",
    )
    .await;
    let br = ("content-encoding", "br");
    check(
        &town,
        &[JSON, br],
        json("x"),
        ProblemType::UnsupportedMediaType,
        "gzip",
    )
    .await;
    let empty = "{\"name\":\"  \"}";
    check(&town, &[JSON], json(empty), ProblemType::Unprocessable, "").await;
    town.stop().await;
}

#[tokio::test]
async fn bodies_that_are_too_large_cost_no_more_than_the_limit() {
    let town = Town::start().await;
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    check(
        &town,
        &[JSON],
        large.clone(),
        ProblemType::TooLarge,
        "262144",
    )
    .await;
    let zeros = vec![0; 40 << 20];
    for packing in Packing::ALL {
        let headers = [JSON, ("content-encoding", packing.name())];
        let packed = packing.pack(&large).unwrap();
        check(&town, &headers, packed, ProblemType::TooLarge, "").await;
        let bomb = packing.pack(&zeros).unwrap();
        assert!(bomb.len() < BODY_BYTES_MAX, "{}", bomb.len());
        check(&town, &headers, bomb, ProblemType::TooLarge, "").await;
        let (none, kind) = (b"nothing of the kind".to_vec(), ProblemType::Malformed);
        check(&town, &headers, none, kind, packing.name()).await;
        let mut cut = packing.pack(br#"{"name":"x"}"#).unwrap();
        cut.pop();
        check(&town, &headers, cut, ProblemType::Malformed, packing.name()).await;
    }
    // A frame of zstd that wants a window of 2 GiB, and has not a byte in it.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00].to_vec();
    let zstd = [JSON, ("content-encoding", "zstd")];
    check(&town, &zstd, window, ProblemType::Malformed, "zstd").await;
    town.stop().await;
}

#[tokio::test]
async fn bodies_are_read_and_answers_are_written_packed_either_way() {
    let town = Town::start().await;
    let key = town.key("mau", Scope::ALL);
    let people = town.url("/v1-draft/people/a1");
    for packing in Packing::ALL {
        let name = format!("Nguyễn Văn Mẫu {}", packing.name());
        let body = packing.pack(json!({ "name": name }).to_string().as_bytes());
        let put = town.client(None).put(&people).bearer_auth(&key);
        let put = put.header(JSON.0, JSON.1).body(body.unwrap());
        let put = put.header("content-encoding", packing.name());
        let answer = put.send().await.unwrap();
        assert_eq!(answer.headers()["accept-encoding"], "zstd, gzip");
        let person: wire::enrolment::Person = read(answer, 200).await;
        assert_eq!(person.name.as_str(), name);
        let document = town.client(None).get(town.url("/v1-draft/openapi.json"));
        // The test's client unpacks gzip by itself, unless it is asked for by hand.
        let document = document.header("accept-encoding", packing.name());
        let answer = document.send().await.unwrap();
        if packing == Packing::Zstd {
            assert_eq!(answer.headers()["content-encoding"], "zstd");
            let packed = answer.bytes().await.unwrap();
            assert!(packed.len() < 64 << 10, "{}", packed.len());
            let text = unpack(packing, &packed, 1 << 20).unwrap();
            assert!(text == wire::openapi::text().as_bytes());
        } else {
            assert_eq!(answer.text().await.unwrap(), wire::openapi::text());
        }
    }
    town.stop().await;
}

#[tokio::test]
async fn paths_methods_and_parameters_that_are_none_are_told_so() {
    let town = Town::start().await;
    let key = town.key("mau", Scope::ALL);
    for (method, path, status, detail) in [
        ("GET", "/nothing", 404, "openapi.json"),
        ("PATCH", "/rooms/G1", 405, "GET, HEAD, PUT"),
        ("GET", "/rooms/-x", 400, "`room` in the path"),
        ("GET", "/people/..%2F..%2Fetc", 400, "`person` in the path"),
        ("GET", "/people/a'%20OR%201=1", 400, "`person` in the path"),
        ("GET", "/people?limit=0", 400, "1 to 500"),
        ("GET", "/people?limit=501", 400, "1 to 500"),
        ("GET", "/people?limt=5", 400, "limit, after"),
        ("GET", "/people?limit=5&limit=5", 400, "twice"),
        ("GET", "/people?after=xyz", 400, "cursor"),
        ("GET", "/records?after=cGVvcGxlIGE", 400, "cursor"),
        (
            "GET",
            "/meetings?from=yesterday",
            400,
            "`from` in the query",
        ),
        ("GET", "/meetings/none/roll?revision=1", 404, "revision 1"),
    ] {
        let answer = ask(&town, method, path, &key, None).await;
        let allow = answer.headers().get("allow").cloned();
        let problem: Problem = read(answer, status).await;
        let told = problem.detail.unwrap();
        assert!(told.contains(detail), "{path}: {detail:?} in {told:?}");
        assert_eq!(allow.is_some(), status == 405, "{path}");
    }
    town.stop().await;
}

#[tokio::test]
async fn heads_health_and_metrics_are_as_they_should_be() {
    let town = Town::start().await;
    let client = town.client(None);
    for path in ["/healthz", "/readyz", "/v1-draft/openapi.json"] {
        let got = client.get(town.url(path)).send().await.unwrap();
        assert_eq!(got.status(), 200, "{path}");
        assert!(got.headers().contains_key("x-request-id"), "{path}");
        let head = client.head(town.url(path)).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
    for path in ["/pages/webhooks", "/pages/webhooks.js", "/pages/page.css"] {
        let got = client.get(town.url(path)).send().await.unwrap();
        assert_eq!(got.status(), 200, "{path}");
        let policy = got.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}");
    }
    let metrics = town.url("/metrics");
    let refused = client.get(&metrics).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let key = town.key("mau", &[Scope::MetricsRead]);
    let text = client.get(&metrics).bearer_auth(&key).send().await.unwrap();
    let text = text.text().await.unwrap();
    assert!(
        text.contains("diemdanh_requests_total{operation=\"healthz\",status=\"200\"} 2"),
        "{text}"
    );
    town.stop().await;
}

#[tokio::test]
async fn the_document_is_served_packed_where_that_is_taken() {
    let town = Town::start().await;
    let url = town.url("/v1-draft/openapi.json");
    let plain = town
        .client(None)
        .get(&url)
        .header("accept-encoding", "identity");
    let plain = plain.send().await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    assert_eq!(plain.text().await.unwrap(), wire::openapi::text());
    // The client unpacks what it asked for packed.
    let unpacked = town.client(None).get(&url).send().await.unwrap();
    assert_eq!(unpacked.text().await.unwrap(), wire::openapi::text());
    town.stop().await;
}

#[tokio::test]
async fn what_is_no_tls_is_not_answered_and_the_hub_goes_on() {
    let town = Town::start().await;
    let mut stream = TcpStream::connect(town.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // However it ends, no HTTP comes back.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut junk = TcpStream::connect(town.address).await.unwrap();
    junk.write_all(&[0xff; 4096]).await.unwrap();
    drop(junk);
    let health = town
        .client(None)
        .get(town.url("/healthz"))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    town.stop().await;
}
