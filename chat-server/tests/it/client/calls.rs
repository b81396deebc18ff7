//! The calls over REST, each once through a real server.

use chat_core::{
    NewGroup, Query,
    client::{Client, ClientError},
    model::{
        Availability, Change, Draft, Emoji, Entry, History, MineChanges, Notify, Role, Timestamp,
        Topic,
    },
    protocol::{
        ErrorCode,
        rest::{PatchConversation, PatchSettings},
    },
    store::Around,
};

use super::stage::{Home, draft, group, id, title};
use crate::support::PASSWORD;

async fn home() -> (Home, Client, Client) {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    (home, ada, bob)
}

#[tokio::test]
async fn a_sign_in_lasts_until_it_is_ended() {
    let home = Home::start(&["--limits", "off"]).await;
    let ada = home.client();
    assert_eq!(ada.user_id(), None);
    assert_eq!(ada.me().await, Err(ClientError::SignedOut));
    let me = ada.register("ada", PASSWORD, Some("Ada")).await.unwrap();
    assert_eq!(me.display_name, "Ada");
    assert_eq!(ada.user_id(), Some(me.id));

    let later = home.client();
    let refresh_token = ada.tokens().unwrap().refresh_token;
    later.resume(&refresh_token).await.unwrap();
    assert_eq!(id(&later).await, me.id);
    later.logout().await.unwrap();
    assert_eq!(later.me().await, Err(ClientError::SignedOut));
    let wrong = later.login("ada", "not the password").await.unwrap_err();
    assert_eq!(wrong.code(), Some(ErrorCode::WrongCredentials));
    later.login("ada", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn one_device_signs_out_another() {
    let (home, ada, _) = home().await;
    let lost = home.client();
    lost.login("ada", PASSWORD).await.unwrap();
    let sessions = ada.sessions().await.unwrap();
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|session| !session.current).unwrap();
    ada.sign_out_session(other.id).await.unwrap();
    assert_eq!(lost.me().await, Err(ClientError::SignedOut));
    assert_eq!(ada.sessions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn people_find_block_and_set_what_others_see() {
    let (_home, ada, bob) = home().await;
    let bob_id = id(&bob).await;
    let renamed = ada.rename_me("Ada L.").await.unwrap();
    assert_eq!(renamed.display_name, "Ada L.");
    assert_eq!(ada.user(bob_id).await.unwrap().username, "bob");
    let found = ada.find_users("bo", None).await.unwrap();
    assert_eq!(found.items.len(), 1);

    ada.block(bob_id).await.unwrap();
    ada.block(bob_id).await.unwrap();
    assert_eq!(ada.blocks(None).await.unwrap().items[0].id, bob_id);
    let error = bob.direct(id(&ada).await).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NotFound));
    ada.unblock(bob_id).await.unwrap();
    assert!(ada.blocks(None).await.unwrap().items.is_empty());
    bob.direct(id(&ada).await).await.unwrap();

    let changes = PatchSettings {
        read_receipts: Some(false),
        availability: Some(Availability::Dnd),
        ..PatchSettings::default()
    };
    let settings = ada.update_settings(changes).await.unwrap();
    assert!(!settings.read_receipts && settings.typing);
    assert_eq!(settings.availability, Availability::Dnd);
    assert_eq!(ada.settings().await.unwrap(), settings);
}

#[tokio::test]
async fn conversations_are_made_changed_and_ended() {
    let (_home, ada, bob) = home().await;
    let bob_id = id(&bob).await;
    let direct = ada.direct(bob_id).await.unwrap();
    assert_eq!(ada.direct(bob_id).await.unwrap(), direct);

    let made = NewGroup {
        topic: Topic::try_from("Trees".to_owned()).ok(),
        history: History::FromJoin,
        ..NewGroup::new(title("Garden"), vec![bob_id])
    };
    let made = ada.create_group(made).await.unwrap();
    let garden = made.conversation.id;
    assert_eq!(made.conversation.topic.as_deref(), Some("Trees"));
    assert_eq!(made.conversation.history, History::FromJoin);
    let changes = PatchConversation {
        title: Some("Orchard".to_owned()),
        topic: Some(None),
        history: Some(History::Shared),
    };
    let orchard = ada.update(garden, changes).await.unwrap().conversation;
    assert_eq!(orchard.title.as_deref(), Some("Orchard"));
    assert_eq!((orchard.topic, orchard.history), (None, History::Shared));

    let mine = MineChanges {
        pinned: Some(true),
        muted: Some(true),
        archived: Some(true),
        notify: Some(Notify::Mentions),
    };
    let mine = bob.update_mine(garden, mine).await.unwrap().me;
    assert!(mine.pinned && mine.muted && mine.archived);
    assert_eq!(mine.notify, Notify::Mentions);
    assert_eq!(bob.conversation(garden).await.unwrap().me, mine);

    let changes = bob.changes(Vec::new()).await.unwrap();
    let rows = bob.conversations(None).await.unwrap();
    assert_eq!(changes.rows.len(), rows.items.len());
    let error = bob.delete_conversation(garden).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Forbidden));
    ada.delete_conversation(garden).await.unwrap();
    let error = bob.conversation(garden).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn members_come_rise_and_go() {
    let (home, ada, bob) = home().await;
    let (bob_id, cyd) = (id(&bob).await, home.person("cyd").await);
    let cyd_id = id(&cyd).await;
    let garden = group(&ada, &bob).await;
    let admin = ada.put_member(garden, bob_id, Some(Role::Admin)).await;
    assert_eq!(admin.unwrap().role, Role::Admin);
    bob.put_member(garden, cyd_id, None).await.unwrap();
    assert_eq!(ada.members(garden, None).await.unwrap().items.len(), 3);

    let said = ada.send(garden, &draft("apples")).await.unwrap();
    cyd.mark_read(garden, said.seq).await.unwrap();
    let readers = ada.readers(garden, said.seq, None).await.unwrap().items;
    let mut readers: Vec<_> = readers.into_iter().map(|member| member.user.id).collect();
    readers.sort_unstable();
    let mut expected = [id(&ada).await, cyd_id];
    expected.sort_unstable();
    assert_eq!(readers, expected);

    bob.remove_member(garden, cyd_id).await.unwrap();
    bob.put_member(garden, cyd_id, None).await.unwrap();
    bob.ban(garden, cyd_id).await.unwrap();
    assert_eq!(ada.bans(garden, None).await.unwrap().items[0].id, cyd_id);
    assert!(bob.put_member(garden, cyd_id, None).await.is_err());
    bob.lift_ban(garden, cyd_id).await.unwrap();
    assert!(ada.bans(garden, None).await.unwrap().items.is_empty());
    bob.leave(garden).await.unwrap();
    let error = bob.leave(garden).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn messages_are_said_changed_and_taken_back() {
    let (_home, ada, bob) = home().await;
    let garden = group(&ada, &bob).await;
    let say = draft("apples");
    let said = ada.send(garden, &say).await.unwrap();
    assert_eq!(ada.send(garden, &say).await.unwrap(), said);
    for which in [
        Around::Newest,
        Around::Before(said.seq + 1),
        Around::After(said.seq - 1),
        Around::Around(said.seq),
    ] {
        let messages = bob.messages(garden, which, 10).await.unwrap();
        assert_eq!(messages, std::slice::from_ref(&said), "{which:?}");
    }
    let answer = Draft {
        reply_to: Some(said.id),
        ..draft("pears")
    };
    let answer = bob.send(garden, &answer).await.unwrap();
    assert_eq!(answer.reply_to, Some(said.id));

    let edited = ada.edit_message(garden, said.id, "plums").await.unwrap();
    assert_eq!(edited.body, "plums");
    assert!(edited.edited_at.is_some() && edited.supersedes(&said));
    let error = bob.edit_message(garden, said.id, "mine").await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Forbidden));

    let emoji = ["👍🏽", "#️⃣", "/"].map(|text| Emoji::try_from(text.to_owned()).unwrap());
    for emoji in &emoji {
        bob.react(garden, said.id, emoji).await.unwrap();
        bob.react(garden, said.id, emoji).await.unwrap();
    }
    bob.unreact(garden, said.id, &emoji[0]).await.unwrap();
    bob.unreact(garden, said.id, &emoji[0]).await.unwrap();
    let now = ada.message(garden, said.id).await.unwrap();
    let left = now.reactions.iter().map(|reaction| &reaction.emoji);
    assert!(left.eq(&emoji[1..]), "{:?}", now.reactions);

    ada.pin(garden, said.id).await.unwrap();
    let pinned = bob.pins(garden, None).await.unwrap().items;
    assert_eq!(pinned, [ada.message(garden, said.id).await.unwrap()]);
    ada.unpin(garden, said.id).await.unwrap();
    assert!(bob.pins(garden, None).await.unwrap().items.is_empty());

    ada.delete_message(garden, said.id).await.unwrap();
    ada.delete_message(garden, said.id).await.unwrap();
    let stub = bob.message(garden, said.id).await.unwrap();
    assert!(stub.deleted_at.is_some() && stub.body.is_empty() && stub.seq == said.seq);
    let log = bob.events(garden, said.seq - 1, 200).await.unwrap();
    assert_eq!(log.head_seq, log.items.last().map_or(0, |entry| entry.seq));
    let deletions = |entry: &&Entry| matches!(entry.change, Change::MessageDeleted { .. });
    assert_eq!(log.items.iter().filter(deletions).count(), 1);
}

