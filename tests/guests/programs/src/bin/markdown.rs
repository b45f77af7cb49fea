//! Markdown to HTML: the crate `pulldown-cmark`.
//!
//! | | |
//! |---|---|
//! | argument 1 | `plain` for CommonMark alone; else with tables, footnotes, task lists and struck text |
//! | stdin | a text in Markdown |
//! | stdout | the same in HTML |
//! | exit | 0, or 1 if the body is not UTF-8, or the argument another one |

use std::process::ExitCode;

use pulldown_cmark::{Options, Parser, html};

fn main() -> ExitCode {
    programs::run(|request| {
        let options = match request.argument(0) {
            None => {
                Options::ENABLE_TABLES
                    | Options::ENABLE_FOOTNOTES
                    | Options::ENABLE_TASKLISTS
                    | Options::ENABLE_STRIKETHROUGH
            }
            Some("plain") => Options::empty(),
            Some(other) => return Err(format!("the argument is `plain`, not {other:?}").into()),
        };
        let mut page = String::new();
        html::push_html(&mut page, Parser::new_ext(request.text()?, options));
        Ok(page.into_bytes())
    })
}
