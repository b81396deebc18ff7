//! A device without the client library: a socket that joins after what it has, and whatever the server then tells it. Where
//! the library would heal what the server does wrong, this one shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chat_core::{
    client::Client,
    model::{ConversationId, Seq},
    protocol::{Ack, ClientCommand, ClientFrame, ServerFrame, Signal},
};
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::{
    proxy::Proxy,
    record::{Record, Seen, What, Who},
};
use crate::support::handshake;

const OPENING: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(300);

type Socket = WebSocketStream<TcpStream>;

#[derive(Debug)]
pub struct Bare {
    pub who: Who,
    pub proxy: Proxy,
    pub app: Mutex<App>,
    client: Client,
    record: Arc<Record>,
}

#[derive(Debug, Default)]
pub struct App {
    pub cursors: BTreeMap<ConversationId, Seq>,
    pub online: bool,
    joined: BTreeSet<ConversationId>,
    /// The numbers of joins without an answer.
    asked: BTreeMap<u64, ConversationId>,
    number: u64,
}

impl Bare {
    /// A device of whoever `client` is, which goes by way of the proxy for the socket too.
    pub fn start(client: Client, proxy: Proxy, number: u32, record: &Arc<Record>) -> Arc<Self> {
        let user = client.user_id().expect("signed in");
        let bare = Arc::new(Self {
            who: Who {
                user,
                device: number,
            },
            proxy,
            app: Mutex::default(),
            client,
            record: Arc::clone(record),
        });
        tokio::spawn(Arc::clone(&bare).run());
        bare
    }

    fn note(&self, what: What) {
        self.record.note(Some(self.who), what);
    }

    async fn run(self: Arc<Self>) {
        loop {
            if let Some(socket) = self.open().await {
                self.listen(socket).await;
            }
            self.lost();
            sleep(PAUSE).await;
        }
    }

    fn lost(&self) {
        let mut app = self.app.lock();
        app.online = false;
        app.asked.clear();
        app.joined.clear();
        self.note(What::Link {
            online: false,
            detail: "broken".to_owned(),
        });
    }

    async fn open(&self) -> Option<Socket> {
        let opening = async {
            // Renews the token where that is due.
            let rows = self.client.conversations(None).await.ok()?;
            let token = self.client.tokens()?.access_token;
            let base = format!("http://{}/api/v1", self.proxy.address);
            let headers = [("authorization", format!("Bearer {token}"))];
            let request = handshake(&base, "/ws", &headers);
            let stream = TcpStream::connect(self.proxy.address).await.ok()?;
            let (mut socket, _) = client_async(request, stream).await.ok()?;
            for row in rows.items {
                self.join(&mut socket, row.conversation.id).await?;
            }
            Some(socket)
        };
        timeout(OPENING, opening).await.ok()?
    }

    async fn join(&self, socket: &mut Socket, conversation: ConversationId) -> Option<()> {
        let frame = {
            let mut app = self.app.lock();
            if !app.joined.insert(conversation) {
                return Some(());
            }
            app.number += 1;
            let number = app.number;
            app.asked.insert(number, conversation);
            let after = app.cursors.get(&conversation).copied().unwrap_or(0);
            self.note(What::Open {
                conversation,
                after,
            });
            ClientFrame {
                reference: Some(number.to_string()),
                command: ClientCommand::JoinConversation {
                    conversation_id: conversation,
                    after_seq: Some(after),
                },
            }
        };
        let text = serde_json::to_string(&frame).unwrap();
        socket.send(Message::text(text)).await.ok()
    }

    async fn listen(&self, mut socket: Socket) {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else {
                continue;
            };
            match ServerFrame::decode(&text).unwrap() {
                Some(ServerFrame::Log(entry)) => {
                    let (conversation, entry) = (entry.conversation_id, Seen::of(&entry));
                    self.app.lock().cursors.insert(conversation, entry.seq);
                    self.note(What::Told {
                        conversation,
                        entry,
                    });
                }
                Some(ServerFrame::Signal(Signal::Reconnect { after_ms })) => {
                    return sleep(Duration::from_millis(after_ms)).await;
                }
                Some(ServerFrame::Signal(signal)) => {
                    if let Some(conversation) = self.hear(signal)
                        && self.join(&mut socket, conversation).await.is_none()
                    {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    /// What a signal means; which conversation is to be joined then.
    fn hear(&self, signal: Signal) -> Option<ConversationId> {
        let mut app = self.app.lock();
        match signal {
            Signal::Hello(hello) => {
                app.online = true;
                self.note(What::Link {
                    online: true,
                    detail: format!("online at {}", hello.node_id),
                });
            }
            Signal::ConversationUpdated { row } => return Some(row.conversation.id),
            Signal::ConversationRemoved { conversation_id } => {
                app.joined.remove(&conversation_id);
                self.note(What::Closed {
                    conversation: conversation_id,
                });
            }
            Signal::Resync {
                conversation_id, ..
            } => {
                app.joined.remove(&conversation_id);
                return Some(conversation_id);
            }
            Signal::Ack { reference, ack } => {
                let asked = app.asked.remove(&reference?.parse().ok()?)?;
                if let Ack {
                    reset: Some(true),
                    head_seq: Some(after),
                    ..
                } = ack
                {
                    // What lies between is to be read with REST, which this device does not do.
                    app.cursors.insert(asked, after);
                    self.note(What::Open {
                        conversation: asked,
                        after,
                    });
                }
            }
            Signal::Error { reference, problem } => {
                let asked = app.asked.remove(&reference?.parse().ok()?)?;
                app.joined.remove(&asked);
                self.note(What::Closed {
                    conversation: asked,
                });
                return problem.retryable.then_some(asked);
            }
            _ => {}
        }
        None
    }
}
