//! The contract of the sync API as a client sees it: run against any server that claims to speak
//! it, it says of each promise whether it is kept.
//!
//! It knows nothing of our hub: only the types and the table of `wire`, and what the document says
//! in words. It makes people, a room and meetings of its own under a random prefix, and changes
//! nothing else.

mod client;
mod device;
mod people;
mod records;
mod report;
mod world;

use client::{Client, Who};
pub use client::{Credentials, SetUpError};
use report::check;
pub use report::{Outcome, Report, Row};
use wire::ProblemType as P;
use world::World;

/// Runs the whole contract. It takes some seconds and a few hundred requests.
///
/// # Errors
/// [`SetUpError`] when the credentials cannot be used at all; what the server does wrong is in
/// the report.
pub async fn run(credentials: &Credentials) -> Result<Report, SetUpError> {
    let mut client = Client::new(credentials)?;
    let mut world = World::new()?;
    let mut report = Report::default();
    document(&client, &mut report).await;
    errors(&client, &mut report).await;
    people::run(&client, &mut world, &mut report).await;
    device::run(&mut client, &mut world, &mut report).await;
    records::run(&client, &mut world, &mut report).await;
    Ok(report)
}

/// The document itself.
async fn document(client: &Client, report: &mut Report) {
    let outcome = async {
        let reply = client.get(Who::Nobody, "/openapi.json").await?;
        let document: serde_json::Value = reply.expect(200)?.json()?;
        check!(
            document["openapi"]
                .as_str()
                .is_some_and(|v| v.starts_with("3.1")),
            "it is not OpenAPI 3.1"
        );
        for operation in wire::OPERATIONS {
            let path = format!("{}{}", wire::BASE, operation.path);
            let row = &document["paths"][&path][operation.method.to_lowercase()];
            check!(
                row["operationId"] == operation.id,
                "{} {path} is not operation {}",
                operation.method,
                operation.id
            );
        }
        Ok(())
    };
    report.add("document", "describes every operation", outcome.await);
}

/// How the server says no, before anything of value is asked.
async fn errors(client: &Client, report: &mut Report) {
    let outcome = async {
        client
            .get(Who::Key, "/nothing-of-the-kind")
            .await?
            .problem(P::NotFound)
    };
    report.add("errors", "an unknown path is a 404 problem", outcome.await);
    let outcome = async {
        let reply = client.delete(Who::Key, "/organisation").await?;
        reply.problem(P::MethodNotAllowed)?;
        check!(reply.header("allow").is_some(), "there is no Allow header");
        Ok(())
    };
    report.add(
        "errors",
        "a wrong method is a 405 problem with Allow",
        outcome.await,
    );
    let outcome = async {
        let reply = client
            .send(
                Who::Key,
                "PUT",
                "/people/x",
                "application/json",
                b"{\"name\":".to_vec(),
            )
            .await?;
        reply.problem(P::Malformed)
    };
    report.add("errors", "broken JSON is a 400 problem", outcome.await);
    let outcome = async {
        let body = serde_json::json!({ "name": "X", "nmae": "Y" });
        let reply = client.put(Who::Key, "/people/x", &body).await?;
        reply.problem(P::Malformed)
    };
    report.add(
        "errors",
        "an unknown field is named and refused",
        outcome.await,
    );
    let outcome = async {
        let reply = client
            .send(Who::Key, "PUT", "/people/x", "text/plain", b"X".to_vec())
            .await?;
        reply.problem(P::UnsupportedMediaType)
    };
    report.add(
        "errors",
        "another media type is a 415 problem",
        outcome.await,
    );
    let outcome = async {
        let long = "x".repeat(wire::limits::BODY_BYTES_MAX + 1);
        let body = serde_json::json!({ "name": long });
        let reply = client.put(Who::Key, "/people/x", &body).await?;
        reply.problem(P::TooLarge)
    };
    report.add(
        "errors",
        "a body beyond the limit is a 413 problem",
        outcome.await,
    );
    report.add(
        "errors",
        "bodies are read packed by zstd and by gzip",
        packed(client).await,
    );
    report.add(
        "errors",
        "without a credential every operation is a 401 problem",
        anonymous(client).await,
    );
}

/// Packed bodies are read, which shows by what is wrong with them.
async fn packed(client: &Client) -> Result<(), String> {
    for packing in wire::Packing::ALL {
        let body = serde_json::json!({ "name": " " });
        let path = "/people/x";
        let reply = client.put_packed(Who::Key, path, &body, packing).await?;
        reply.problem(P::Unprocessable)?;
    }
    Ok(())
}

/// Nobody in particular is let in nowhere.
async fn anonymous(client: &Client) -> Result<(), String> {
    for operation in wire::OPERATIONS {
        if operation.access == wire::Access::Anyone {
            continue;
        }
        let path = operation.path.replace(['{', '}'], "");
        let reply = client
            .send(
                Who::Nobody,
                operation.method,
                &path,
                "application/json",
                b"{}".to_vec(),
            )
            .await?;
        reply
            .problem(P::Unauthenticated)
            .map_err(|wrong| format!("{}: {wrong}", operation.id))?;
    }
    Ok(())
}
