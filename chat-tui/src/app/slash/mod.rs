//! Commands that are written in the draft, as in `/topic Boats`: which there are, and how they are read.

mod run;

use chat_core::model::ConversationId;

use super::{keymap::Action, nearest::nearest};

/// What a command wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    Nothing,
    /// Words.
    Words(&'static str),
    /// Somebody.
    Person,
    /// A conversation.
    Conversation,
    /// One of these.
    Choice(&'static [&'static str]),
}

impl Argument {
    /// As it is shown behind the name.
    #[must_use]
    pub fn shown(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Words(what) => what.to_owned(),
            Self::Person => "@name".to_owned(),
            Self::Conversation => "conversation".to_owned(),
            Self::Choice(all) => all.join("|"),
        }
    }
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// What is written after the `/`.
    pub name: &'static str,
    /// What follows.
    pub argument: Argument,
    /// For the help.
    pub help: &'static str,
    does: Does,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// What a key does.
    Act(Action),
    /// What is in the menu of the conversation.
    Conversation(Action),
    Switch,
    Direct,
    Profile,
    Invite,
    Block,
    Topic,
    Rename,
    Notify,
    Search,
    Status,
    MyName,
    Keys,
}

const fn command(
    name: &'static str,
    argument: Argument,
    help: &'static str,
    does: Does,
) -> Command {
    Command {
        name,
        argument,
        help,
        does,
    }
}

/// All commands, in the order of the help.
pub const COMMANDS: &[Command] = &{
    use Argument::{Choice, Conversation as Place, Nothing, Person, Words};
    use Does::{Act, Conversation};
    [
        command(
            "help",
            Nothing,
            "the keys, and these commands",
            Act(Action::Help),
        ),
        command("switch", Place, "go to a conversation", Does::Switch),
        command("join", Place, "the same", Does::Switch),
        command("dm", Person, "write to somebody", Does::Direct),
        command("who", Person, "who somebody is", Does::Profile),
        command(
            "new",
            Nothing,
            "start a conversation",
            Act(Action::NewConversation),
        ),
        command("inbox", Nothing, "what waits for you", Act(Action::Inbox)),
        command(
            "unread",
            Nothing,
            "next unread conversation",
            Act(Action::NextUnread),
        ),
        command("search", Words("words"), "search", Does::Search),
        command(
            "members",
            Nothing,
            "members of this group",
            Act(Action::Members),
        ),
        command("pins", Nothing, "pinned messages", Act(Action::Pins)),
        command("invite", Person, "add somebody to this group", Does::Invite),
        command(
            "topic",
            Words("text"),
            "give this group a topic",
            Does::Topic,
        ),
        command(
            "rename",
            Words("name"),
            "give this group another name",
            Does::Rename,
        ),
        command(
            "leave",
            Nothing,
            "leave this group",
            Conversation(Action::Leave),
        ),
        command(
            "mute",
            Nothing,
            "mute, or no longer",
            Conversation(Action::Mute),
        ),
        command(
            "archive",
            Nothing,
            "archive, or bring back",
            Conversation(Action::Archive),
        ),
        command(
            "notify",
            Choice(&["all", "mentions", "nothing"]),
            "what of it makes itself heard",
            Does::Notify,
        ),
        command("block", Person, "block somebody, or no longer", Does::Block),
        command(
            "status",
            Choice(&["online", "idle", "dnd", "invisible"]),
            "how you are seen",
            Does::Status,
        ),
        command("name", Words("name"), "your own name", Does::MyName),
        command(
            "edit",
            Nothing,
            "write in your $EDITOR",
            Act(Action::Editor),
        ),
        command(
            "keys",
            Choice(&["plain", "vim", "emacs"]),
            "the set of keys",
            Does::Keys,
        ),
        command("signout", Nothing, "sign out", Act(Action::SignOut)),
        command("quit", Nothing, "quit", Act(Action::Quit)),
    ]
};

/// What is to be done with somebody once it is known who that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Write to them.
    Direct,
    /// Show who they are.
    Profile,
    /// Add them to a group.
    Invite(ConversationId),
    /// Block them, or no longer.
    Block,
}

/// What is written in a draft.
#[derive(Debug)]
pub(super) enum Written<'a> {
    /// A message.
    Text,
    /// A command, and what follows it.
    Command(&'static Command, &'a str),
    /// What looks like a command and is none.
    Unknown(&'a str),
}

/// Whether a draft is a command; `//` begins a message that begins with `/`.
pub(super) fn read(draft: &str) -> Written<'_> {
    let Some(line) = draft.trim_start_matches('\n').strip_prefix('/') else {
        return Written::Text;
    };
    if line.starts_with('/') {
        return Written::Text;
    }
    let line = line.trim_end();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match named(name) {
        Some(command) => Written::Command(command, rest.trim()),
        None => Written::Unknown(name),
    }
}

/// The command of this name.
pub(super) fn named(name: &str) -> Option<&'static Command> {
    let mut all = COMMANDS.iter();
    all.find(|command| command.name.eq_ignore_ascii_case(name))
}

fn no_such(name: &str) -> String {
    let names = COMMANDS.iter().map(|command| command.name);
    match nearest(name, names) {
        Some(nearest) => {
            format!("no command /{name}: is it /{nearest}? As a text, begin it with //")
        }
        None => format!("no command /{name}: /help has all. As a text, begin it with //"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_a_command_and_two_begin_a_text() {
        let is = |draft| match read(draft) {
            Written::Text => "text".to_owned(),
            Written::Command(command, argument) => format!("{}:{argument}", command.name),
            Written::Unknown(name) => format!("unknown {name}"),
        };
        for (draft, expected) in [
            ("hello /quit", "text"),
            ("//quit", "text"),
            ("/QUIT", "quit:"),
            ("\n/topic  The  boats \n", "topic:The  boats"),
            (" /quit", "text"),
            ("/etc/passwd is a file", "unknown etc/passwd"),
            ("/", "unknown "),
        ] {
            assert_eq!(is(draft), expected, "{draft}");
        }
    }

    #[test]
    fn every_command_has_a_name_of_its_own() {
        for (n, command) in COMMANDS.iter().enumerate() {
            let same = |other: &Command| other.name == command.name;
            assert!(!COMMANDS[n + 1..].iter().any(same), "{}", command.name);
        }
    }
}
