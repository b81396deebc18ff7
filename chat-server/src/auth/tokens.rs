//! Access tokens: issued for minutes, and believed only when everything about them is right.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chat_core::model::{SignInId, Timestamp, UserId};
use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AuthError, key::SigningKey};

/// A longer token is refused unread.
pub(crate) const MAX_TOKEN_BYTES: usize = 4 * 1024;

/// How far the clocks of two nodes may be apart.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

const ISSUER: &str = "chat-server";
const AUDIENCE: &str = "chat";
const TYPE: &str = "at+jwt";

/// What an access token says. All of it is required.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SignInId,
    jti: Uuid,
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
}

/// What a verified token says about its holder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) user_id: UserId,
    pub(super) sign_in: SignInId,
    pub(super) expires_at: Timestamp,
}

/// Issues and verifies access tokens with one key and one algorithm.
#[derive(Debug)]
pub(super) struct Tokens {
    key: SigningKey,
    validation: Validation,
    lifetime: Duration,
}

impl Tokens {
    pub(super) fn new(key: SigningKey, lifetime: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Self {
            key,
            validation,
            lifetime,
        }
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    pub(super) fn issue(&self, user: UserId, sign_in: SignInId) -> Result<String, AuthError> {
        let now = unix_now();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: sign_in,
            jti: Uuid::new_v4(),
            iat: now,
            exp: now + self.lifetime.as_secs(),
            nbf: None,
        };
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(self.key.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &self.key.private)
            .map_err(|error| AuthError::Unavailable(error.into()))
    }

    pub(super) fn verify(&self, token: &str) -> Result<Holder, AuthError> {
        const INVALID: AuthError = AuthError::Invalid("the access token does not hold: sign in");
        let header = jsonwebtoken::decode_header(token).map_err(|_unreadable| INVALID)?;
        if !self.made_by_us(&header) {
            return Err(INVALID);
        }
        let claims = match jsonwebtoken::decode::<Claims>(token, &self.key.public, &self.validation)
        {
            Ok(data) => data.claims,
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => {
                return Err(AuthError::Expired);
            }
            Err(_) => return Err(INVALID),
        };
        let latest = unix_now() + LEEWAY.as_secs();
        let too_long = claims.exp > latest + self.lifetime.as_secs();
        if claims.iat > latest || claims.exp < claims.iat || too_long {
            return Err(INVALID);
        }
        let expires_at = i64::try_from(claims.exp.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Ok(Holder {
            user_id: claims.sub,
            sign_in: claims.sid,
            expires_at: Timestamp::from_millis(expires_at),
        })
    }

    /// A header as we write it: whatever could point to another key, or asks to be understood, is refused unread.
    fn made_by_us(&self, header: &Header) -> bool {
        header.alg == Algorithm::EdDSA
            && header.typ.as_deref() == Some(TYPE)
            && header.kid.as_deref() == Some(&self.key.id)
            && header.jku.is_none()
            && header.jwk.is_none()
            && header.x5u.is_none()
            && header.x5c.is_none()
            && header.x5t.is_none()
            && header.x5t_s256.is_none()
            && header.crit.is_none()
            && header.cty.is_none()
            && header.enc.is_none()
            && header.zip.is_none()
            && header.extras.inner().is_empty()
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
