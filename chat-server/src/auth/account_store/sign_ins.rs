//! The SQL of sign-ins and refresh tokens, for both databases.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chat_core::{
    model::{SignInId, Timestamp, UserId},
    protocol::rest::SignIn,
};
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::{Begun, Device, RefreshToken, Rotation, Tables};

const SECOND: i64 = 1_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

/// A sign-in that is not refreshed for this long is over.
const IDLE: i64 = 14 * DAY;
/// A sign-in is over after this long in any case.
const LONGEST: i64 = 90 * DAY;
/// Within this time a used refresh token may come again: its answer was lost on the way.
const REPLAY: i64 = 10 * SECOND;
/// A user has at most so many sign-ins that are not over.
const MOST_SIGN_INS: i64 = 50;

/// `sign_in_id, account_id, created_at, refreshed_at, revoked_at, used_at`.
type TokenRow = (Uuid, Uuid, i64, i64, Option<i64>, Option<i64>);

/// `id, created_at, refreshed_at, address, user_agent`.
type SignInRow = (Uuid, i64, i64, Option<String>, Option<String>);

/// A refresh token and the sign-in it belongs to, as they are stored.
struct FoundToken {
    sign_in_id: Uuid,
    account_id: Uuid,
    created_at: i64,
    refreshed_at: i64,
    revoked_at: Option<i64>,
    used_at: Option<i64>,
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// The sign-ins of `$1` that are not over, where `$2` is when the oldest was refreshed and `$3` when it was begun.
macro_rules! live {
    () => {
        "account_id = $1 AND revoked_at IS NULL AND refreshed_at >= $2 AND created_at >= $3"
    };
}

/// The live ones, the last used first. A client that uses a sign-in refreshes it every few minutes, so that no request
/// need be written down.
pub(super) const SIGN_INS: &str = concat!(
    "SELECT id, created_at, refreshed_at, address, user_agent FROM sign_ins WHERE ",
    live!(),
    " ORDER BY refreshed_at DESC, id DESC"
);

/// Ends those beyond `$4`.
pub(super) const END_OLDEST: &str = concat!(
    "UPDATE sign_ins SET revoked_at = $5 WHERE id IN (SELECT id FROM sign_ins WHERE ",
    live!(),
    " ORDER BY refreshed_at DESC, id DESC LIMIT 1000 OFFSET $4) RETURNING id"
);

/// Ends `$4`.
pub(super) const END: &str = concat!(
    "UPDATE sign_ins SET revoked_at = $5 WHERE ",
    live!(),
    " AND id = $4"
);

/// The statements are the same in both, and their types are not: sqlx has none that covers two databases without losing
/// ids and bytes on the way. Written once, this is compiled for each.
macro_rules! statements {
    ($database:ident, $connection:ident, begin: $begin:literal, lock: $lock:literal) => {
        impl Tables<$database> {
            pub(super) async fn sign_in(
                &self,
                user: UserId,
                device: &Device,
            ) -> Result<Begun, sqlx::Error> {
                let mut tx = self.writer.begin_with($begin).await?;
                let begun = Self::begin(&mut tx, user, device).await?;
                tx.commit().await?;
                Ok(begun)
            }

            pub(super) async fn sign_ins(
                &self,
                user: UserId,
                current: SignInId,
            ) -> Result<Vec<SignIn>, sqlx::Error> {
                let now = Timestamp::now().as_millis();
                let rows: Vec<SignInRow> = sqlx::query_as(SIGN_INS)
                    .bind(user.as_uuid())
                    .bind(now - IDLE)
                    .bind(now - LONGEST)
                    .fetch_all(&self.reader)
                    .await?;
                let sign_in = |(id, created_at, refreshed_at, address, user_agent)| SignIn {
                    id: SignInId::from_uuid(id),
                    current: id == current.as_uuid(),
                    created_at: Timestamp::from_millis(created_at),
                    last_used_at: Timestamp::from_millis(refreshed_at),
                    address,
                    user_agent,
                };
                Ok(rows.into_iter().map(sign_in).collect())
            }

            pub(super) async fn end(&self, user: UserId, sign_in: SignInId) -> Result<bool, sqlx::Error> {
                let now = Timestamp::now().as_millis();
                let ended = sqlx::query(END)
                    .bind(user.as_uuid())
                    .bind(now - IDLE)
                    .bind(now - LONGEST)
                    .bind(sign_in.as_uuid())
                    .bind(now)
                    .execute(&self.writer)
                    .await?;
                Ok(ended.rows_affected() > 0)
            }

            pub(super) async fn rotate(&self, token: &str) -> Result<Rotation, sqlx::Error> {
                let now = Timestamp::now().as_millis();
                let hash = hash(token);
                let mut tx = self.writer.begin_with($begin).await?;
                let Some(found) = Self::find(&mut tx, &hash).await? else {
                    return Ok(Rotation::Void);
                };
                let over = now - found.refreshed_at > IDLE || now - found.created_at > LONGEST;
                if found.revoked_at.is_some() || over {
                    return Ok(Rotation::Void);
                }
                if found.used_at.is_some_and(|used| now - used > REPLAY) {
                    Self::revoke(&mut tx, found.sign_in_id).await?;
                    tx.commit().await?;
                    return Ok(Rotation::Reused {
                        sign_in: SignInId::from_uuid(found.sign_in_id),
                    });
                }
                sqlx::query("UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1 AND used_at IS NULL")
                    .bind(&hash)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("UPDATE sign_ins SET refreshed_at = $2 WHERE id = $1")
                    .bind(found.sign_in_id)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("DELETE FROM refresh_tokens WHERE sign_in_id = $1 AND created_at < $2")
                    .bind(found.sign_in_id)
                    .bind(now - IDLE)
                    .execute(&mut *tx)
                    .await?;
                let token = Self::insert_token(&mut tx, found.sign_in_id, now).await?;
                tx.commit().await?;
                Ok(Rotation::Rotated {
                    user_id: UserId::from_uuid(found.account_id),
                    sign_in: SignInId::from_uuid(found.sign_in_id),
                    token,
                })
            }

            pub(super) async fn sign_out(&self, token: &str) -> Result<Option<SignInId>, sqlx::Error> {
                let mut tx = self.writer.begin_with($begin).await?;
                let Some(found) = Self::find(&mut tx, &hash(token)).await? else {
                    return Ok(None);
                };
                Self::revoke(&mut tx, found.sign_in_id).await?;
                tx.commit().await?;
                Ok(Some(SignInId::from_uuid(found.sign_in_id)))
            }

            pub(super) async fn revoked_since(
                &self,
                since: Timestamp,
            ) -> Result<Vec<SignInId>, sqlx::Error> {
                let ids: Vec<Uuid> =
                    sqlx::query_scalar("SELECT id FROM sign_ins WHERE revoked_at > $1")
                        .bind(since.as_millis())
                        .fetch_all(&self.reader)
                        .await?;
                Ok(ids.into_iter().map(SignInId::from_uuid).collect())
            }

            async fn find(
                connection: &mut $connection,
                hash: &[u8],
            ) -> Result<Option<FoundToken>, sqlx::Error> {
                let row: Option<TokenRow> = sqlx::query_as(
                    concat!(
                        "SELECT t.sign_in_id, s.account_id, s.created_at, s.refreshed_at, s.revoked_at, t.used_at
                         FROM refresh_tokens t JOIN sign_ins s ON s.id = t.sign_in_id WHERE t.hash = $1",
                        $lock
                    ),
                )
                .bind(hash)
                .fetch_optional(connection)
                .await?;
                Ok(row.map(
                    |(sign_in_id, account_id, created_at, refreshed_at, revoked_at, used_at)| FoundToken {
                        sign_in_id,
                        account_id,
                        created_at,
                        refreshed_at,
                        revoked_at,
                        used_at,
                    },
                ))
            }

            /// Begins a sign-in, and ends what is too much or over.
            pub(super) async fn begin(
                connection: &mut $connection,
                user: UserId,
                device: &Device,
            ) -> Result<Begun, sqlx::Error> {
                Self::forget_what_is_over(connection).await?;
                let id = SignInId::new();
                let now = Timestamp::now().as_millis();
                sqlx::query(
                    "INSERT INTO sign_ins (id, account_id, created_at, refreshed_at, address, user_agent)
                     VALUES ($1, $2, $3, $3, $4, $5)",
                )
                .bind(id.as_uuid())
                .bind(user.as_uuid())
                .bind(now)
                .bind(device.address.map(|address| address.to_string()))
                .bind(device.user_agent.as_deref())
                .execute(&mut *connection)
                .await?;
                let ended: Vec<Uuid> = sqlx::query_scalar(END_OLDEST)
                    .bind(user.as_uuid())
                    .bind(now - IDLE)
                    .bind(now - LONGEST)
                    .bind(MOST_SIGN_INS)
                    .bind(now)
                    .fetch_all(&mut *connection)
                    .await?;
                Ok(Begun {
                    sign_in: id,
                    token: Self::insert_token(connection, id.as_uuid(), now).await?,
                    ended: ended.into_iter().map(SignInId::from_uuid).collect(),
                })
            }

            async fn insert_token(
                connection: &mut $connection,
                sign_in: Uuid,
                now: i64,
            ) -> Result<RefreshToken, sqlx::Error> {
                let mut bytes = [0_u8; 32];
                rand::fill(&mut bytes)
                    .map_err(|_unspecified| std::io::Error::other("no randomness to be had for a token"))?;
                let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
                sqlx::query("INSERT INTO refresh_tokens (hash, sign_in_id, created_at) VALUES ($1, $2, $3)")
                    .bind(hash(&token))
                    .bind(sign_in)
                    .bind(now)
                    .execute(connection)
                    .await?;
                Ok(RefreshToken(token))
            }

            async fn revoke(connection: &mut $connection, sign_in: Uuid) -> Result<(), sqlx::Error> {
                sqlx::query("UPDATE sign_ins SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
                    .bind(sign_in)
                    .bind(Timestamp::now().as_millis())
                    .execute(connection)
                    .await?;
                Ok(())
            }

            /// Drops a few sign-ins that nobody can refresh any more, a day after they ended.
            async fn forget_what_is_over(connection: &mut $connection) -> Result<(), sqlx::Error> {
                let now = Timestamp::now().as_millis();
                sqlx::query(
                    "DELETE FROM sign_ins WHERE id IN (
                         SELECT id FROM sign_ins WHERE refreshed_at < $1 OR revoked_at < $2 LIMIT 16)",
                )
                .bind(now - IDLE - DAY)
                .bind(now - DAY)
                .execute(connection)
                .await?;
                Ok(())
            }
        }
    };
}

statements!(Sqlite, SqliteConnection, begin: "BEGIN IMMEDIATE", lock: "");
statements!(Postgres, PgConnection, begin: "BEGIN", lock: " FOR UPDATE");
