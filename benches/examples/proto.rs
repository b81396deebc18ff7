#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used)]
use std::time::{Duration, Instant};
use chat_core::{Chat, model::*, store::*};
use sqlx::{Connection, Executor, sqlite::*};

fn med(v: &mut Vec<Duration>) -> (f64, f64) { v.sort(); (v[v.len()/2].as_secs_f64()*1e6, v.iter().sum::<Duration>().as_secs_f64()*1e6/v.len() as f64) }

fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir_in(dir).unwrap();
    let path = dir.path().to_owned();
    rt.block_on(async move { tokio::spawn(async move {
        let store = SqliteStore::open(&path.join("chat.db")).await.unwrap();
        let chat = Chat::builder().store(store.clone()).start().await.unwrap();
        let (a, b) = (UserId::new(), UserId::new());
        let conv = chat.create_group(a, Title::try_from("x".to_owned()).unwrap(), vec![b]).await.unwrap().conversation.id;
        let bare = SqliteStore::open(&path.join("bare.db")).await.unwrap();
        let id = ConversationId::new();
        sqlx::query("INSERT INTO chat_conversations VALUES (?1,1,'x',NULL,0,0,0,1,1)").bind(id.as_uuid()).execute(bare.writer()).await.unwrap();
        let mut conn = bare.writer().acquire().await.unwrap();
        let (mut te, mut ts, mut tb, mut ta, mut tl) = (vec![], vec![], vec![], vec![], vec![]);
        let draft = || Draft { client_id: ClientId::new(), body: "x".repeat(128), reply_to: None };
        const INS: &str = "INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body, reply_to, user_id, role, title) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";
        macro_rules! ins { ($i:expr) => { sqlx::query(INS).bind(id.as_uuid()).bind($i as i64).bind(0i64).bind(1234567890i64).bind(a.as_uuid()).bind(MessageId::new().as_uuid()).bind(ClientId::new().as_uuid()).bind("x".repeat(128)).bind(None::<i64>).bind(None::<i64>).bind(None::<i64>).bind(None::<String>) } }
        for i in 0..n {
            let d = draft();
            let t = Instant::now(); chat.send(a, conv, d).await.unwrap(); te.push(t.elapsed());
            let w = [Write { conversation_id: conv, author: a, at: Timestamp::now(), act: Act::Send { id: MessageId::new(), draft: draft() } }];
            let t = Instant::now();
            let mut tx = conn.begin().await.unwrap(); ins!(2*i+1).execute(&mut *tx).await.unwrap(); tx.commit().await.unwrap();
            tb.push(t.elapsed());
            let t = Instant::now(); let _ = store.commit(&w).await.unwrap(); ts.push(t.elapsed());
            let t = Instant::now();
            ins!(2*i+2).execute(&mut *conn).await.unwrap();
            ta.push(t.elapsed());
            let t = Instant::now();
            sqlx::query("SELECT 1").bind(1).fetch_all(&mut *conn).await.unwrap();
            tl.push(t.elapsed());
        }
        for (name, v) in [("engine", &mut te), ("store", &mut ts), ("begin insert commit", &mut tb), ("autocommit", &mut ta), ("one hop", &mut tl)] { let (p, m) = med(v); println!("{name:22} p50 {p:8.1} us mean {m:8.1}"); }
        chat.shutdown().await;
    }).await.unwrap() });
}
