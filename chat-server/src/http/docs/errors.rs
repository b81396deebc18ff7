//! The table of all errors, as a page of Markdown.

use std::fmt::Write as _;

use chat_core::protocol::ErrorCode;

/// What every code means and what to do about it.
pub(super) fn table() -> String {
    let mut page = String::from(
        "# Errors\n\nOver REST and the socket the same: an `application/problem+json` object (RFC 9457). Go by `code`, and by \
         `status` where you do not know the code. `retryable` says whether the same request may succeed later, unchanged; \
         `retry_after_ms` after how long. `errors` names the fields of a request that cannot be accepted. Tell people \
         `title` and `detail`, and the operator `request_id`.\n\n```json\n",
    );
    let mut example = chat_core::protocol::Problem::new(
        ErrorCode::Invalid,
        "body: a message needs at least one visible character",
    )
    .with_field(
        "body",
        "blank",
        "a message needs at least one visible character",
    );
    example.request_id = Some("019aa5e8-0000-7000-8000-0000000000ff".to_owned());
    page.push_str(&serde_json::to_string_pretty(&example).unwrap_or_default());
    page.push_str("\n```\n\n");
    for code in ErrorCode::ALL {
        let again = if code.retryable() {
            "may succeed later"
        } else {
            "will not succeed unchanged"
        };
        // Writing to a string does not fail.
        let _ = write!(
            page,
            "## `{name}` {{#{name}}}\n\n**{title}.** Status {status}; the same request {again}.\n\n{remedy}\n\n",
            name = code.as_str(),
            title = code.title(),
            status = code.status(),
            remedy = code.remedy(),
        );
    }
    page
}
