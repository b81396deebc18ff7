//! Who may do what: pure functions from roles to permitted acts, and the embedder's own say.

use std::{fmt, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use crate::{
    model::{ConversationId, ConversationKind, Draft, Entry, Role, UserId},
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
    /// How many owners there are.
    pub owners: u64,
    /// How many members there are.
    pub members: u64,
}

/// Whether the act is permitted to its author.
///
/// Every member may send, read and leave. Admins and owners add and remove plain members and change the title; only owners
/// give and take the roles of admin and owner, and remove those who have them. A group keeps an owner as long as
/// it has members.
pub fn permits(scene: &Scene, act: &Act) -> Result<(), Refusal> {
    let (author, role) = scene.author;
    match act {
        Act::Send { .. } | Act::MarkRead { .. } | Act::CreateGroup { .. } => Ok(()),
        _ if scene.kind == ConversationKind::Direct => Err(Refusal::NotInDirect),
        Act::Rename { .. } => at_least(role, Role::Admin),
        Act::PutMember { role: wanted, .. } => {
            let Some(wanted) = *wanted else {
                return at_least(role, Role::Admin);
            };
            let needed = match scene.target {
                Some(present) if present == wanted => Role::Admin,
                Some(_) => Role::Owner,
                None => over(wanted),
            };
            at_least(role, needed)?;
            if scene.target == Some(Role::Owner) && wanted != Role::Owner && scene.owners == 1 {
                return Err(Refusal::LastOwner);
            }
            Ok(())
        }
        Act::RemoveMember { user_id } => {
            let target = scene.target.ok_or(Refusal::MemberNotFound)?;
            if *user_id != author {
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

fn at_least(role: Role, needed: Role) -> Result<(), Refusal> {
    if role >= needed {
        Ok(())
    } else {
        Err(Refusal::Forbidden)
    }
}

/// The embedder's say in what is sent, and its ear for everything that happens: where moderation and bots plug in.
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

type Verdict<'a> = Pin<Box<dyn Future<Output = Result<Draft, String>> + Send + 'a>>;

/// The object-safe twin of [`Policy`].
trait ErasedPolicy: Send + Sync {
    fn before_send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> Verdict<'_>;
    fn on_entry(&self, entry: &Entry);
}

impl<P: Policy> ErasedPolicy for P {
    fn before_send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> Verdict<'_> {
        Box::pin(Policy::before_send(self, sender, conversation, draft))
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
        self.0.before_send(sender, conversation, draft).await
    }

    /// A policy that panics here must not take the engine with it: the entry is durable, and others wait for it.
    pub(crate) fn on_entry(&self, entry: &Entry) {
        let heard = std::panic::catch_unwind(AssertUnwindSafe(|| self.0.on_entry(entry)));
        if heard.is_err() {
            tracing::error!(conversation = %entry.conversation_id, seq = entry.seq, "the policy panicked");
        }
    }
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
                owners,
                members: 5,
            };
            permits(&scene, &Act::RemoveMember { user_id: other })
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
            owners: 1,
            members,
        };
        let leave = Act::RemoveMember { user_id: me };
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
            owners: 2,
            members: 2,
        };
        assert_eq!(
            permits(&scene, &Act::RemoveMember { user_id: me }),
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
