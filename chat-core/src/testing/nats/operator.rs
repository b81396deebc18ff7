//! Who may come in to a NATS server, said by signatures: an operator vouches for accounts, and an account for its users.

use nkeys::KeyPair;
use serde_json::{Value, json};

/// An operator with one account, which has any number of users. Its keys are new each time.
#[derive(Debug)]
pub struct NatsOperator {
    operator: Key,
    account: Key,
}

struct Key(KeyPair);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.public_key())
    }
}

impl Default for NatsOperator {
    fn default() -> Self {
        Self::new()
    }
}

impl NatsOperator {
    /// An operator of whom nobody has heard yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            operator: Key(KeyPair::new_operator()),
            account: Key(KeyPair::new_account()),
        }
    }

    /// What a `.creds` file of a new user has in it, who may do everything. `None` if the keys cannot be used, which does not
    /// happen.
    #[must_use]
    pub fn credentials(&self) -> Option<String> {
        let user = KeyPair::new_user();
        let may = json!({
            "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1,
        });
        let jwt = signed(&self.account.0, &user.public_key(), &may)?;
        let seed = user.seed().ok()?;
        Some(format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
            -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        ))
    }

    /// What a server has to know.
    pub(super) fn settings(&self) -> String {
        let account = self.account.0.public_key();
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        });
        let of_operator = json!({ "type": "operator", "version": 2 });
        let of_account = json!({ "type": "account", "version": 2, "limits": limits });
        let operator = signed(
            &self.operator.0,
            &self.operator.0.public_key(),
            &of_operator,
        );
        let vouched_for = signed(&self.operator.0, &account, &of_account);
        format!(
            "operator: {}\nresolver: MEMORY\nresolver_preload: {{ {account}: {} }}\n",
            operator.unwrap_or_default(),
            vouched_for.unwrap_or_default()
        )
    }
}

/// What `issuer` says of `subject`, as a JSON web token in the dialect of NATS.
fn signed(issuer: &KeyPair, subject: &str, nats: &Value) -> Option<String> {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = json!({
        "jti": uuid::Uuid::new_v4().simple().to_string(),
        "iat": jiff::Timestamp::now().as_second(),
        "iss": issuer.public_key(),
        "name": "chat",
        "sub": subject,
        "nats": nats,
    });
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let said = format!("{}.{}", part(&header), part(&claims));
    let signature = issuer.sign(said.as_bytes()).ok()?;
    Some(format!("{said}.{}", base64url(&signature)))
}

/// Without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        for digit in 0..=three.len() {
            let index = (bits >> (18 - 6 * digit)) as usize % 64;
            text.push(char::from(DIGITS[index]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64url;

    #[test]
    fn bytes_are_written_as_everybody_writes_them() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (&[0xfb, 0xff, 0xbf], "-_-_"),
        ] {
            assert_eq!(base64url(bytes), text);
        }
    }
}
