//! Tokens of ServiceAccounts, made by the API server for one login each.

use crate::controller::error::ApiServerError;
use crate::controller::key::ObjectKey;
use crate::vault::JwtIssuer;
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use secrecy::SecretString;

/// A ServiceAccount that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub key: ObjectKey,
    /// Tells it from another of the same name, made after it was deleted.
    pub uid: String,
}

/// Asks for tokens of one ServiceAccount.
pub struct ServiceAccountTokens {
    /// The API server.
    pub client: Client,
    /// Whose tokens.
    pub account: Account,
    /// Who is to accept them; the API server's own audience where there is none, which is what Vault's kubernetes method
    /// checks unless its role says otherwise.
    pub audiences: Vec<String>,
    /// How long they live.
    pub seconds: i64,
}

impl ServiceAccountTokens {
    /// Equal for those that get tokens of equal worth. Vault looks at a token only at the login: a session must not outlive
    /// the account that it logged in as.
    pub fn identity(&self) -> String {
        format!("serviceaccount {} ({}) for {:?}", self.account.key, self.account.uid, self.audiences)
    }

    async fn request(&self) -> Result<SecretString, String> {
        let account = &self.account.key;
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &account.namespace);
        let spec = TokenRequestSpec {
            audiences: self.audiences.clone(),
            expiration_seconds: Some(self.seconds),
            bound_object_ref: None,
        };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = api.create_token_request(&account.name, &PostParams::default(), &request).await;
        let answer = answer.map_err(|error| {
            let error = ApiServerError::new("request a token of", "ServiceAccount", account, &error);
            format!("{error}; create the ServiceAccount, or correct serviceAccountRef")
        })?;
        let token = answer.status.map(|status| SecretString::from(status.token));
        token.ok_or_else(|| format!("the API server gave no token of ServiceAccount \"{account}\""))
    }
}

impl JwtIssuer for ServiceAccountTokens {
    fn issue(&self) -> BoxFuture<'_, Result<SecretString, String>> {
        self.request().boxed()
    }
}