#[tokio::test]
async fn what_i_have_read_goes_forward_and_on_purpose_back() {
    let (_home, ada, bob) = home().await;
    let garden = group(&ada, &bob).await;
    ada.send(garden, &draft("apples")).await.unwrap();
    let said = ada.send(garden, &draft("pears")).await.unwrap();
    assert_eq!(bob.conversation(garden).await.unwrap().unread.count, 2);
    bob.mark_delivered(garden, said.seq).await.unwrap();
    let members = ada.members(garden, None).await.unwrap().items;
    let bob_id = id(&bob).await;
    let seen = members
        .iter()
        .find(|member| member.user.id == bob_id)
        .unwrap();
    assert!(seen.delivered_seq == said.seq && seen.read_seq < said.seq);

    assert_eq!(bob.mark_read(garden, said.seq).await.unwrap(), said.seq);
    assert_eq!(bob.mark_read(garden, 1).await.unwrap(), said.seq);
    assert_eq!(bob.conversation(garden).await.unwrap().unread.count, 0);
    let back = said.seq - 1;
    assert_eq!(bob.mark_unread(garden, back).await.unwrap(), back);
    assert_eq!(bob.conversation(garden).await.unwrap().unread.count, 1);
}

#[tokio::test]
async fn words_are_found_where_i_may_see_them() {
    let (home, ada, bob) = home().await;
    let cyd = home.person("cyd").await;
    let garden = group(&ada, &bob).await;
    let other = group(&bob, &cyd).await;
    let said = ada.send(garden, &draft("green apples")).await.unwrap();
    bob.send(garden, &draft("red apples")).await.unwrap();
    bob.send(other, &draft("apples for cyd")).await.unwrap();
    let all = Query {
        text: "apples".to_owned(),
        conversation: None,
        from: None,
        before: None,
    };
    let found = async |query: &Query| {
        let page = ada.search(query, None).await.unwrap();
        page.items.into_iter().map(|it| it.body).collect::<Vec<_>>()
    };
    assert_eq!(found(&all).await, ["red apples", "green apples"]);
    let mut by_ada = all.clone();
    by_ada.from = Some(said.sender_id);
    by_ada.conversation = Some(garden);
    assert_eq!(found(&by_ada).await, ["green apples"]);
    let mut long_ago = all;
    long_ago.before = Some(Timestamp::from_millis(0));
    assert!(found(&long_ago).await.is_empty());
}
