//! Web and mail addresses in messages: what they are, and where they really lead.

use std::ops::Range;

use linkify::{LinkFinder, LinkKind};

use super::text::Plain;

/// An address that may be opened: of the web or of mail, and of nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    whole: Plain,
    host: Plain,
}

impl Address {
    /// The addresses in a text, each once, in their order.
    #[must_use]
    pub fn all_in(text: &Plain) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (_, address) in Self::places_in(text) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }

    /// The addresses in a text, and at which bytes they stand.
    #[must_use]
    pub fn places_in(text: &Plain) -> Vec<(Range<usize>, Self)> {
        let mut finder = LinkFinder::new();
        finder.kinds(&[LinkKind::Url, LinkKind::Email]);
        let links = finder.links(text.as_str());
        let places = links.filter_map(|link| {
            let address = match link.kind() {
                LinkKind::Email => Self::of_mail(link.as_str()),
                _ => Self::of_web(link.as_str()),
            };
            Some((link.start()..link.end(), address?))
        });
        places.collect()
    }

    fn of_web(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return None;
        }
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let host = rest[..end].rsplit('@').next().unwrap_or_default();
        (!host.is_empty()).then(|| Self {
            whole: Plain::line(text),
            host: Plain::line(host),
        })
    }

    fn of_mail(text: &str) -> Option<Self> {
        let (_, host) = text.rsplit_once('@')?;
        Some(Self {
            whole: Plain::line(&format!("mailto:{text}")),
            host: Plain::line(host),
        })
    }

    /// All of it, as it is opened.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.whole.as_str()
    }

    /// Where it leads: what stands before an `@` in it is no host, whatever it looks like.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.as_str()
    }

    /// Why one should look twice, if one should.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        let before = self.as_str().split(self.host()).next().unwrap_or_default();
        if !self.host().is_ascii() {
            return Some("its host has letters that can be taken for others");
        }
        (before.contains('@') && !before.starts_with("mailto:"))
            .then_some("what stands before the @ is not where it leads")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        let all = Address::all_in(&Plain::text(text)).into_iter();
        all.map(|a| (a.as_str().to_owned(), a.host().to_owned()))
            .collect()
    }

    #[test]
    fn web_and_mail_is_found_and_where_it_leads() {
        let all = found(
            "See https://example.org/a_(b)?c=1#d, (http://EXAMPLE.org:8080) and ana@example.org. \
             Again: https://example.org/a_(b)?c=1#d",
        );
        let of = |whole: &str, host: &str| (whole.to_owned(), host.to_owned());
        assert_eq!(
            all,
            [
                of("https://example.org/a_(b)?c=1#d", "example.org"),
                of("http://EXAMPLE.org:8080", "EXAMPLE.org:8080"),
                of("mailto:ana@example.org", "example.org"),
            ]
        );
    }

    #[test]
    fn nothing_else_can_be_opened() {
        for text in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ssh://example.org",
            "vscode://file/etc/passwd",
            "x-man-page://ls",
            "-https",
            "https://",
            "C:\\autoexec.bat",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_host_that_only_looks_like_another_is_warned_of() {
        let warning = |text| Address::all_in(&Plain::text(text))[0].warning();
        assert!(warning("https://example.org@evil.example/").is_some());
        assert!(warning("https://ехample.org/").is_some());
        assert_eq!(warning("https://example.org/@ana"), None);
        assert_eq!(warning("ana@example.org"), None);
    }
}
