//! The SQL of accounts and of finding people, for both databases.

use chat_core::{
    model::{Profile, Timestamp, UserId},
    store::words,
};
use sqlx::{PgConnection, Postgres, QueryBuilder, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::{Begun, Device, DisplayName, Tables, Username};

/// A display name is found by the beginnings of so many of its words.
const MOST_WORDS: usize = 16;
/// And by so much of what follows; indexes hold no texts of any length.
const MOST_WORD_BYTES: usize = 256;
/// Whoever looks for fewer letters would find too many.
const FEWEST_LETTERS: usize = 2;
/// Accounts whose words are written at a time.
const BATCH: i64 = 500;

/// The last of all code points: whatever begins with a text sorts before the text with this one behind it.
const LAST: char = char::MAX;

/// Those whose user name lies between two texts, in order.
pub(super) const BY_USERNAME: &str = "SELECT id, username, display_name FROM accounts \
    WHERE username >= $1 AND username < $2 ORDER BY username LIMIT $3";

/// Those of whose words some lie between two texts, in order and perhaps more than once.
pub(super) const BY_WORDS: &str = "SELECT a.id, a.username, a.display_name \
    FROM (SELECT words, account_id FROM account_words WHERE words >= $1 AND words < $2 \
          ORDER BY words, account_id LIMIT $3) w \
    JOIN accounts a ON a.id = w.account_id ORDER BY w.words, a.username";

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

/// By what a display name is found: itself from each of its words on.
fn searchable(display_name: &str) -> Vec<String> {
    let words = words(display_name);
    let starts = 0..words.len().min(MOST_WORDS);
    let mut searchable: Vec<String> = starts
        .map(|start| {
            let mut from_here = words[start..].join(" ");
            from_here.truncate(from_here.floor_char_boundary(MOST_WORD_BYTES));
            from_here
        })
        .collect();
    searchable.sort_unstable();
    searchable.dedup();
    searchable
}

/// Where the texts end that begin with `text`.
fn after_all_with(text: &str) -> String {
    format!("{text}{LAST}")
}

/// The statements are the same in both, and their types are not: sqlx has none that covers two databases without losing
/// ids and bytes on the way. Written once, this is compiled for each.
macro_rules! statements {
    ($database:ident, $connection:ident, begin: $begin:literal) => {
        impl Tables<$database> {
            /// Makes accounts findable that were made before there were words.
            pub(super) async fn write_missing_words(&self) -> Result<(), sqlx::Error> {
                let mut tx = self.writer.begin_with($begin).await?;
                let written: bool =
                    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM account_words)")
                        .fetch_one(&mut *tx)
                        .await?;
                let mut after = Uuid::nil();
                while !written {
                    let accounts: Vec<(Uuid, String)> = sqlx::query_as(
                        "SELECT id, display_name FROM accounts WHERE id > $1 ORDER BY id LIMIT $2",
                    )
                    .bind(after)
                    .bind(BATCH)
                    .fetch_all(&mut *tx)
                    .await?;
                    let Some((last, _)) = accounts.last() else {
                        break;
                    };
                    after = *last;
                    for (id, display_name) in &accounts {
                        Self::insert_words(&mut tx, UserId::from_uuid(*id), display_name).await?;
                    }
                }
                tx.commit().await
            }

            pub(super) async fn create(
                &self,
                username: &Username,
                display_name: &DisplayName,
                password_hash: &str,
                device: &Device,
            ) -> Result<Option<(UserId, Begun)>, sqlx::Error> {
                let id = UserId::new();
                let mut tx = self.writer.begin_with($begin).await?;
                let inserted = sqlx::query(
                    "INSERT INTO accounts (id, username, display_name, password_hash, created_at)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (username) DO NOTHING",
                )
                .bind(id.as_uuid())
                .bind(username.as_str())
                .bind(display_name.as_str())
                .bind(password_hash)
                .bind(Timestamp::now().as_millis())
                .execute(&mut *tx)
                .await?;
                if inserted.rows_affected() == 0 {
                    return Ok(None);
                }
                Self::insert_words(&mut tx, id, display_name.as_str()).await?;
                let begun = Self::begin(&mut tx, id, device).await?;
                tx.commit().await?;
                Ok(Some((id, begun)))
            }

            pub(super) async fn credentials(
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

            pub(super) async fn profiles(
                &self,
                users: &[UserId],
            ) -> Result<Vec<Profile>, sqlx::Error> {
                self.profiles_where("id", users.iter().map(|user| user.as_uuid()))
                    .await
            }

            pub(super) async fn by_username(
                &self,
                names: &[String],
            ) -> Result<Vec<Profile>, sqlx::Error> {
                self.profiles_where("username", names.iter().map(String::as_str))
                    .await
            }

            /// The profiles of those in whose `column` is one of `values`.
            async fn profiles_where<'q, T>(
                &self,
                column: &'static str,
                values: impl Iterator<Item = T>,
            ) -> Result<Vec<Profile>, sqlx::Error>
            where
                T: sqlx::Encode<'q, $database> + sqlx::Type<$database> + 'q,
            {
                let mut query = QueryBuilder::<$database>::new(
                    "SELECT id, username, display_name FROM accounts WHERE ",
                );
                query.push(column).push(" IN (");
                let mut list = query.separated(", ");
                for value in values {
                    list.push_bind(value);
                }
                query.push(")");
                let rows: Vec<ProfileRow> = query.build_query_as().fetch_all(&self.reader).await?;
                Ok(rows.into_iter().map(profile).collect())
            }

            pub(super) async fn rename(
                &self,
                user: UserId,
                name: &DisplayName,
            ) -> Result<(), sqlx::Error> {
                let mut tx = self.writer.begin_with($begin).await?;
                let renamed = sqlx::query("UPDATE accounts SET display_name = $2 WHERE id = $1")
                    .bind(user.as_uuid())
                    .bind(name.as_str())
                    .execute(&mut *tx)
                    .await?;
                if renamed.rows_affected() == 0 {
                    return Ok(());
                }
                sqlx::query("DELETE FROM account_words WHERE account_id = $1")
                    .bind(user.as_uuid())
                    .execute(&mut *tx)
                    .await?;
                Self::insert_words(&mut tx, user, name.as_str()).await?;
                tx.commit().await
            }

            async fn insert_words(
                connection: &mut $connection,
                user: UserId,
                display_name: &str,
            ) -> Result<(), sqlx::Error> {
                let searchable = searchable(display_name);
                if searchable.is_empty() {
                    return Ok(());
                }
                let mut query = QueryBuilder::<$database>::new(
                    "INSERT INTO account_words (words, account_id) ",
                );
                query.push_values(searchable, |mut row, words| {
                    row.push_bind(words).push_bind(user.as_uuid());
                });
                query.push(" ON CONFLICT DO NOTHING");
                query.build().execute(connection).await?;
                Ok(())
            }

            pub(super) async fn search(
                &self,
                text: &str,
                limit: usize,
            ) -> Result<Vec<Profile>, sqlx::Error> {
                let mut found = self
                    .between(BY_USERNAME, &text.to_lowercase(), limit)
                    .await?;
                let searched = words(text).join(" ");
                if found.len() < limit && searched.chars().count() >= FEWEST_LETTERS {
                    // Each account may be there once for each of its words.
                    let rows = limit * MOST_WORDS;
                    for profile in self.between(BY_WORDS, &searched, rows).await? {
                        if !found.iter().any(|known| known.id == profile.id) {
                            found.push(profile);
                        }
                    }
                    found.truncate(limit);
                }
                Ok(found)
            }

            async fn between(
                &self,
                statement: &'static str,
                prefix: &str,
                limit: usize,
            ) -> Result<Vec<Profile>, sqlx::Error> {
                let rows: Vec<ProfileRow> = sqlx::query_as(statement)
                    .bind(prefix)
                    .bind(after_all_with(prefix))
                    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                    .fetch_all(&self.reader)
                    .await?;
                Ok(rows.into_iter().map(profile).collect())
            }
        }
    };
}

statements!(Sqlite, SqliteConnection, begin: "BEGIN IMMEDIATE");
statements!(Postgres, PgConnection, begin: "BEGIN");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_is_found_from_each_of_its_words_on() {
        assert_eq!(
            searchable("Ana-María  López"),
            ["ana maria lopez", "lopez", "maria lopez"]
        );
        assert_eq!(searchable("na na"), ["na", "na na"]);
        assert_eq!(searchable("\u{1f980}"), [""; 0]);
        let many = "a b c d e f g h i j k l m n o p q r s t";
        assert_eq!(searchable(many).len(), MOST_WORDS);
        // One sign that stands for a sentence: no index takes a text of any length.
        let long = searchable(&"\u{fdfa} ".repeat(32));
        assert!(!long.is_empty() && long.iter().all(|words| words.len() <= MOST_WORD_BYTES));
    }
}
