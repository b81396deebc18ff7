//! The engine alone, inside any program: two people, one conversation, no server.

use chat_core::{
    Chat,
    model::{ClientId, Draft, UserId},
    protocol::ServerFrame,
    store::SqliteStore,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Everything has a default; a store that outlives the process is the first thing to choose.
    let home = tempfile::tempdir()?;
    let store = SqliteStore::open(&home.path().join("chat.db")).await?;
    let chat = Chat::builder().store(store.clone()).start().await?;

    // Users are yours: the engine knows them by their ids.
    let (ana, ben) = (UserId::new(), UserId::new());
    let (row, _) = chat.direct(ana, ben).await?;
    let conversation = row.conversation.id;

    // A session is one connected client. It joins a conversation and gets every entry of its log from a cursor on.
    let mut session = chat.connect(ben).await?;
    session.join(conversation, Some(0)).await?;

    // When `send` returns, the message is on disk; a retry with the same `client_id` has no second effect.
    let draft = Draft {
        client_id: ClientId::new(),
        body: "Lunch?".to_owned(),
        reply_to: None,
    };
    chat.send(ana, conversation, draft.clone()).await?;
    let again = chat.send(ana, conversation, draft).await?;
    assert!(again.repeated);

    let text = 'received: loop {
        for frame in &session.next().await? {
            // `frame.json()` is what goes onto a socket; inside a program the decoded value is handier.
            if let Some(ServerFrame::Log(entry)) = frame.decode()
                && let Some(message) = entry.message()
            {
                break 'received message.body.clone();
            }
        }
    };
    chat.mark_read(ben, conversation, 1).await?;
    session.close();
    #[expect(clippy::print_stdout, reason = "this is all that the example is for")]
    {
        println!("ben got: {text}");
    }

    chat.shutdown().await;
    store.close().await?;
    Ok(())
}
