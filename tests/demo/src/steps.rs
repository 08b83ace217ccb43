//! The story: each step does one thing, waits for what it should lead to, and tells how long that took.

use crate::{
    cluster::{self, Secret},
    screen, seed,
    set_up::{Demo, FIRST_PASSWORD},
};
use serde_json::json;
use std::time::{Duration, Instant};
use testbed::{Error, Result, wait_until};

/// A step that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(30);
/// What the secret is changed to.
const SECOND_PASSWORD: &str = "second-password";
/// The seed's key of the password, and one that is not there.
const KEY: &str = "database/config#password";
const WRONG_KEY: &str = "database/config#pasword";

/// Runs all steps and gives their number.
///
/// # Errors
/// Of the first step that does not lead to what it should within its deadline.
pub async fn run(demo: &Demo) -> Result<u32> {
    appears(demo).await?;
    follows(demo).await?;
    comes_back(demo).await?;
    says_why(demo).await?;
    heals(demo).await?;
    Ok(5)
}

async fn appears(demo: &Demo) -> Result<()> {
    screen::step(1, "The seed's manifests are applied, and the Secret appears");
    screen::say(
        "They are v1beta1, as they stand in examples/seed, but for what is this cluster's own; and refreshInterval, which is shortened so that step 2 takes seconds, not an hour:",
    );
    for change in &demo.seed.changes {
        let note = if change.field == "secretID" { "(OpenBao's; not shown)" } else { change.to.as_str() };
        screen::plain(&format!("  {:16} {note}", change.field));
    }
    screen::command("kubectl apply --server-side -f examples/seed/", "");
    let start = Instant::now();
    demo.cluster.kube().apply(&demo.seed.manifests(), seed::NAMESPACE).await?;
    secret_with(demo, FIRST_PASSWORD, "the Secret").await?;
    screen::done("from the first manifest to the Secret", start.elapsed());
    ready(demo, true).await?;
    demo.cluster.show_store().await?;
    demo.cluster.show_external_secret().await?;
    demo.cluster.show_secret().await
}

async fn follows(demo: &Demo) -> Result<()> {
    screen::step(2, "The password is rotated in Vault, and the Secret follows");
    screen::say(&format!(
        "At the next refresh, at most {} later (refreshInterval), plus the time of the sync.",
        seed::INTERVAL
    ));
    screen::command(&format!("bao kv put kv/{} username=app password={SECOND_PASSWORD}", seed::PATH), "");
    demo.kv.write(seed::PATH, json!({"username": "app", "password": SECOND_PASSWORD})).await?;
    let start = Instant::now();
    secret_with(demo, SECOND_PASSWORD, "the new password in the Secret").await?;
    screen::done("from Vault's answer to the new password in the Secret", start.elapsed());
    let get = format!("kubectl get secret {} -o jsonpath='{{.data.password}}' | base64 -d", seed::TARGET);
    screen::command(&get, "");
    screen::plain(&demo.cluster.secret().await?.password);
    Ok(())
}

async fn comes_back(demo: &Demo) -> Result<()> {
    screen::step(3, "The Secret is deleted, and comes back");
    let before = demo.cluster.secret().await?;
    screen::command(&format!("kubectl delete secret {}", seed::TARGET), "");
    demo.cluster.delete_secret().await?;
    let start = Instant::now();
    wait_until("the Secret to come back", DEADLINE, async || match demo.cluster.secret().await {
        Ok(secret) if secret.uid != before.uid && secret.password == SECOND_PASSWORD => Ok(()),
        Ok(secret) if secret.uid == before.uid => Err("the Secret that was deleted".to_owned()),
        Ok(_) => Err("a Secret with another password".to_owned()),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    screen::done("from the deletion to the new Secret", start.elapsed());
    demo.cluster.show_secret().await
}

async fn says_why(demo: &Demo) -> Result<()> {
    screen::step(4, "A key that Vault does not have, and the condition that says so");
    let before = demo.cluster.secret().await?;
    let wrong = demo.seed.with(KEY, WRONG_KEY)?;
    screen::say("In external-secret.yaml, a typo:");
    screen::plain(&format!("-     remoteKey: \"{KEY}\""));
    screen::plain(&format!("+     remoteKey: \"{WRONG_KEY}\""));
    screen::command("kubectl apply --server-side -f external-secret.yaml", "");
    let start = Instant::now();
    demo.cluster.kube().apply(&wrong, seed::NAMESPACE).await?;
    let message = ready(demo, false).await?;
    screen::done("from the typo to Ready=False", start.elapsed());
    if !message.contains("pasword") || !message.contains(seed::PATH) {
        return Err(Error::Unexpected { what: message, why: "it names not both the key and its path".to_owned() });
    }
    demo.cluster.show_external_secret().await?;
    demo.cluster.describe(1).await?;
    unchanged(&before, &demo.cluster.secret().await?)?;
    screen::line("");
    screen::say("The Secret is as it was: all keys are written, or none.");
    demo.cluster.show_secret().await
}

async fn heals(demo: &Demo) -> Result<()> {
    screen::step(5, "The typo is corrected");
    screen::command("kubectl apply --server-side -f external-secret.yaml", "");
    let start = Instant::now();
    demo.cluster.kube().apply(&demo.seed.manifests(), seed::NAMESPACE).await?;
    ready(demo, true).await?;
    screen::done("from the correction to Ready=True", start.elapsed());
    demo.cluster.show_external_secret().await
}

/// What all this cost Vault, as counted between the operator and OpenBao.
pub fn cost(demo: &Demo) {
    let logins = demo.proxy.logins();
    let reads = demo.proxy.count_of("GET", &format!("/v1/{}", demo.kv.read_path(seed::PATH)));
    let plural = |count| if count == 1 { "" } else { "s" };
    screen::line(&format!(
        "It cost OpenBao {logins} login{} and {reads} read{} of the secret, two keys each.",
        plural(logins),
        plural(reads)
    ));
}

async fn secret_with(demo: &Demo, password: &str, what: &str) -> Result<Secret> {
    wait_until(what, DEADLINE, async || match demo.cluster.secret().await {
        Ok(secret) if secret.password == password => Ok(secret),
        Ok(_) => Err("the Secret with another password".to_owned()),
        Err(error) => Err(error.to_string()),
    })
    .await
}

/// Waits until `Ready` is this, about the spec as it stands; gives its message.
async fn ready(demo: &Demo, wanted: bool) -> Result<String> {
    wait_until(&format!("Ready={}", if wanted { "True" } else { "False" }), DEADLINE, async || {
        let object = demo.cluster.external_secret().await.map_err(|error| error.to_string())?;
        let (is_ready, message) = cluster::ready(&object)?;
        if is_ready == wanted { Ok(message) } else { Err(message) }
    })
    .await
}

fn unchanged(before: &Secret, after: &Secret) -> Result<()> {
    if before == after {
        return Ok(());
    }
    let why = "it was written though a key is missing".to_owned();
    Err(Error::Unexpected { what: format!("Secret {}", seed::TARGET), why })
}
