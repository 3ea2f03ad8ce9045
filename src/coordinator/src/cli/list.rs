//! Lists: gathered over as many pages as it takes, printed as one.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::arguments::ListArgs;
use super::client::{Answer, Request};
use super::display::escaped;
use super::exit::CliError;
use super::session::Session;

/// The most items that the API gives at a time.
const PAGE: usize = 1000;

/// One page as the API gives it.
#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    next_page_token: Option<String>,
}

/// Prints up to `args.limit` items of the list at `path`, and tells when there are more.
///
/// # Errors
/// As [`Session::send`] and [`super::output::Output::answer`].
pub(crate) async fn print<T: DeserializeOwned>(
    session: &mut Session<'_>,
    path: &[&str],
    filter: Option<(&'static str, String)>,
    args: ListArgs,
    render: impl FnOnce(Vec<T>) -> String,
) -> Result<(), CliError> {
    let (answer, next) = gather(session, path, filter, args).await?;
    session
        .output
        .answer(&answer, |page: Page<T>| render(page.items))?;
    if let Some(token) = next {
        session.output.note(&format!(
            "there are more: raise --limit, or go on with --page-token {}",
            escaped(&token)
        ));
    }
    Ok(())
}

/// The items of all pages up to the limit, in the form of one page, and the token of the page after them.
async fn gather(
    session: &mut Session<'_>,
    path: &[&str],
    filter: Option<(&'static str, String)>,
    args: ListArgs,
) -> Result<(Answer, Option<String>), CliError> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut items: Vec<Value> = Vec::new();
    let mut token = args.page_token;
    loop {
        let wanted = (limit - items.len()).min(PAGE);
        let mut request = Request::get(path).query("limit", wanted.to_string());
        if let Some((name, value)) = &filter {
            request = request.query(name, value.as_str());
        }
        if let Some(token) = &token {
            request = request.query("page_token", token.as_str());
        }
        let answer = session.send(&request).await?;
        let page: Page<Value> = answer.read()?;
        let before = token;
        token = page.next_page_token.filter(|token| !token.is_empty());
        items.extend(page.items);
        items.truncate(limit);
        // A token that leads back to its own page would never end.
        if items.len() == limit || token.is_none() || token == before {
            let whole = json!({ "items": items, "next_page_token": token });
            return Ok((answer.with_body(whole), token));
        }
    }
}
