//! One file over HTTP.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ureq::ResponseExt;

use super::body::{Parts, Stop};
use crate::DataError;
use crate::checksum::md5_of;
use crate::descriptor::Download;

/// A connection that ends early is taken up again so often in one call.
const ATTEMPTS: u32 = 4;

/// Between two lines that say how far it is.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// How one attempt ended.
enum Attempt {
    Whole,
    /// So many bytes of the file came, and then it ended.
    Cut(u64, Stop),
}

/// Fetches `file` to `path`, by way of `<path>.part`, which stays where an attempt ends early: a connection that ends, or on
/// which nothing comes for `patience`.
pub(super) fn fetch(
    file: &Download,
    path: &Path,
    patience: Duration,
    progress: &dyn Fn(&str),
) -> Result<(), DataError> {
    let part = PathBuf::from(format!("{}.part", path.display()));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .https_only(file.url.starts_with("https://"))
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .user_agent(concat!("ctrbench/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    for attempt in 1.. {
        match fetch_rest(&agent, file, &part, patience, progress)? {
            Attempt::Whole => break,
            Attempt::Cut(bytes, stop) if attempt < ATTEMPTS => {
                progress(&format!("{}: {stop} after {bytes} bytes; asking again", file.url));
            }
            Attempt::Cut(bytes, stop) => {
                let what = format!("{stop} after {bytes} bytes, at the last of {ATTEMPTS} times");
                return Err(fault(
                    file,
                    what,
                    "run the command again: what came is kept and continued if the server can",
                ));
            }
        }
    }
    check(file, &part)?;
    forget_tag(&part);
    fs::rename(&part, path).map_err(DataError::io("rename to", path))
}

fn fault(file: &Download, what: String, remedy: &str) -> DataError {
    let remedy = format!("{remedy} (home page: {})", file.home_page);
    DataError::Download { url: file.url.clone(), what, remedy }
}

/// Appends to `part` what it lacks.
fn fetch_rest(
    agent: &ureq::Agent,
    file: &Download,
    part: &Path,
    patience: Duration,
    progress: &dyn Fn(&str),
) -> Result<Attempt, DataError> {
    let tag_path = tag_path(part);
    let tag = fs::read_to_string(&tag_path).ok();
    // Without a tag, a size or a checksum nothing would tell if the file has changed since.
    let can_continue = tag.is_some() || file.md5.is_some() || file.bytes.is_some();
    let had = if can_continue { fs::metadata(part).map_or(0, |data| data.len()) } else { 0 };
    let mut request = agent.get(&file.url);
    if had > 0 {
        request = request.header("Range", format!("bytes={had}-"));
        if let Some(tag) = &tag {
            request = request.header("If-Range", tag);
        }
    }
    let response = request.call().map_err(|error| {
        fault(file, format!("no answer: {error}"), "check the network, or download it by hand from the home page")
    })?;
    let status = response.status().as_u16();
    let official = file.url.parse::<ureq::http::Uri>().ok();
    let official = official.as_ref().and_then(|uri| uri.host());
    if let Some(host) = response.get_uri().host().filter(|host| official != Some(*host)) {
        progress(&format!("{}: the official server hands over to {host}", file.url));
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")) {
        let remedy = "the address may have moved, or ask for an account: look at the home page";
        return Err(fault(file, format!("a web page came in place of the file (status {status})"), remedy));
    }
    let start = match status {
        200 => 0,
        // "bytes 100-199/200"
        206 => match header("content-range").as_deref().and_then(range_start) {
            Some(start) if start == had => start,
            _ => return restart(part, file, "the server answered with another part than was asked for"),
        },
        // The part may be the whole file already.
        416 if had > 0
            && file.bytes.is_none_or(|bytes| bytes == had)
            && header("content-range").as_deref().and_then(whole) == Some(had) =>
        {
            return Ok(Attempt::Whole);
        }
        416 if had > 0 => return restart(part, file, "what was fetched before is not a part of the file"),
        status => {
            let remedy = "try again later, or look at the home page for the file's new address";
            return Err(fault(file, format!("the server answered with status {status}"), remedy));
        }
    };
    let length = header("content-length").and_then(|length| length.parse::<u64>().ok()).map(|rest| start + rest);
    if start == 0 {
        match header("etag").filter(|tag| !tag.starts_with("W/")) {
            Some(tag) => fs::write(&tag_path, tag).map_err(DataError::io("write", &tag_path))?,
            None => forget_tag(part),
        }
    }
    let opened = OpenOptions::new().create(true).write(true).append(start > 0).truncate(start == 0).open(part);
    let mut out = opened.map_err(DataError::io("write", part))?;
    let body = Parts::new(response.into_body().into_reader(), patience);
    let (mut bytes, mut said) = (start, Instant::now());
    loop {
        // What came is kept.
        let came = match body.next() {
            Ok(came) => came,
            Err(stop) => return Ok(Attempt::Cut(bytes, stop)),
        };
        if came.is_empty() {
            break;
        }
        out.write_all(&came).map_err(DataError::io("write", part))?;
        bytes += came.len() as u64;
        if said.elapsed() >= BETWEEN_LINES {
            said = Instant::now();
            let of = length.map_or(String::new(), |length| format!(" of {}", length >> 20));
            progress(&format!("{}: {}{of} MiB", file.url, bytes >> 20));
        }
    }
    Ok(if length.is_some_and(|length| bytes < length) { Attempt::Cut(bytes, Stop::Ended) } else { Attempt::Whole })
}

/// Begins again without what cannot be continued.
fn restart(part: &Path, file: &Download, what: &str) -> Result<Attempt, DataError> {
    forget_tag(part);
    fs::remove_file(part).map_err(DataError::io("remove", part))?;
    Err(fault(file, what.to_owned(), "run the command again: it begins anew"))
}

/// Holds the server's tag of the edition that `part` is of.
fn tag_path(part: &Path) -> PathBuf {
    PathBuf::from(format!("{}.etag", part.display()))
}

/// There may be none, which is as well.
fn forget_tag(part: &Path) {
    let _ = fs::remove_file(tag_path(part));
}

fn range_start(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

fn whole(content_range: &str) -> Option<u64> {
    content_range.rsplit('/').next()?.parse().ok()
}

/// Size and MD5, where they are published. A file that fails is removed, since it can only be fetched anew.
fn check(file: &Download, part: &Path) -> Result<(), DataError> {
    let bytes = fs::metadata(part).map_err(DataError::io("read", part))?.len();
    let mut wrong = None;
    if let Some(expected) = file.bytes.filter(|expected| *expected != bytes) {
        wrong = Some(format!("{bytes} bytes came, but {expected} are published"));
    } else if let Some(expected) = &file.md5 {
        let found = md5_of(part)?;
        if !found.eq_ignore_ascii_case(expected) {
            wrong = Some(format!("the MD5 of what came is {found}, but {expected} is published"));
        }
    }
    match wrong {
        None => Ok(()),
        Some(what) => {
            forget_tag(part);
            fs::remove_file(part).map_err(DataError::io("remove", part))?;
            Err(fault(file, what, "run the command again; if it stays so, look at the home page for a newer edition"))
        }
    }
}
