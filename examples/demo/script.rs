//! What the people of the demo say.

/// Who says it (a place in `NAMES`), and what.
pub(crate) type Line = (usize, &'static str);

/// User name and display name of everyone but you.
pub(crate) const NAMES: [(&str, &str); 4] = [
    ("ana", "Ana Moreno"),
    ("ben", "Ben Okafor"),
    ("chloe", "Chloé Dubois"),
    ("dmitri", "Dmitri Volkov"),
];

/// Said in the group before you came.
pub(crate) const LUNCH_BEFORE: &[Line] = &[
    (0, "Morning all ☀️"),
    (1, "Morning! Anyone up for lunch today?"),
    (2, "Always. The noodle place or the one with the garden?"),
    (
        0,
        "Garden if it stays dry. 🌿\nIf not, noodles — they said the queue is short before twelve.",
    ),
    (1, "12:15 at the door then"),
    (2, "👍"),
];

/// Said in the other group before you came.
pub(crate) const RELEASE_BEFORE: &[Line] = &[
    (3, "The release candidate is on the staging nodes."),
    (
        1,
        "Load test is running. So far p99 is flat, which is suspicious.",
    ),
    (3, "It is flat because nobody is connected yet."),
    (1, "…"),
    (1, "OK, now somebody is connected."),
    (
        0,
        "I went through the upgrade notes. Two small things:\n  1. the backup section still names the old path\n  2. “sould” → “should”\nOtherwise good to go from my side.",
    ),
    (3, "Fixed both, thanks."),
];

/// Said to you before you came.
pub(crate) const TO_YOU_BEFORE: &[Line] = &[
    (0, "Hi! Good to see you here."),
    (
        0,
        "We are about to decide about lunch, have a look at the group. 🙂",
    ),
];

/// Said in the lunch group while you watch, over and over in this order.
pub(crate) const LUNCH: &[Line] = &[
    (1, "It looks like rain."),
    (2, "My forecast says it stops at noon"),
    (0, "Mine says it starts at noon 😄"),
    (1, "So: noodles?"),
    (2, "Noodles. I will ask for the big table"),
    (
        0,
        "How many are we? I count four, five with you-know-who who never answers.",
    ),
    (
        2,
        "They will answer. Everybody answers when it is about noodles.",
    ),
    (1, "I will bring an umbrella either way ☂️"),
    (0, "そば or うどん?"),
    (2, "Both. It is Friday somewhere."),
    (
        1,
        "The garden place just wrote: closed for a private party. Decision made.",
    ),
    (
        0,
        "Good. 12:15, do not be late, the queue does not wait for anyone",
    ),
];

/// Said in the release group while you watch.
pub(crate) const RELEASE: &[Line] = &[
    (
        3,
        "Second load test: 10,000 receivers in one room, no message lost, none twice.",
    ),
    (1, "And the small rooms next to it?"),
    (3, "Did not notice."),
    (
        0,
        "Can somebody kill -9 the server while it runs? For science.",
    ),
    (
        3,
        "Done. Everything that was acknowledged is there after the restart, once.",
    ),
    (1, "And the clients?"),
    (3, "Resumed from their cursors. Nobody saw a gap."),
    (
        0,
        "I am writing that into the notes before anybody touches it again.",
    ),
];

/// Said by somebody you wrote to.
pub(crate) const ANSWERS: &[&str] = &[
    "Sounds good to me!",
    "Ha, yes 😄",
    "Let me think about it…",
    "I was just going to say the same.",
    "Good point. What do the others think?",
    "Noted 📝",
];

/// Said by somebody you asked.
pub(crate) const ANSWERS_TO_QUESTIONS: &[&str] = &[
    "Yes, I think so.",
    "Not sure, give me a minute?",
    "12:15, at the door.",
    "Good question. I would say yes.",
    "Let us ask Ben, he knows everything.",
];
