//! What answers mean that are not simply the thing asked for.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::{Down, ErrorKind, Garbled, VaultError};
use super::http::{Answer, Failure};

/// Where an answer came from.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) server: &'a Arc<str>,
    pub(super) path: &'a str,
    pub(super) max_body: usize,
}

/// `{"errors": […]}`: every 4xx of Vault and OpenBao has it, if only as an empty list.
#[derive(Deserialize)]
struct Refused {
    #[serde(rename = "errors")]
    _errors: Vec<String>,
}

/// `{"errors": […], "warnings": […]}`
#[derive(Default, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    pub(super) errors: Option<Vec<String>>,
    #[serde(default)]
    pub(super) warnings: Option<Vec<String>>,
}

impl Answer {
    /// What the server says; nothing where it says it in another form.
    pub(super) fn said(&self) -> Said {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// One of the server's errors holds this.
    pub(super) fn says(&self, needle: &str) -> bool {
        self.said().errors.into_iter().flatten().any(|error| error.contains(needle))
    }

    /// A 4xx in Vault's own form. What stands before it says the same statuses, and then they say nothing of tokens,
    /// credentials or policies.
    pub(super) fn is_vaults_word(&self) -> Result<(), Garbled> {
        self.json::<Refused>().map(|_| ())
    }

    /// The body as JSON of a shape, or how it fails to be. serde's own message is dropped: it may quote a value.
    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Garbled> {
        serde_json::from_slice(&self.body).map_err(|_| match self.body.trim_ascii() {
            b"null" => Garbled::Null,
            body if body.starts_with(b"<") => Garbled::Html,
            body if serde_json::from_slice::<IgnoredAny>(body).is_ok() => Garbled::Shape,
            _ => Garbled::NotJson,
        })
    }
}

impl Place<'_> {
    pub(super) fn garbled(self, status: u16, what: Garbled) -> VaultError {
        ErrorKind::Garbled { path: self.path.to_owned(), status, what }.into()
    }

    /// The error of a request without an answer.
    pub(super) fn failure(self, failure: Failure) -> VaultError {
        let server = Arc::clone(self.server);
        let path = self.path.to_owned();
        match failure {
            Failure::NoConnection(why) | Failure::NoAnswer(why) => ErrorKind::Unanswered { server, path, why },
            Failure::Tls(problem) => ErrorKind::Tls { server, problem },
            Failure::TooLarge => ErrorKind::TooLarge { path, limit: self.max_body },
            Failure::Redirected(to) => ErrorKind::Redirected { server, to },
            Failure::BadPath => ErrorKind::BadPath { path },
        }
        .into()
    }

    /// The error of an answer whose status says all, with the server's words.
    pub(super) fn status(self, answer: &Answer) -> VaultError {
        self.told(answer, quote(answer))
    }

    /// The same without its words, which may repeat the credentials that were sent.
    pub(super) fn status_alone(self, answer: &Answer) -> VaultError {
        self.told(answer, String::new())
    }

    fn told(self, answer: &Answer, said: String) -> VaultError {
        let server = Arc::clone(self.server);
        let path = self.path.to_owned();
        let status = answer.status;
        match status {
            // Go's HTTP server says so before Vault sees anything.
            400 if answer.body.starts_with(b"Client sent an HTTP request to an HTTPS server") => {
                ErrorKind::Tls { server, problem: "the server speaks TLS there: write https:// in `server`".to_owned() }
            }
            412 => ErrorKind::Behind { server, path },
            429 => ErrorKind::Throttled { server, path },
            501 => ErrorKind::Unanswered { server, path, why: Down::Uninitialised },
            503 if answer.says("sealed") => ErrorKind::Unanswered { server, path, why: Down::Sealed },
            500.. => ErrorKind::ServerFailed { server, path, status, said },
            400..500 => match answer.is_vaults_word() {
                Ok(()) => ErrorKind::Rejected { path, status, said },
                Err(what) => ErrorKind::Garbled { path, status, what },
            },
            _ => ErrorKind::Garbled { path, status, what: Garbled::Shape },
        }
        .into()
    }
}

/// The server's words for a person, bounded and on one line. A word with a digit is left out: ports, times and ids differ
/// from try to try, and an error's text must not.
fn quote(answer: &Answer) -> String {
    let errors = answer.said().errors.unwrap_or_default().join("; ");
    let differs = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    let mut words: Vec<_> = errors.split_whitespace().map(|word| if differs(word) { "…" } else { word }).collect();
    words.dedup_by(|next, last| *next == "…" && *last == "…");
    words.join(" ").chars().take(200).collect()
}

