//! The plan for a model that comes in, as a hub without models of its own gives it.

use serde_json::json;
use wire::Scope;
use wire::plan::{ModelPlan, PlanStep};

use crate::town::{Town, ask, read};

#[tokio::test]
async fn a_plan_is_read_page_by_page_and_as_a_sheet() {
    let town = Town::start().await;
    let key = town.key("mau", Scope::ALL);
    let values: Vec<u8> = [1.0_f32, 0.5]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    for (id, digest) in [("a1", Some("11")), ("a2", Some("22")), ("a3", None)] {
        let person = json!({ "name": "=Nguyễn Văn Mẫu", "unit": "Sở Mẫu" });
        let path = format!("/people/{id}");
        ask(&town, "PUT", &path, &key, Some(&person)).await;
        if let Some(digest) = digest {
            let template = json!({
                "space": { "name": "mau", "digest": digest.repeat(32) },
                "values": wire::Base64(values.clone()),
            });
            let path = format!("/people/{id}/templates/anh-1");
            let answer = ask(&town, "PUT", &path, &key, Some(&template)).await;
            assert_eq!(answer.status(), 200);
        }
    }
    let path = format!("/model-plan?model={}&limit=2", "22".repeat(32));
    let first: ModelPlan = read(ask(&town, "GET", &path, &key, None).await, 200).await;
    let steps: Vec<_> = first.people.iter().map(|row| row.step).collect();
    assert_eq!(steps, [PlanStep::Photograph, PlanStep::Ready]);
    assert_eq!(first.spaces.len(), 2);
    let next = format!("{path}&after={}", first.next.unwrap());
    let second: ModelPlan = read(ask(&town, "GET", &next, &key, None).await, 200).await;
    assert_eq!(second.people[0].step, PlanStep::NeverEnrolled);
    assert_eq!(second.next, None);
    let url = town.url(&format!("/v1-draft{path}"));
    let request = town.client(None).get(url).bearer_auth(&key);
    let sheet = request.header("accept", "text/csv").send().await.unwrap();
    let link = sheet.headers()["link"].to_str().unwrap().to_owned();
    assert!(link.contains("rel=\"next\""), "{link}");
    let text = sheet.text().await.unwrap();
    assert!(text.contains("Việc cần làm"), "{text}");
    assert!(
        text.contains("a1,'=Nguyễn Văn Mẫu,,Sở Mẫu,Chụp lại ảnh,"),
        "{text}"
    );
    // Without a model of its own the hub must be told for which.
    let none = ask(&town, "GET", "/model-plan", &key, None).await;
    let problem: wire::Problem = read(none, 422).await;
    assert!(problem.detail.unwrap().contains("`model`"));
    town.stop().await;
}
