//! What passes on a connection, as far as hyper does not tell: whether a head has begun, whether it had two lengths, whether an
//! answer is taken.

use std::cell::RefCell;

use tokio::time::Instant;

/// Longer lines have none of the names that are looked for, or are written to hide one.
const MAX_LINE: usize = 128;

tokio::task_local! {
    /// Of the connection whose task is running. A value beside the connection, because whoever takes it over wants the bare socket.
    static WIRE: RefCell<Wire>;
}

/// How the end of a request's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By `Content-Length`, or there is no body.
    Length,
    /// By the encoding. What follows is not looked at: such a connection ends after the answer.
    Coded,
    /// In two ways, of which a proxy in front may have believed the other one. hyper believes one and hides that there were two.
    Contradictory,
}

/// Serves a connection, watching what arrives on it.
pub(super) fn watch<F: Future>(connection: F) -> impl Future<Output = F::Output> {
    WIRE.scope(RefCell::default(), connection)
}

/// These bytes have arrived on the connection whose task this is; others are not looked at.
pub(crate) fn arrived(bytes: &[u8]) {
    let _nobody_watches = WIRE.try_with(|wire| wire.borrow_mut().read(bytes));
}

/// Whether the head that has arrived last is not whole yet.
pub(super) fn head_begun() -> bool {
    WIRE.try_with(|wire| wire.borrow().head_begun())
        .unwrap_or(false)
}

/// How the end of the next request is told, in the order in which requests are answered.
pub(super) fn next_request() -> Framing {
    WIRE.try_with(|wire| wire.borrow_mut().next_request())
        .unwrap_or(Framing::Length)
}

/// There is an answer to the last request.
pub(super) fn answering() {
    let _nobody_watches = WIRE.try_with(|wire| wire.borrow_mut().answering = Some(Instant::now()));
}

/// hyper has the answer behind it, and waits for another request.
pub(super) fn answered() {
    let _nobody_watches = WIRE.try_with(|wire| wire.borrow_mut().answering = None);
}

/// Since when there is an answer that hyper could not write.
pub(super) fn answering_since() -> Option<Instant> {
    let since = WIRE.try_with(|wire| wire.borrow().answering);
    since.unwrap_or(None)
}

#[derive(Debug, Default)]
struct Wire {
    place: Place,
    /// The beginning of the line that has not ended.
    line: Vec<u8>,
    head: Head,
    /// Heads that were whole.
    heads: u64,
    /// The first request that is told by anything but its length; nothing behind it is looked at.
    odd: Option<(u64, Framing)>,
    /// Requests that were passed on.
    requests: u64,
    answering: Option<Instant>,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    /// In a body that has this much to come.
    Body(u64),
    /// Behind what cannot be followed.
    Beyond,
}

#[derive(Debug, Default)]
struct Head {
    begun: bool,
    length: Option<u64>,
    coded: bool,
    contradictory: bool,
}

impl Wire {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Head => self.read_line(bytes),
                Place::Body(left) => self.pass_over(left, bytes),
                Place::Beyond => return,
            };
        }
    }

    fn pass_over<'a>(&mut self, left: u64, bytes: &'a [u8]) -> &'a [u8] {
        let passed = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left.saturating_sub(passed as u64);
        self.place = if left == 0 {
            Place::Head
        } else {
            Place::Body(left)
        };
        &bytes[passed..]
    }

    fn read_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let piece = &bytes[..end.unwrap_or(bytes.len())];
        let room = (MAX_LINE + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
        let Some(end) = end else {
            return &bytes[bytes.len()..];
        };
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.is_empty() {
            self.end_head();
        } else {
            self.head.note(&line);
        }
        line.clear();
        self.line = line;
        &bytes[end + 1..]
    }

    fn end_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        // Empty lines may stand before a request.
        if !head.begun {
            return;
        }
        let framing = head.framing();
        self.place = match framing {
            Framing::Length => Place::Body(head.length.unwrap_or(0)),
            Framing::Coded | Framing::Contradictory => {
                self.odd = Some((self.heads, framing));
                self.line = Vec::new();
                Place::Beyond
            }
        };
        self.heads += 1;
    }

    fn head_begun(&self) -> bool {
        matches!(self.place, Place::Head) && (self.head.begun || !self.line.is_empty())
    }

    fn next_request(&mut self) -> Framing {
        let this = self.requests;
        self.requests += 1;
        match self.odd {
            Some((odd, framing)) if odd <= this => framing,
            _ => Framing::Length,
        }
    }
}

