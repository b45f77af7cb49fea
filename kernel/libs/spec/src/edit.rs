//! Changes in the text of a spec that leave the rest of it as its author wrote it.
//!
//! For tools that add and remove routes; the kernel reads specs and writes none.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::error::SpecError;
use crate::json::{Source, Value};

/// The text with `route`, an object, behind the routes of the tenant with this name. The same text if there
/// is no such tenant.
///
/// # Errors
/// The text is no spec: its syntax is wrong, or it is not made of tenants with routes.
pub fn add_route(file: &str, text: &str, tenant: &str, route: &str) -> Result<String, SpecError> {
    let (source, root) = Source::open(file, text.as_bytes())?;
    let mut changed = text.to_owned();
    for (name, routes) in tenants(&source, root)? {
        if let Some(last) = routes.last().filter(|_| name == tenant) {
            let before = &text[..last.offset];
            let blank = &before[before.trim_end().len()..];
            let end = last.offset + last.raw.len();
            changed.insert_str(end, &[",", blank, route].concat());
        }
    }
    Ok(changed)
}

/// The text without those routes for which `goes` says so, told by tenant and path. A tenant keeps its
/// last route whatever is said of it.
///
/// # Errors
/// As [`add_route`].
pub fn remove_routes(
    file: &str,
    text: &str,
    goes: impl Fn(&str, &str) -> bool,
) -> Result<String, SpecError> {
    let (source, root) = Source::open(file, text.as_bytes())?;
    let mut cuts = Vec::new();
    for (tenant, routes) in tenants(&source, root)? {
        let mut gone = Vec::new();
        for route in &routes {
            let path = text_of(&source, *route, "route")?;
            gone.push(path.is_some_and(|path| goes(&tenant, &path)));
        }
        cuts.extend(cuts_of(&routes, &gone));
    }
    let mut changed = text.to_owned();
    for cut in cuts.into_iter().rev() {
        changed.replace_range(cut, "");
    }
    Ok(changed)
}

/// What is to be cut out so that these elements of an array go, with a comma each.
fn cuts_of(elements: &[Value<'_>], gone: &[bool]) -> Vec<Range<usize>> {
    let end = |element: &Value<'_>| element.offset + element.raw.len();
    let mut cuts = Vec::new();
    // The end of the last element that stays, once there is one.
    let mut kept: Option<usize> = None;
    for (index, element) in elements.iter().enumerate() {
        if !gone[index] {
            kept = Some(end(element));
        } else if let Some(kept) = kept {
            let from = cuts
                .last()
                .map_or(kept, |cut: &Range<usize>| cut.end.max(kept));
            cuts.push(from..end(element));
        } else if let Some(next) = elements.get(index + 1) {
            cuts.push(element.offset..next.offset);
        }
    }
    cuts
}

/// Tenants by name, and the routes of each.
type Tenants<'a> = Vec<(String, Vec<Value<'a>>)>;

fn tenants<'a>(source: &Source<'a>, root: Value<'a>) -> Result<Tenants<'a>, SpecError> {
    let mut tenants = Vec::new();
    for tenant in source.elements(root)? {
        let name = text_of(source, tenant, "name")?.unwrap_or_default();
        let entries = source.entries(tenant)?;
        let routes = entries.iter().find(|entry| entry.key == "routes");
        let routes = routes.map_or(Ok(Vec::new()), |routes| source.elements(routes.value))?;
        tenants.push((name, routes));
    }
    Ok(tenants)
}

fn text_of<'a>(
    source: &Source<'a>,
    object: Value<'a>,
    key: &str,
) -> Result<Option<String>, SpecError> {
    let entries = source.entries(object)?;
    let entry = entries.iter().find(|entry| entry.key == key);
    entry.map(|entry| source.text(entry.value)).transpose()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const TEXT: &str = r#"[
  {"name": "one", "port": 1, "routes": [
    {"route": "/a", "path": "a.wasm"},
    {"route": "/b",
     "path": "b.wasm"},
    {"route": "/c", "path": "c.wasm"}
  ]},
  {"name": "two", "port": 2, "routes": [{"route": "/a", "path": "a.wasm"}]}
]
"#;

    #[test]
    fn a_route_is_added_behind_the_others_and_laid_out_as_they_are() {
        let added = add_route("f", TEXT, "one", "{1}").unwrap();
        let place = "\"c.wasm\"},\n    {1}\n  ]},\n";
        assert!(added.contains(place), "{added}");
        assert_eq!(added.replace(",\n    {1}", ""), TEXT);
        let added = add_route("f", TEXT, "two", "{1}").unwrap();
        assert!(
            added.contains("\"path\": \"a.wasm\"},{1}]}\n]\n"),
            "{added}"
        );
        assert_eq!(add_route("f", TEXT, "three", "{1}").unwrap(), TEXT);
    }

    #[test]
    fn a_route_goes_with_its_comma_and_nothing_else() {
        let lines: Vec<_> = TEXT.lines().collect();
        let left = |goes: &[&str]| {
            let text = remove_routes("f", TEXT, |tenant, route| {
                tenant == "one" && goes.contains(&route)
            });
            text.unwrap()
        };
        let without = |gone: &[usize]| {
            let numbered = lines.iter().enumerate();
            let left = numbered.filter(|(number, _)| !gone.contains(number));
            let left: Vec<_> = left.map(|(_, line)| *line).collect();
            left.join("\n") + "\n"
        };
        assert_eq!(left(&["/a"]), without(&[2]));
        assert_eq!(left(&["/b"]), without(&[3, 4]));
        assert_eq!(left(&["/a", "/b"]), without(&[2, 3, 4]));
        assert_eq!(
            left(&["/c"]),
            without(&[5]).replace("b.wasm\"},", "b.wasm\"}")
        );
        let first = without(&[3, 4, 5]).replace("a.wasm\"},\n  ]", "a.wasm\"}\n  ]");
        assert_eq!(left(&["/b", "/c"]), first);
        let middle = without(&[2, 5]).replace("b.wasm\"},", "b.wasm\"}");
        assert_eq!(left(&["/a", "/c"]), middle);
        assert_eq!(left(&["/d"]), TEXT);
    }

    #[test]
    fn what_is_no_spec_is_an_error_with_its_place() {
        let error = add_route("f.json", "[{\"name\": 1}", "one", "{}").unwrap_err();
        assert!(error.to_string().starts_with("f.json:1:"), "{error}");
        assert!(remove_routes("f", "[1]", |_, _| true).is_err());
    }
}