/// What servers are known to say about a refused login, and what a person should do about it.
const KNOWN: [(&str, &str); 14] = [
    (
        "invalid role or secret ID",
        "invalid role or secret ID; check roleId and the secret id, and that it has neither ended nor been used up",
    ),
    ("invalid role ID", "invalid role ID; check roleId"),
    ("invalid secret id", "invalid secret id; check it, and that it has neither ended nor been used up"),
    ("invalid username or password", "invalid username or password; check both"),
    (
        "ldap operation failed",
        "the directory did not accept the user or password; check both, and the LDAP settings of the mount",
    ),
    ("no LDAP groups found", "the user is in no LDAP group that has a policy"),
    (
        "no client certificate",
        "the client certificate was not accepted; check it against the certificate roles of the mount",
    ),
    ("matching all constraints", "the client certificate does not meet the role's constraints"),
    (
        "service account name not authorized",
        "the role is not bound to this ServiceAccount's name; check bound_service_account_names",
    ),
    (
        "namespace not authorized",
        "the role is not bound to this ServiceAccount's namespace; check bound_service_account_namespaces",
    ),
    (
        "invalid audience",
        "the JWT is for another audience than the role accepts; check `audiences` and the role's bound_audiences",
    ),
    ("could not be found", "the role does not exist at this mount; check its name"),
    ("invalid role name", "the role does not exist at this mount; check its name"),
    ("no handler for route", "no auth method is mounted there; check the auth path and namespace"),
];

/// Why a login was refused, from words that servers are known to use; anything else in the body is not shown, since
/// it may repeat what was sent.
pub(super) fn refusal(answer: &Answer) -> String {
    let known = KNOWN.iter().find(|(needle, _)| answer.says(needle));
    if let Some((_, reason)) = known {
        return (*reason).to_owned();
    }
    match answer.status {
        403 => "permission denied; check that the auth method is mounted at this path, that its role exists and accepts these \
                credentials from this address, and that it is not locked after refused logins (15 minutes)"
            .to_owned(),
        404 => "not found; check the auth path and namespace".to_owned(),
        _ => "the server did not accept the credentials; its audit log says why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::zeroize::Zeroizing;
    use serde_json::Value;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, index: None, body: Zeroizing::new(body.as_bytes().to_vec()) }
    }

    fn error(status: u16, body: &str) -> VaultError {
        let server = Arc::from("https://vault:8200");
        Place { server: &server, path: "kv/data/a", max_body: 10 }.status(&answer(status, body))
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        let garbled = |body: &str| answer(200, body).json::<std::collections::BTreeMap<String, Value>>().unwrap_err();
        assert_eq!(garbled("<html>"), Garbled::Html);
        assert_eq!(garbled("\n <!doctype html>"), Garbled::Html);
        assert_eq!(garbled("null"), Garbled::Null);
        assert_eq!(garbled("[1]"), Garbled::Shape);
        assert_eq!(garbled(r#"{"data":{"a""#), Garbled::NotJson);
        assert_eq!(garbled(""), Garbled::NotJson);
    }

    #[test]
    fn statuses_say_what_to_do() {
        for (status, body, label, words) in [
            (429, "", "throttled", "raise its quota"),
            (412, "", "behind", "forwardInconsistent"),
            (503, r#"{"errors":["Vault is sealed"]}"#, "unanswered", "unseal it"),
            (501, "", "unanswered", "initialise it"),
            (500, r#"{"errors":["disk\nfull"]}"#, "server_failed", r#"and says "disk full""#),
            (400, "Client sent an HTTP request to an HTTPS server.\n", "tls", "https://"),
            (405, r#"{"errors":["unsupported operation"]}"#, "rejected", "unsupported operation"),
            (401, "<html>sign in</html>", "garbled", "a page of HTML"),
            (403, r#"{"message":"Forbidden"}"#, "garbled", "JSON of another shape"),
            (405, "", "garbled", "not whole JSON"),
        ] {
            let error = error(status, body);
            assert_eq!(error.label(), label);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn the_servers_words_do_not_differ_from_try_to_try() {
        let said = |port: u32| {
            let error = format!("1 error occurred:\n\t* read tcp 10.1.2.3:{port}->10.0.0.1:8300: i/o timeout");
            error_of(&[&error]).to_string()
        };
        assert_eq!(said(48372), said(51234));
        assert!(said(1).contains(r#"and says "… error occurred: * read tcp … i/o timeout""#), "{}", said(1));
        assert!(!error_of(&["a"; 500]).to_string().contains(&"a; ".repeat(100)), "bounded");
    }

    fn error_of(errors: &[&str]) -> VaultError {
        error(500, &serde_json::json!({ "errors": errors }).to_string())
    }

    #[test]
    fn a_refusal_never_repeats_the_body() {
        let said = refusal(&answer(400, r#"{"errors":["hunter2 is not valid"]}"#));
        assert!(!said.contains("hunter2"), "{said}");
        assert!(
            refusal(&answer(400, r#"{"errors":["invalid role or secret ID"]}"#))
                .starts_with("invalid role or secret ID")
        );
    }
}
