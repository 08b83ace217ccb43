use super::*;
use crate::controller::index::{StoreEntry, Wake};
use crate::controller::key::ObjectKey;
use crate::vault;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the API server answers to a GET of the credentials: this secret id, or nothing until there is one.
type Answer = Option<&'static str>;

struct Fixture {
    stores: Arc<Stores>,
    index: SharedIndex,
    answer: watch::Sender<Answer>,
    gets: watch::Receiver<usize>,
}

impl Fixture {
    async fn new() -> Self {
        let (answer, answers) = watch::channel(Some("one"));
        let (seen, gets) = watch::channel(0);
        let seen = Arc::new(seen);
        let secret = get(move || {
            let (mut answers, seen) = (answers.clone(), seen.clone());
            async move {
                seen.send_modify(|seen| *seen += 1);
                let id = answers.wait_for(Option::is_some).await.unwrap().unwrap();
                let id = base64::engine::general_purpose::STANDARD.encode(id);
                let metadata = json!({"name": "approle", "namespace": "ns", "uid": "u", "resourceVersion": "1"});
                (StatusCode::OK, json!({"metadata": metadata, "data": {"id": id}}).to_string())
            }
        });
        let router = Router::new().route("/api/v1/namespaces/ns/secrets/approle", secret);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::try_from(kube::Config::new(server.parse().unwrap())).unwrap();
        let sessions = Sessions::new(vault::Settings::default(), tokio::runtime::Handle::current());
        let index = SharedIndex::default();
        let settings = Settings {
            namespace: None,
            controller_class: "default".to_owned(),
            concurrent: 1,
            deletion_brake: 0,
            store_requeue_interval: Duration::from_secs(60),
            instance: "test".to_owned(),
        };
        let stores = Stores::new(client, sessions, index.clone(), Arc::default(), &settings);
        Self { stores: Arc::new(stores), index, answer, gets }
    }

    /// Edits the store as the watch tells of it.
    fn apply(&self, generation: i64, spec: &Value) {
        let metadata = ObjectMeta {
            name: Some("store".to_owned()),
            uid: Some("u".to_owned()),
            generation: Some(generation),
            ..ObjectMeta::default()
        };
        let wakes = self.index.lock().apply_store(key(), StoreEntry::new(&metadata, Some(&spec.to_string()), None));
        self.carry_out(wakes);
    }

    fn delete(&self) {
        let wakes = self.index.lock().remove_store(&key());
        self.carry_out(wakes);
    }

    fn carry_out(&self, wakes: Vec<Wake>) {
        for wake in wakes {
            if let Wake::Reopen(store) = wake {
                match self.index.lock().reopen(&store) {
                    true => self.stores.refresh(&store),
                    false => self.stores.close(&store),
                }
            }
        }
    }

    async fn open(&self) -> Result<Arc<OpenStore>, StoreError> {
        self.stores.open_for(&key(), &"ns".into()).await
    }

    fn opening(&self) -> JoinHandle<Result<Arc<OpenStore>, StoreError>> {
        let stores = self.stores.clone();
        tokio::spawn(async move { stores.open_for(&key(), &"ns".into()).await })
    }

    /// Begins an opening that hangs at the API server.
    async fn hanging(&mut self) -> JoinHandle<Result<Arc<OpenStore>, StoreError>> {
        self.answer.send_replace(None);
        self.gets.mark_unchanged();
        let opening = self.opening();
        self.gets.changed().await.unwrap();
        opening
    }

    /// For which namespaces the store is open.
    fn places(&self) -> Vec<Option<String>> {
        self.stores.places.lock().keys().map(|(_, namespace)| namespace.as_deref().map(str::to_owned)).collect()
    }

    fn is_marked(&self) -> bool {
        self.index.lock().is_credential(&ObjectKey::new("ns", "approle"))
    }
}

fn key() -> StoreKey {
    StoreKey { namespace: None, name: "store".into() }
}

/// A ClusterSecretStore whose secret id stands in this namespace.
fn spec(namespace: Option<&str>) -> Value {
    let secret_ref = json!({"name": "approle", "key": "id", "namespace": namespace});
    let auth = json!({"appRole": {"roleId": "r", "secretRef": secret_ref}});
    json!({"provider": {"vault": {"server": "http://127.0.0.1:9", "auth": auth}}})
}

#[tokio::test]
async fn an_opening_that_is_given_up_leaves_the_store_as_stale_as_it_was() {
    let mut fixture = Fixture::new().await;
    fixture.apply(1, &spec(Some("ns")));
    let before = fixture.open().await.unwrap().session.id();
    fixture.stores.refresh(&key());
    let opening = fixture.hanging().await;
    opening.abort();
    assert!(opening.await.is_err_and(|error| error.is_cancelled()));
    fixture.answer.send_replace(Some("two"));
    assert_ne!(fixture.open().await.unwrap().session.id(), before, "the rotated credential counts");
    let gets = *fixture.gets.borrow();
    fixture.open().await.unwrap();
    assert_eq!(*fixture.gets.borrow(), gets, "and is read once");
}

#[tokio::test]
async fn an_edit_while_it_is_opened_counts_for_that_opening_too() {
    let mut fixture = Fixture::new().await;
    fixture.apply(1, &spec(Some("ns")));
    let opening = fixture.hanging().await;
    let waiting = fixture.opening();
    let mut edited = spec(Some("ns"));
    edited["provider"]["vault"]["server"] = json!("http://127.0.0.1:10");
    fixture.apply(2, &edited);
    fixture.answer.send_replace(Some("one"));
    for opening in [opening, waiting] {
        assert_eq!(opening.await.unwrap().unwrap().session.server().address(), "http://127.0.0.1:10");
    }
    assert!(fixture.is_marked());
}

#[tokio::test]
async fn an_edit_closes_what_was_open_in_the_other_form() {
    let fixture = Fixture::new().await;
    fixture.apply(1, &spec(None));
    fixture.open().await.unwrap();
    assert_eq!(fixture.places(), [Some("ns".to_owned())]);
    fixture.apply(2, &spec(Some("ns")));
    fixture.open().await.unwrap();
    assert_eq!(fixture.places(), [None]);
    fixture.apply(3, &spec(None));
    assert!(fixture.stores.open_alone(&key()).await.unwrap().is_none());
    assert_eq!(fixture.places(), [] as [Option<String>; 0]);
    fixture.open().await.unwrap();
    fixture.apply(4, &json!({"provider": {"fake": {}}}));
    assert!(matches!(fixture.open().await, Err(StoreError::NotVault { .. })));
    assert_eq!(fixture.places(), [] as [Option<String>; 0]);
}

#[tokio::test]
async fn a_store_that_is_deleted_while_it_is_opened_leaves_nothing() {
    for gives_up in [true, false] {
        let mut fixture = Fixture::new().await;
        fixture.apply(1, &spec(Some("ns")));
        let opening = fixture.hanging().await;
        fixture.delete();
        // As where the second of two references is entered after the store is gone.
        let secret = ObjectKey::new("ns", "approle");
        fixture.index.lock().watch_source(crate::controller::index::SourceKind::Secret, secret, &key());
        if gives_up {
            opening.abort();
            assert!(opening.await.is_err_and(|error| error.is_cancelled()));
        } else {
            fixture.answer.send_replace(Some("one"));
            assert!(matches!(opening.await.unwrap(), Err(StoreError::NotFound)));
        }
        assert!(!fixture.is_marked());
        assert_eq!(fixture.places(), [] as [Option<String>; 0]);
    }
}
