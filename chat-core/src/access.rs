//! Who may do what: pure functions from roles to permitted acts, and the embedder's own say.

use std::{
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use crate::{
    model::{ConversationId, ConversationKind, Draft, Entry, MessageId, Role, UserId},
    store::{Act, Refusal},
};

/// What is known of a conversation when an act in it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Direct or group.
    pub kind: ConversationKind,
    /// The author, and their role; they are a member.
    pub author: (UserId, Role),
    /// The role of the member that the act is about; `None` when they are not a member.
    pub target: Option<Role>,
    /// That user, who is not a member, was banned.
    pub target_banned: bool,
    /// Who sent the message that the act is about.
    pub sender: Option<UserId>,
    /// Of the two of a direct conversation, who has blocked the other.
    pub blocked: Option<Blocked>,
    /// How many owners there are.
    pub owners: u64,
    /// How many members there are.
    pub members: u64,
}

/// Who of a direct conversation has blocked the other, as its author sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The author, and perhaps the other one too.
    ByAuthor,
    /// Only the other one.
    ByOther,
}

impl Blocked {
    /// From those of the two who have blocked the other.
    pub(crate) fn of(author: UserId, blockers: &[UserId]) -> Option<Self> {
        if blockers.contains(&author) {
            return Some(Self::ByAuthor);
        }
        (!blockers.is_empty()).then_some(Self::ByOther)
    }
}

/// Whether the act is permitted to its author.
///
/// Every member may send, react, read, leave, and edit and delete what they said themselves. Admins and owners also delete
/// what others said, pin, add, remove and ban plain members, and change title and topic; only owners give and take the roles
/// of admin and owner, remove those who have them, decide on the history, and delete the group. A group keeps an owner
/// as long as it has members. In a direct conversation both may pin, and neither writes while one has blocked the other.
pub fn permits(scene: &Scene, act: &Act) -> Result<(), Refusal> {
    let (author, role) = scene.author;
    match act {
        Act::CreateGroup { .. }
        | Act::UpdateMine { .. }
        | Act::MarkRead { .. }
        | Act::MarkUnread { .. }
        | Act::MarkDelivered { .. } => Ok(()),
        Act::Send { .. } | Act::React { .. } | Act::Unreact { .. } => unblocked(scene),
        Act::EditMessage { .. } if scene.sender == Some(author) => unblocked(scene),
        Act::EditMessage { .. } => Err(Refusal::Forbidden),
        Act::DeleteMessage { .. } if scene.sender == Some(author) => Ok(()),
        Act::DeleteMessage { .. } if scene.kind == ConversationKind::Direct => {
            Err(Refusal::Forbidden)
        }
        Act::Pin { .. } if scene.kind == ConversationKind::Direct => unblocked(scene),
        _ if scene.kind == ConversationKind::Direct => Err(Refusal::NotInDirect),
        Act::DeleteMessage { .. } | Act::Pin { .. } | Act::LiftBan { .. } => {
            at_least(role, Role::Admin)
        }
        Act::Update {
            history: Some(_), ..
        }
        | Act::DeleteConversation => at_least(role, Role::Owner),
        Act::Update { .. } => at_least(role, Role::Admin),
        Act::PutMember { role: wanted, .. } => {
            let Some(wanted) = *wanted else {
                at_least(role, Role::Admin)?;
                return if scene.target_banned {
                    Err(Refusal::Banned)
                } else {
                    Ok(())
                };
            };
            let needed = match scene.target {
                Some(present) if present == wanted => Role::Admin,
                Some(_) => Role::Owner,
                None => over(wanted),
            };
            at_least(role, needed)?;
            if scene.target_banned {
                return Err(Refusal::Banned);
            }
            if scene.target == Some(Role::Owner) && wanted != Role::Owner && scene.owners == 1 {
                return Err(Refusal::LastOwner);
            }
            Ok(())
        }
        Act::RemoveMember { user_id, ban } => {
            let target = scene.target.ok_or(Refusal::MemberNotFound)?;
            if *user_id != author || *ban {
                at_least(role, over(target))?;
            }
            if target == Role::Owner && scene.owners == 1 && scene.members > 1 {
                return Err(Refusal::LastOwner);
            }
            Ok(())
        }
    }
}

/// The least role that adds and removes members of this role.
const fn over(role: Role) -> Role {
    match role {
        Role::Member => Role::Admin,
        Role::Admin | Role::Owner => Role::Owner,
    }
}

fn unblocked(scene: &Scene) -> Result<(), Refusal> {
    match scene.blocked {
        None => Ok(()),
        Some(Blocked::ByAuthor) => Err(Refusal::Blocking),
        Some(Blocked::ByOther) => Err(Refusal::Blocked),
    }
}

fn at_least(role: Role, needed: Role) -> Result<(), Refusal> {
    if role >= needed {
        Ok(())
    } else {
        Err(Refusal::Forbidden)
    }
}

/// The embedder's say in what is sent, and its ear for everything that happens: where moderation and bots plug in.
///
/// A policy that panics is logged. What it should have judged is refused; trying it again asks it again.
pub trait Policy: Send + Sync + 'static {
    /// Lets a draft pass, changed or not, or refuses it with a reason that the sender is told.
    ///
    /// A retry of a send passes here again and must come out the same, or it is taken for another message. The sender
    /// waits for this; nobody else does.
    fn before_send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> impl Future<Output = Result<Draft, String>> + Send {
        let _ = (sender, conversation);
        std::future::ready(Ok(draft))
    }

    /// Lets the new text of a message pass, changed or not, or refuses it with a reason that the editor is told.
    fn before_edit(
        &self,
        editor: UserId,
        conversation: ConversationId,
        message: MessageId,
        body: String,
    ) -> impl Future<Output = Result<String, String>> + Send {
        let _ = (editor, conversation, message);
        std::future::ready(Ok(body))
    }

    /// Hears of every entry that was accepted on this node, once it is durable. Must return at once; a panic is
    /// logged and changes nothing.
    fn on_entry(&self, entry: &Entry) {
        let _ = entry;
    }
}

