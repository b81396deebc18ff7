//! The SQL of accounts, sign-ins and refresh tokens, for both databases.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chat_core::model::{Profile, Timestamp, UserId};
use sqlx::{Database, PgConnection, Pool, Postgres, QueryBuilder, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::{DisplayName, RefreshToken, Rotation, Username};

const SECOND: i64 = 1_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

/// A sign-in that is not refreshed for this long is over.
const IDLE: i64 = 14 * DAY;
/// A sign-in is over after this long in any case.
const LONGEST: i64 = 90 * DAY;
/// Within this time a used refresh token may come again: its answer was lost on the way.
const REPLAY: i64 = 10 * SECOND;

/// `id, username, display_name`.
type ProfileRow = (Uuid, String, String);

fn profile((id, username, display_name): ProfileRow) -> Profile {
    Profile {
        id: UserId::from_uuid(id),
        username,
        display_name,
        presence: None,
    }
}

/// `sign_in_id, account_id, created_at, refreshed_at, revoked_at, used_at`.
type TokenRow = (Uuid, Uuid, i64, i64, Option<i64>, Option<i64>);

/// A refresh token and the sign-in it belongs to, as they are stored.
struct FoundToken {
    sign_in_id: Uuid,
    account_id: Uuid,
    created_at: i64,
    refreshed_at: i64,
    revoked_at: Option<i64>,
    used_at: Option<i64>,
}

/// The tables of the accounts in one kind of database.
#[derive(Debug)]
pub(in crate::auth) struct Tables<DB: Database> {
    pub(super) reader: Pool<DB>,
    pub(super) writer: Pool<DB>,
}

fn searchable(username: &str, display_name: &DisplayName) -> String {
    format!("{username}\n{}", display_name.as_str().to_lowercase())
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// The statements are the same in both, and their types are not: sqlx has none that covers two databases without losing
/// ids and bytes on the way. Written once, this is compiled for each.
macro_rules! statements {
    (
        $database:ident, $connection:ident,
        begin: $begin:literal, contains: $contains:literal, lock: $lock:literal
    ) => {
        impl Tables<$database> {
            pub(super) async fn create(
                &self,
                username: &Username,
                display_name: &DisplayName,
                password_hash: &str,
            ) -> Result<Option<(UserId, Uuid, RefreshToken)>, sqlx::Error> {
                let id = UserId::new();
                let mut tx = self.writer.begin_with($begin).await?;
                let inserted = sqlx::query(
                    "INSERT INTO accounts (id, username, display_name, names, password_hash, created_at)
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (username) DO NOTHING",
                )
                .bind(id.as_uuid())
                .bind(username.as_str())
                .bind(display_name.as_str())
                .bind(searchable(username.as_str(), display_name))
                .bind(password_hash)
                .bind(Timestamp::now().as_millis())
                .execute(&mut *tx)
                .await?;
                if inserted.rows_affected() == 0 {
                    return Ok(None);
                }
                let (sign_in, token) = Self::insert_sign_in(&mut tx, id).await?;
                tx.commit().await?;
                Ok(Some((id, sign_in, token)))
            }

            pub(super) async fn by_username(
                &self,
                username: &Username,
            ) -> Result<Option<(UserId, String)>, sqlx::Error> {
                let row: Option<(Uuid, String)> =
                    sqlx::query_as("SELECT id, password_hash FROM accounts WHERE username = $1")
                        .bind(username.as_str())
                        .fetch_optional(&self.reader)
                        .await?;
                Ok(row.map(|(id, hash)| (UserId::from_uuid(id), hash)))
            }

            pub(super) async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, sqlx::Error> {
                let mut query = QueryBuilder::<$database>::new(
                    "SELECT id, username, display_name FROM accounts WHERE id IN (",
                );
                let mut ids = query.separated(", ");
                for user in users {
                    ids.push_bind(user.as_uuid());
                }
                query.push(")");
                let rows: Vec<ProfileRow> = query.build_query_as().fetch_all(&self.reader).await?;
                Ok(rows.into_iter().map(profile).collect())
            }

            pub(super) async fn rename(&self, user: UserId, name: &DisplayName) -> Result<(), sqlx::Error> {
                sqlx::query(
                    "UPDATE accounts SET display_name = $2, names = username || '\n' || $3 WHERE id = $1",
                )
                .bind(user.as_uuid())
                .bind(name.as_str())
                .bind(name.as_str().to_lowercase())
                .execute(&self.writer)
                .await?;
                Ok(())
            }

            pub(super) async fn search(
                &self,
                text: &str,
                after: &str,
                limit: usize,
            ) -> Result<Vec<Profile>, sqlx::Error> {
                let rows: Vec<ProfileRow> = sqlx::query_as(
                    concat!(
                        "SELECT id, username, display_name FROM accounts WHERE ",
                        $contains,
                        "(names, $1) > 0 AND username > $2 ORDER BY username LIMIT $3"
                    ),
                )
                .bind(text.to_lowercase())
                .bind(after)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.reader)
                .await?;
                Ok(rows.into_iter().map(profile).collect())
            }

            pub(super) async fn sign_in(&self, user: UserId) -> Result<(Uuid, RefreshToken), sqlx::Error> {
                let mut tx = self.writer.begin_with($begin).await?;
                Self::forget_what_is_over(&mut tx).await?;
                let begun = Self::insert_sign_in(&mut tx, user).await?;
                tx.commit().await?;
                Ok(begun)
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
                        sign_in: found.sign_in_id,
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
                    sign_in: found.sign_in_id,
                    token,
                })
            }

            pub(super) async fn sign_out(&self, token: &str) -> Result<Option<Uuid>, sqlx::Error> {
                let mut tx = self.writer.begin_with($begin).await?;
                let Some(found) = Self::find(&mut tx, &hash(token)).await? else {
                    return Ok(None);
                };
                Self::revoke(&mut tx, found.sign_in_id).await?;
                tx.commit().await?;
                Ok(Some(found.sign_in_id))
            }

            pub(super) async fn revoked_since(&self, since: Timestamp) -> Result<Vec<Uuid>, sqlx::Error> {
                sqlx::query_scalar("SELECT id FROM sign_ins WHERE revoked_at > $1")
                    .bind(since.as_millis())
                    .fetch_all(&self.reader)
                    .await
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

            async fn insert_sign_in(
                connection: &mut $connection,
                user: UserId,
            ) -> Result<(Uuid, RefreshToken), sqlx::Error> {
                let id = Uuid::now_v7();
                let now = Timestamp::now().as_millis();
                sqlx::query(
                    "INSERT INTO sign_ins (id, account_id, created_at, refreshed_at) VALUES ($1, $2, $3, $3)",
                )
                .bind(id)
                .bind(user.as_uuid())
                .bind(now)
                .execute(&mut *connection)
                .await?;
                let token = Self::insert_token(connection, id, now).await?;
                Ok((id, token))
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

statements!(
    Sqlite, SqliteConnection,
    begin: "BEGIN IMMEDIATE", contains: "instr", lock: ""
);
statements!(
    Postgres, PgConnection,
    begin: "BEGIN", contains: "strpos", lock: " FOR UPDATE"
);