impl Head {
    fn note(&mut self, line: &[u8]) {
        // The request line, which may contain a colon too.
        if !self.begun {
            self.begun = true;
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.coded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.contradictory |= self.length.is_some();
            let digits = std::str::from_utf8(value).map(str::trim).ok();
            let length = (line.len() <= MAX_LINE)
                .then(|| digits.and_then(|digits| digits.parse().ok()))
                .flatten();
            // What is no number, hyper refuses; what is written to hide one is as bad.
            self.contradictory |= length.is_none();
            self.length = Some(length.unwrap_or(0));
        }
    }

    fn framing(&self) -> Framing {
        match (self.coded, self.length) {
            _ if self.contradictory => Framing::Contradictory,
            (true, Some(_)) => Framing::Contradictory,
            (true, None) => Framing::Coded,
            (false, _) => Framing::Length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Framing::{Coded, Contradictory, Length},
        *,
    };

    /// How each of these requests is told, whatever pieces it arrives in.
    fn framings(bytes: &str, requests: usize) -> Vec<Framing> {
        let mut told = Vec::new();
        for piece in [1, 2, 3, 7, bytes.len()] {
            let mut wire = Wire::default();
            for piece in bytes.as_bytes().chunks(piece) {
                wire.read(piece);
            }
            let these: Vec<Framing> = (0..requests).map(|_| wire.next_request()).collect();
            assert!(told.is_empty() || told == these, "in pieces of {piece}");
            told = these;
        }
        told
    }

    #[test]
    fn a_length_beside_an_encoding_is_seen_in_any_order_and_any_pieces() {
        for (headers, expected) in [
            ("", Length),
            ("Host: a:80\r\nContent-Length: 3\r\n", Length),
            ("transfer-encoding: chunked\r\n", Coded),
            (
                "content-length: 3\r\ntransfer-encoding: chunked\r\n",
                Contradictory,
            ),
            (
                "Transfer-Encoding: chunked\r\nx: y\r\nContent-Length: 3\r\n",
                Contradictory,
            ),
            (
                "content-length: 3\ntransfer-encoding: chunked\n",
                Contradictory,
            ),
            ("content-length: 3\r\ncontent-length: 3\r\n", Contradictory),
            ("content-length: 3x\r\n", Contradictory),
        ] {
            let request = format!("POST /a:b HTTP/1.1\r\n{headers}\r\n");
            assert_eq!(framings(&request, 1), [expected], "{headers:?}");
        }
        let hidden = format!("x: y\r\ncontent-length:{}3\r\n", " ".repeat(1_000));
        let request = format!("POST / HTTP/1.1\r\n{hidden}\r\n");
        assert_eq!(framings(&request, 1), [Contradictory]);
    }

    #[test]
    fn a_body_is_no_head_and_the_request_behind_it_is_one() {
        let inner = "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        let outer = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", inner.len());
        let both = format!("{outer}{inner}\r\nGET / HTTP/1.1\r\n\r\n{inner}");
        assert_eq!(framings(&both, 3), [Length, Length, Contradictory]);
    }

    #[test]
    fn a_head_has_begun_from_its_first_byte_to_its_last() {
        let mut wire = Wire::default();
        assert!(!wire.head_begun());
        for byte in b"\r\nGET / HTTP/1.1\r\nhost: x\r\n\r" {
            wire.read(&[*byte]);
            assert!(wire.head_begun() || wire.heads == 0);
        }
        assert!(wire.head_begun());
        wire.read(b"\n");
        assert!(!wire.head_begun());
        wire.read(b"G");
        assert!(wire.head_begun());
    }
}
