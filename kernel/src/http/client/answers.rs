//! What the host itself answers.

use alloc::format;
use alloc::string::String;

use luge_http::{Head, Persistence, Refusal, Response, Status};
use luge_journal::Harmless;

use super::super::exchange::Refused;
use super::super::kept;
use super::super::pages::{Found, Page};
use super::super::writing::{Part, Writing};
use super::super::{Surroundings, count_host_answer};
use super::{Client, Fate, Moved, Phase};

/// How much of a path is repeated to whoever has asked for it, in bytes.
const MOST_SHOWN: usize = 200;

impl Client {
    /// One of the host's own pages.
    pub(super) fn page(&mut self, found: Found, head: &Head, around: &Surroundings<'_>) -> Moved {
        self.persistence = self.connection.decline();
        match found {
            Found::Page(page) => self.short_page(page, around),
            Found::Text(kind, text) => {
                let writing = Writing::new(text, kind, head, self.persistence, around.turns);
                self.phase = Phase::Writing(writing);
                Moved::On
            }
            Found::Document { html, policy } => {
                let response = Response {
                    content_type: "text/html; charset=utf-8",
                    policy: Some(policy),
                    ..self.host_response(Status::Ok, html, around)
                };
                count_host_answer(Status::Ok);
                self.outgoing.push(response.encode(0));
                if !self.is_head {
                    self.outgoing.push_fixed(html.as_bytes());
                }
                self.phase = Phase::Sending;
                Moved::On
            }
        }
    }

    fn short_page(&mut self, page: Page, around: &Surroundings<'_>) -> Moved {
        count_host_answer(page.status);
        let response = Response {
            content_type: page.content_type,
            ..self.host_response(page.status, &page.text, around)
        };
        self.send(response, page.text)
    }

    /// Writes a part of a page, if it is its turn.
    pub(super) fn write(&mut self, mut writing: Writing, around: &Surroundings<'_>) -> Moved {
        if !writing.may_go_on(&self.outgoing, around.turns) {
            self.phase = Phase::Writing(writing);
            return Moved::Not;
        }
        match writing.go_on(&mut self.outgoing, around.table, around.date) {
            Part::More => {
                self.phase = Phase::Writing(writing);
                Moved::On
            }
            Part::Last(persistence) => {
                self.persistence = persistence;
                self.phase = Phase::Sending;
                Moved::On
            }
            Part::NoMemory => {
                let text = String::from("there is no memory for the page now\n");
                self.answer(Status::ServiceUnavailable, text, around)
            }
            Part::Broken => Moved::Out(Fate::Abort),
        }
    }

    pub(super) fn not_allowed(&mut self, allow: &'static str, around: &Surroundings<'_>) -> Moved {
        let persistence = self.connection.decline();
        count_host_answer(Status::MethodNotAllowed);
        let text = format!("405 Method Not Allowed: only {allow}\n");
        let response = Response {
            persistence,
            allow: Some(allow),
            date: around.date,
            kept: kept::fields(),
            ..Response::text(Status::MethodNotAllowed, text.len())
        };
        self.send(response, text)
    }

    /// What can be asked of a path, or of all of the server. Load balancers look with this whether the machine is there.
    pub(super) fn options(&mut self, allow: &'static str, around: &Surroundings<'_>) -> Moved {
        self.persistence = self.connection.decline();
        count_host_answer(Status::Ok);
        let response = Response {
            allow: Some(allow),
            ..self.host_response(Status::Ok, "", around)
        };
        self.send(response, String::new())
    }

    pub(super) fn nothing_there(&mut self, head: &Head, around: &Surroundings<'_>) -> Moved {
        self.persistence = self.connection.decline();
        let path = head.path.as_bytes();
        let shown = Harmless(&path[..path.len().min(MOST_SHOWN)]);
        let text = format!("there is no function at {shown}\n");
        self.answer(Status::NotFound, text, around)
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, around: &Surroundings<'_>) -> Moved {
        self.persistence = Persistence::Close;
        let text = format!("{refusal}\n");
        self.answer(refusal.status, text, around)
    }

    /// A request for a function that is not let in.
    pub(super) fn turn_away(&mut self, refused: Refused, around: &Surroundings<'_>) -> Moved {
        let response = Response {
            retry_after_s: refused.retry_after_s,
            ..self.host_response(refused.status, &refused.text, around)
        };
        self.send(response, refused.text)
    }

    /// Answers with a text of the host's.
    pub(super) fn answer(
        &mut self,
        status: Status,
        text: String,
        around: &Surroundings<'_>,
    ) -> Moved {
        count_host_answer(status);
        let response = self.host_response(status, &text, around);
        self.send(response, text)
    }

    pub(super) fn host_response(
        &self,
        status: Status,
        text: &str,
        around: &Surroundings<'_>,
    ) -> Response<'static> {
        Response {
            persistence: self.persistence,
            retry_after_s: (status == Status::ServiceUnavailable).then_some(1),
            date: around.date,
            kept: kept::fields(),
            ..Response::text(status, text.len())
        }
    }

    pub(super) fn send(&mut self, response: Response<'_>, text: String) -> Moved {
        self.persistence = response.persistence;
        self.outgoing.push(response.encode(0));
        if !self.is_head {
            self.outgoing.push(text.into_bytes());
        }
        self.phase = Phase::Sending;
        Moved::On
    }
}
