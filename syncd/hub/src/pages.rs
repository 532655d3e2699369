//! Pages for people, beside the API: plain files of this program, which ask the API with a key that
//! their reader types. They hold no data, so that anybody may have them.

use crate::reply::Reply;

/// What a page may do: what comes from the hub itself, and nothing of a frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A file of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageFile {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const FILES: &[PageFile] = &[
    PageFile {
        path: "/pages/webhooks",
        kind: "text/html; charset=utf-8",
        text: include_str!("pages/webhooks.html"),
    },
    PageFile {
        path: "/pages/webhooks.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("pages/webhooks.js"),
    },
    PageFile {
        path: "/pages/page.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("pages/page.css"),
    },
];

/// The file at a path.
pub(crate) fn find(path: &str) -> Option<&'static PageFile> {
    FILES.iter().find(|file| file.path == path)
}

impl PageFile {
    /// The answer that shows it.
    pub fn reply(&self) -> Reply {
        Reply::of(self.kind, self.text)
            .with("content-security-policy", POLICY.to_owned())
            .with("referrer-policy", "no-referrer".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_nothing_but_files_that_are_there() {
        let page = find("/pages/webhooks").unwrap();
        for attribute in ["href=\"", "src=\""] {
            for rest in page.text.split(attribute).skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(find(&format!("/pages/{name}")).is_some(), "{name}");
            }
        }
        assert!(find("/pages/").is_none());
    }

    #[test]
    fn the_page_knows_every_type_that_can_be_told() {
        let script = find("/pages/webhooks.js").unwrap().text;
        for kind in wire::webhook::EventType::ALL {
            assert!(
                script.contains(&format!("\"{}\": ", kind.name())),
                "{kind:?}"
            );
        }
        assert!(script.contains(&format!("\"{}/webhooks\"", wire::BASE)));
    }
}
