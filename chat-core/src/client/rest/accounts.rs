//! Signing up, in and out, here and on other devices.

use crate::{
    client::{Client, ClientError, http, sign_in, token_store},
    model::{Profile, SignInId},
    protocol::rest::{Login, Page, Refresh, Register, SignIn, SignedIn},
};

impl Client {
    /// Makes an account and signs in.
    pub async fn register(
        &self,
        username: &str,
        password: &str,
        display_name: Option<&str>,
    ) -> Result<Profile, ClientError> {
        let body = Register {
            username: username.to_owned(),
            password: password.to_owned(),
            display_name: display_name.map(str::to_owned),
        };
        let request = self.http().post(&["auth", "register"])?.json(&body);
        let signed_in = http::decode(&http::exchange(request).await?)?;
        Ok(self.begin(signed_in))
    }

    /// Signs in.
    pub async fn login(&self, username: &str, password: &str) -> Result<Profile, ClientError> {
        let body = Login {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        let request = self.http().post(&["auth", "login"])?.json(&body);
        let signed_in = http::decode(&http::exchange(request).await?)?;
        Ok(self.begin(signed_in))
    }

    /// Goes on with a sign-in of an earlier run. The token is spent by this: store the one that
    /// [`refresh_tokens`](Self::refresh_tokens) tells next. [`ClientError::SignedOut`] if it no longer holds.
    pub async fn resume(&self, refresh_token: &str) -> Result<Profile, ClientError> {
        let answer = sign_in::request_tokens(self.http(), refresh_token.to_owned()).await;
        self.go_on(answer)
    }

    /// The same with the token that the [store](Self::with_token_store) keeps; it keeps the next one, too.
    pub async fn resume_stored(&self) -> Result<Profile, ClientError> {
        let store = self.sign_in().store().ok_or(ClientError::SignedOut)?;
        let answer = token_store::renew(store, self.http()).await;
        self.go_on(answer)
    }

    fn go_on(&self, answer: Result<SignedIn, ClientError>) -> Result<Profile, ClientError> {
        match answer {
            Ok(signed_in) => Ok(self.begin(signed_in)),
            Err(ClientError::Problem(problem)) if problem.status == 401 => {
                Err(ClientError::SignedOut)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the sign-in, here and at the server. When the server cannot be reached it is kept.
    pub async fn logout(&self) -> Result<(), ClientError> {
        let Some(tokens) = self.sign_in().tokens() else {
            return Ok(());
        };
        match self.sign_in().store() {
            Some(store) => {
                let end = |newest| self.end_sign_in(tokens.access_token, newest);
                token_store::spend(store, end).await?;
            }
            None => {
                self.end_sign_in(tokens.access_token, tokens.refresh_token)
                    .await?;
            }
        }
        self.sign_in().end();
        Ok(())
    }

    async fn end_sign_in(
        &self,
        access_token: String,
        refresh_token: String,
    ) -> Result<(), ClientError> {
        let body = Refresh { refresh_token };
        let request = self
            .http()
            .post(&["auth", "logout"])?
            .bearer_auth(access_token)
            .json(&body);
        match http::exchange(request).await {
            Err(ClientError::Problem(problem)) if problem.status == 401 => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Where I am signed in.
    pub async fn sessions(&self) -> Result<Vec<SignIn>, ClientError> {
        let request = self.http().get(&["auth", "sessions"])?;
        let page: Page<SignIn> = self.json(request).await?;
        Ok(page.items)
    }

    /// Signs out there: its live connections end within seconds. Of this sign-in, [`logout`](Self::logout) is the way.
    pub async fn sign_out_session(&self, id: SignInId) -> Result<(), ClientError> {
        let id = id.to_string();
        self.gone(self.http().delete(&["auth", "sessions", &id])?)
            .await
    }

    fn begin(&self, signed_in: SignedIn) -> Profile {
        self.sign_in().begin(&signed_in);
        signed_in.user
    }
}
