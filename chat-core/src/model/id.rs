//! Identifiers: one type for each thing that can be named, so that none is passed for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Uuid, examples("019aa5e8-0000-7000-8000-000000000001")))]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier; later ones sort after earlier ones (UUID version 7).
            #[must_use]
            #[expect(clippy::new_without_default, reason = "two new ids are never equal, which Default would suggest")]
            pub fn new() -> Self {
                Self(crate::source::uuid())
            }

            /// Takes an identifier that was made elsewhere.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The identifier as a UUID, for storage.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A person or bot, as the embedder's [`Directory`](crate::Directory) knows them.
    UserId
);
id!(
    /// A direct conversation or a group.
    ConversationId
);
id!(
    /// A message, for as long as it exists.
    MessageId
);
id!(
    /// The sender's own name for a send, chosen before it is accepted: a retry with the same one has one effect.
    ClientId
);
id!(
    /// One live connection of a user to this node.
    SessionId
);
id!(
    /// One sign-in of a user, on one device, from its first token to its last.
    SignInId
);
id!(
    /// One running process.
    NodeId
);
id!(
    /// One life of a store: restored from an older backup, it is another one, and cursors of the old are void.
    StoreEpoch
);
