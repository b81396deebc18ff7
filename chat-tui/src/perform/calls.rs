//! Calls to the server that take several requests, or several kinds of them.

use chat_core::{
    Query,
    client::{Client, ClientError},
    model::{ConversationId, Member, Message, Profile, Seq},
    protocol::rest::{Page, PatchConversation},
};

use crate::deed::Deed;

/// What is beyond so many pages of a list is not asked for.
const MOST_PAGES: usize = 5;

/// Does at the server what the user asked for.
pub(super) async fn carry_out(client: &Client, deed: &Deed) -> Result<(), ClientError> {
    match deed {
        Deed::Edit {
            conversation,
            message,
            body,
        } => client
            .edit_message(*conversation, *message, body)
            .await
            .map(drop),
        Deed::Delete(id, message) => client.delete_message(*id, *message).await,
        Deed::React {
            conversation,
            message,
            emoji,
            on: true,
        } => client.react(*conversation, *message, emoji).await,
        Deed::React {
            conversation,
            message,
            emoji,
            on: false,
        } => client.unreact(*conversation, *message, emoji).await,
        Deed::Pin(id, message, true) => client.pin(*id, *message).await,
        Deed::Pin(id, message, false) => client.unpin(*id, *message).await,
        Deed::Mine(id, changes) => client.update_mine(*id, *changes).await.map(drop),
        Deed::Rename(id, title) => {
            let changes = PatchConversation {
                title: Some(title.as_str().to_owned()),
                ..PatchConversation::default()
            };
            client.update(*id, changes).await.map(drop)
        }
        Deed::Topic(id, topic) => {
            let changes = PatchConversation {
                topic: Some(topic.clone().map(String::from)),
                ..PatchConversation::default()
            };
            client.update(*id, changes).await.map(drop)
        }
        Deed::History(id, history) => {
            let changes = PatchConversation {
                history: Some(*history),
                ..PatchConversation::default()
            };
            client.update(*id, changes).await.map(drop)
        }
        Deed::Add(id, people) => {
            for person in people {
                client.put_member(*id, *person, None).await?;
            }
            Ok(())
        }
        Deed::Role(id, user, role) => client.put_member(*id, *user, Some(*role)).await.map(drop),
        Deed::Remove(id, user) => client.remove_member(*id, *user).await,
        Deed::Ban(id, user) => client.ban(*id, *user).await,
        Deed::LiftBan(id, user) => client.lift_ban(*id, *user).await,
        Deed::DeleteGroup(id) => client.delete_conversation(*id).await,
        Deed::Block(user, true) => client.block(*user).await,
        Deed::Block(user, false) => client.unblock(*user).await,
        Deed::Settings(changes) => client.update_settings(*changes).await.map(drop),
        Deed::RenameMe(name) => client.rename_me(name).await.map(drop),
        Deed::EndSignIn(id) => client.sign_out_session(*id).await,
    }
}

pub(super) async fn search(
    client: &Client,
    text: String,
    conversation: Option<ConversationId>,
    cursor: Option<String>,
) -> Result<Page<Message>, ClientError> {
    let query = Query {
        text,
        conversation,
        ..Query::default()
    };
    client.search(&query, cursor.as_deref()).await
}

/// Who has exactly this user name: it is the first that begins with it.
pub(super) async fn whois(client: &Client, username: &str) -> Result<Option<Profile>, ClientError> {
    let wanted = username.to_lowercase();
    let found = client.find_users(username, None).await?.items;
    let mut found = found.into_iter();
    Ok(found.find(|profile| profile.username.to_lowercase() == wanted))
}

pub(super) async fn members(
    client: &Client,
    id: ConversationId,
) -> Result<Vec<Member>, ClientError> {
    all(|cursor| async move { client.members(id, cursor.as_deref()).await }).await
}

pub(super) async fn readers(
    client: &Client,
    id: ConversationId,
    seq: Seq,
) -> Result<Vec<Member>, ClientError> {
    all(|cursor| async move { client.readers(id, seq, cursor.as_deref()).await }).await
}

pub(super) async fn pins(client: &Client, id: ConversationId) -> Result<Vec<Message>, ClientError> {
    all(|cursor| async move { client.pins(id, cursor.as_deref()).await }).await
}

pub(super) async fn bans(client: &Client, id: ConversationId) -> Result<Vec<Profile>, ClientError> {
    all(|cursor| async move { client.bans(id, cursor.as_deref()).await }).await
}

pub(super) async fn blocks(client: &Client) -> Result<Vec<Profile>, ClientError> {
    all(|cursor| async move { client.blocks(cursor.as_deref()).await }).await
}

/// All that is on the pages of a list, as far as there are not too many.
async fn all<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, ClientError>
where
    F: Future<Output = Result<Page<T>, ClientError>>,
{
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let next = page(cursor).await?;
        all.extend(next.items);
        cursor = next.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(all)
}
