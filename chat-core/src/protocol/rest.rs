//! The bodies of REST requests and answers.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::{
    Availability, ConversationId, Entry, History, Profile, Role, Row, Seq, SignInId, Timestamp,
    UserId,
};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one starts; absent on the last.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// `POST /auth/register`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// 2 to 32 letters, digits, `_`, `-` or `.`; unique without regard to case.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 2,
            max_length = 32,
            pattern = "^[A-Za-z0-9._-]{2,32}$",
            examples("ana")
        )
    )]
    pub username: String,
    /// 12 to 256 bytes.
    #[cfg_attr(feature = "openapi", schema(min_length = 12, max_length = 256, format = Password, examples("correct horse battery")))]
    pub password: String,
    /// How others see me; the user name if absent.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 64,
            pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$",
            examples("Ana")
        )
    )]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// `POST /auth/login`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The user name.
    #[cfg_attr(feature = "openapi", schema(examples("ana")))]
    pub username: String,
    /// The password.
    #[cfg_attr(feature = "openapi", schema(format = Password, examples("correct horse battery")))]
    pub password: String,
}

/// `POST /auth/refresh` and `POST /auth/logout`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The newest refresh token of this sign-in.
    pub refresh_token: String,
}

/// The answer to register, login and refresh.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// Who.
    pub user: Profile,
    /// For `Authorization: Bearer`.
    pub access_token: String,
    /// For `/auth/refresh`, once.
    pub refresh_token: String,
    /// Seconds until the access token runs out.
    pub expires_in: u64,
}

/// `PATCH /users/me`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchMe {
    /// How others see me.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 64,
            pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$",
            examples("Ana")
        )
    )]
    pub display_name: String,
}

/// `POST /conversations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateGroup {
    /// The title, which becomes a [`Title`](crate::model::Title) if it can.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 100,
            pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
            examples("Lunch")
        )
    )]
    pub title: String,
    /// What it is about, which becomes a [`Topic`](crate::model::Topic) if it can.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 500,
            pattern = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x09\x0b-\x1f\x7f-\x9f]*$",
            examples("Where to, and when")
        )
    )]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What those see who join later.
    #[serde(default)]
    pub history: History,
    /// Who belongs to it besides me.
    pub member_ids: Vec<UserId>,
}

/// `PATCH /conversations/{id}`; what is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchConversation {
    /// The new title, which becomes a [`Title`](crate::model::Title) if it can.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 100,
            pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
            examples("Lunch")
        )
    )]
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub title: Option<String>,
    /// The new topic, which becomes a [`Topic`](crate::model::Topic) if it can; null takes it away.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 500,
            pattern = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x09\x0b-\x1f\x7f-\x9f]*$",
            examples("Where to, and when")
        )
    )]
    pub topic: Option<Option<String>>,
    /// What those see who join from here on.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub history: Option<History>,
}

/// For `deserialize_with`: a field that is there, of which null is a value like another, for those types that have it, and not the same as absent.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// `PATCH /conversations/{id}/messages/{message_id}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EditMessage {
    /// The new text.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 8000,
            pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
            examples("Soup!")
        )
    )]
    pub body: String,
}

/// `PUT /conversations/{id}/members/{user_id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PutMember {
    /// The role; a plain member if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// `PUT /conversations/{id}/read`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// Up to where.
    pub seq: Seq,
    /// Sets the cursor back to there instead, on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

/// `PUT /conversations/{id}/delivered`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MarkDelivered {
    /// Up to where.
    pub seq: Seq,
}

/// The answer to both: where my cursor is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cursor {
    /// Up to where.
    pub seq: Seq,
}

/// `PATCH /users/me/settings`; what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchSettings {
    /// Tell others up to where I have read.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub read_receipts: Option<bool>,
    /// Tell others when I type.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub typing: Option<bool>,
    /// How I am seen while I am connected; `idle` is for a device to say, over its socket.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false, schema_with = crate::model::lasting_availability))]
    pub availability: Option<Availability>,
}

/// One sign-in of mine, as `GET /auth/sessions` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// Its name, for signing out there.
    pub id: SignInId,
    /// It is the one that asks.
    pub current: bool,
    /// When I signed in.
    pub created_at: Timestamp,
    /// When it last showed a token that was still good, to within minutes.
    pub last_used_at: Timestamp,
    /// The address that I signed in from.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub address: Option<String>,
    /// The program that signed in, by its own account.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub user_agent: Option<String>,
}

/// `POST /conversations/changes`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KnownRows {
    /// What I have: `[id, head_seq, rev]` for each row.
    #[cfg_attr(feature = "openapi", schema(schema_with = known_rows))]
    pub known: Vec<(ConversationId, Seq, u64)>,
}

/// Triples, of which a plain schema of a tuple would let the end be missing.
#[cfg(feature = "openapi")]
fn known_rows() -> utoipa::openapi::schema::Array {
    use utoipa::{
        PartialSchema,
        openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type},
    };
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .maximum(Some(i64::MAX))
        .build();
    let row = ArrayBuilder::new()
        .items(utoipa::openapi::schema::ArrayItems::False)
        .prefix_items([
            ConversationId::schema(),
            number.clone().into(),
            number.into(),
        ])
        .min_items(Some(3))
        .max_items(Some(3));
    ArrayBuilder::new().items(row).build()
}

/// The answer to `POST /conversations/changes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RowChanges {
    /// Rows that are new to me or differ from what I know.
    pub rows: Vec<Row>,
    /// Conversations that are no longer in my list.
    pub gone: Vec<ConversationId>,
}

/// The answer to `GET /conversations/{id}/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Events {
    /// Entries after the cursor, ascending without a hole.
    pub items: Vec<Entry>,
    /// The newest `seq` of the log when this was read.
    pub head_seq: Seq,
}