/// The policy of those who have none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoPolicy;

impl Policy for NoPolicy {}

type Verdict<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// The object-safe twin of [`Policy`].
trait ErasedPolicy: Send + Sync {
    fn before_send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> Verdict<'_, Draft>;
    fn before_edit(
        &self,
        editor: UserId,
        conversation: ConversationId,
        message: MessageId,
        body: String,
    ) -> Verdict<'_, String>;
    fn on_entry(&self, entry: &Entry);
}

impl<P: Policy> ErasedPolicy for P {
    fn before_send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> Verdict<'_, Draft> {
        Box::pin(async move { Policy::before_send(self, sender, conversation, draft).await })
    }

    fn before_edit(
        &self,
        editor: UserId,
        conversation: ConversationId,
        message: MessageId,
        body: String,
    ) -> Verdict<'_, String> {
        Box::pin(
            async move { Policy::before_edit(self, editor, conversation, message, body).await },
        )
    }

    fn on_entry(&self, entry: &Entry) {
        Policy::on_entry(self, entry);
    }
}

/// Any policy, behind one pointer.
#[derive(Clone)]
pub(crate) struct AnyPolicy(Arc<dyn ErasedPolicy>);

impl AnyPolicy {
    pub(crate) fn new(policy: impl Policy) -> Self {
        Self(Arc::new(policy))
    }

    pub(crate) async fn before_send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> Result<Draft, String> {
        unless_it_panics(self.0.before_send(sender, conversation, draft)).await
    }

    pub(crate) async fn before_edit(
        &self,
        editor: UserId,
        conversation: ConversationId,
        message: MessageId,
        body: String,
    ) -> Result<String, String> {
        unless_it_panics(self.0.before_edit(editor, conversation, message, body)).await
    }

    /// A policy that panics here must not take the engine with it: the entry is durable, and others wait for it.
    pub(crate) fn on_entry(&self, entry: &Entry) {
        let heard = catch_unwind(AssertUnwindSafe(|| self.0.on_entry(entry)));
        if heard.is_err() {
            tracing::error!(conversation = %entry.conversation_id, seq = entry.seq, "the policy panicked");
        }
    }
}

/// Whoever asks goes on when the policy breaks down: a socket serves more than this one send.
async fn unless_it_panics<T>(mut verdict: Verdict<'_, T>) -> Result<T, String> {
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| verdict.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            tracing::error!("the policy panicked");
            Poll::Ready(Err("this could not be checked: try again later".to_owned()))
        })
    })
    .await
}

impl fmt::Debug for AnyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyPolicy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_remove_whom() {
        use Role::{Admin, Member, Owner};
        let (me, other) = (UserId::new(), UserId::new());
        let remove = |role, target, owners| {
            let scene = Scene {
                kind: ConversationKind::Group,
                author: (me, role),
                target: Some(target),
                target_banned: false,
                sender: None,
                blocked: None,
                owners,
                members: 5,
            };
            permits(
                &scene,
                &Act::RemoveMember {
                    user_id: other,
                    ban: false,
                },
            )
        };
        assert_eq!(remove(Member, Member, 1), Err(Refusal::Forbidden));
        assert_eq!(remove(Admin, Member, 1), Ok(()));
        assert_eq!(remove(Admin, Admin, 1), Err(Refusal::Forbidden));
        assert_eq!(remove(Owner, Admin, 1), Ok(()));
        assert_eq!(remove(Owner, Owner, 2), Ok(()));
    }

    #[test]
    fn a_group_keeps_an_owner() {
        let me = UserId::new();
        let scene = |members| Scene {
            kind: ConversationKind::Group,
            author: (me, Role::Owner),
            target: Some(Role::Owner),
            target_banned: false,
            sender: None,
            blocked: None,
            owners: 1,
            members,
        };
        let leave = Act::RemoveMember {
            user_id: me,
            ban: false,
        };
        assert_eq!(permits(&scene(2), &leave), Err(Refusal::LastOwner));
        assert_eq!(permits(&scene(1), &leave), Ok(()));
        let step_down = Act::PutMember {
            user_id: me,
            role: Some(Role::Member),
        };
        assert_eq!(permits(&scene(2), &step_down), Err(Refusal::LastOwner));
    }

    #[test]
    fn a_direct_conversation_only_takes_messages() {
        let (me, other) = (UserId::new(), UserId::new());
        let scene = Scene {
            kind: ConversationKind::Direct,
            author: (me, Role::Owner),
            target: Some(Role::Owner),
            target_banned: false,
            sender: None,
            blocked: None,
            owners: 2,
            members: 2,
        };
        assert_eq!(
            permits(
                &scene,
                &Act::RemoveMember {
                    user_id: me,
                    ban: false
                }
            ),
            Err(Refusal::NotInDirect)
        );
        assert_eq!(
            permits(
                &scene,
                &Act::PutMember {
                    user_id: other,
                    role: None
                }
            ),
            Err(Refusal::NotInDirect)
        );
    }
}
