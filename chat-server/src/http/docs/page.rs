//! Pages of HTML from Markdown.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, html};

/// The page, with the way to the others.
pub(super) fn of_markdown(title: &str, text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut body = String::new();
    html::push_html(&mut body, Parser::new_ext(text, options).map(signed));
    include_str!("page.html")
        .replace("{{title}}", title)
        .replace("{{body}}", &body)
}

/// An example that says whose it is, as `json client`, shows it.
fn signed(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
            let whose = info.rsplit(' ').next().unwrap_or_default().to_owned();
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(whose.into())))
        }
        event => event,
    }
}
