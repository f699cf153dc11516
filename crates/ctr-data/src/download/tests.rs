//! Against a server of our own that behaves badly.

use std::io::{BufRead, BufReader, Cursor};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::{io::Write, thread};

use flate2::{Compression, write::GzEncoder};
use md5::{Digest, Md5};
use zip::write::SimpleFileOptions;

use super::*;

/// What the server does with one request.
#[derive(Clone)]
enum Answer {
    /// The file, or the part of it that was asked for.
    Serve,
    /// So many bytes of what was asked for, then the connection is closed.
    CutAfter(usize),
    /// So many bytes of what was asked for, then nothing on a connection that stays open.
    FallSilentAfter(usize),
    /// A length that is smaller than what is there.
    ShortLength(usize),
    /// A status line and a body.
    Status(&'static str, &'static str, &'static str),
    /// The whole file, whatever was asked for.
    IgnoreRange,
}

/// Of the one edition that is served.
const TAG: &str = "\"edition 1\"";

/// Serves `content` by one answer after the other, the last one for good; returns its address and what ranges were asked for.
fn server(content: Vec<u8>, answers: Vec<Answer>, name: &str) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/files/{name}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    thread::spawn(move || {
        let mut open = Vec::new();
        for (request, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut range = None;
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for line in lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()) {
                if let Some(from) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                    range = Some(from.trim_end_matches('-').parse::<usize>().unwrap());
                }
                // Of another edition nothing is continued.
                if line.to_ascii_lowercase().strip_prefix("if-range: ").is_some_and(|tag| tag != TAG) {
                    range = None;
                }
            }
            seen.lock().unwrap().push(range);
            let answer = answers.get(request).or(answers.last()).unwrap().clone();
            let start = if matches!(answer, Answer::IgnoreRange) { 0 } else { range.unwrap_or(0) };
            let rest = &content[start.min(content.len())..];
            let mut head = match (start, rest.len()) {
                (0, length) => format!("HTTP/1.1 200 OK\r\nETag: {TAG}\r\nContent-Length: {length}\r\n"),
                (_, 0) => format!(
                    "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{}\r\nContent-Length: 0\r\n",
                    content.len()
                ),
                (start, length) => format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{}\r\nContent-Length: {length}\r\n",
                    content.len() - 1,
                    content.len()
                ),
            };
            let body = match &answer {
                Answer::Serve | Answer::IgnoreRange => rest,
                Answer::CutAfter(bytes) | Answer::FallSilentAfter(bytes) => &rest[..*bytes.min(&rest.len())],
                Answer::ShortLength(length) => {
                    head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
                    rest
                }
                Answer::Status(status, kind, text) => {
                    head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", text.len());
                    text.as_bytes()
                }
            };
            // The client may have gone away, which is its right.
            let _ = stream
                .write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())
                .and_then(|()| stream.write_all(body));
            if matches!(answer, Answer::FallSilentAfter(_)) {
                open.push(stream);
            }
        }
    });
    (address, asked)
}

/// A dataset of one file at `url`.
fn descriptor(url: &str, further: &str) -> Descriptor {
    let text = format!(
        "name = \"movielens-1m\"\ntitle = \"t\"\nhome_page = \"https://home.page\"\nlicence = \"research only\"\n[[download]]\nurl = \"{url}\"\n{further}"
    );
    Descriptor::parse("test", &text).unwrap()
}

/// Downloads into `folder`; the error as text.
fn run(folder: &Path, descriptor: &Descriptor) -> Result<PathBuf, String> {
    let mut config = DatasetConfig::new(&descriptor.name);
    config.data_dir = Some(folder.to_owned());
    download_with(&config, descriptor, None, true, PATIENCE_OF_TESTS, &|_| {}).map_err(|error| error.to_string())
}

fn hex(content: &[u8]) -> String {
    Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content() -> Vec<u8> {
    (0..300_000u32).flat_map(u32::to_le_bytes).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let content = content();
    let answers = vec![Answer::CutAfter(100_000), Answer::CutAfter(50_000), Answer::Serve];
    let (url, asked) = server(content.clone(), answers, "log.csv");
    let path = run(folder.path(), &descriptor(&url, &format!("md5 = \"{}\"", hex(&content)))).unwrap();
    assert_eq!(fs::read(path.join("log.csv")).unwrap(), content);
    assert_eq!(*asked.lock().unwrap(), [None, Some(100_000), Some(150_000)]);
    assert_eq!(names(&path), [ACCEPTED, "log.csv"]);
    // What is there is not fetched again.
    run(folder.path(), &descriptor(&url, "")).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 3);
}

/// Long beside what a local server needs.
const PATIENCE_OF_TESTS: Duration = Duration::from_secs(2);

#[test]
fn a_silent_connection_is_given_up_and_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let (url, asked) = server(content(), vec![Answer::FallSilentAfter(100_000), Answer::Serve], "log.csv");
    let path = run(folder.path(), &descriptor(&url, "")).unwrap();
    assert_eq!(fs::read(path.join("log.csv")).unwrap(), content());
    assert_eq!(*asked.lock().unwrap(), [None, Some(100_000)]);
}

#[test]
fn what_came_is_kept_for_the_next_call_and_never_under_the_final_name() {
    let folder = tempfile::tempdir().unwrap();
    let content = content();
    let mut answers = vec![Answer::CutAfter(1000); ATTEMPTS_OF_A_CALL];
    answers.push(Answer::Serve);
    let (url, asked) = server(content.clone(), answers, "log.csv");
    let message = run(folder.path(), &descriptor(&url, "")).unwrap_err();
    assert!(
        message.contains("the connection ended after 4000 bytes") && message.contains("what came is kept"),
        "{message}"
    );
    assert_eq!(names(&folder.path().join("movielens-1m")), [ACCEPTED, "log.csv.part", "log.csv.part.etag"]);
    let path = run(folder.path(), &descriptor(&url, "")).unwrap();
    assert_eq!(fs::read(path.join("log.csv")).unwrap(), content);
    assert_eq!(asked.lock().unwrap().last(), Some(&Some(4000)));
}

const ATTEMPTS_OF_A_CALL: usize = 4;

#[test]
fn a_server_that_knows_no_ranges_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let content = content();
    let (url, _) = server(content.clone(), vec![Answer::CutAfter(777), Answer::IgnoreRange], "log.csv");
    let path = run(folder.path(), &descriptor(&url, "")).unwrap();
    assert_eq!(fs::read(path.join("log.csv")).unwrap(), content);
}

#[test]
fn a_part_that_was_whole_already_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let content = content();
    let (url, asked) = server(content.clone(), vec![Answer::Serve], "log.csv");
    let path = folder.path().join("movielens-1m");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("log.csv.part"), &content).unwrap();
    run(folder.path(), &descriptor(&url, "bytes = 1200000")).unwrap();
    assert_eq!(fs::read(path.join("log.csv")).unwrap(), content);
    assert_eq!(*asked.lock().unwrap(), [Some(content.len())]);
}

/// What came of an earlier edition, or of one that nothing tells apart, is not continued.
#[test]
fn a_file_that_may_have_changed_begins_anew() {
    for tag in [Some("\"edition 0\""), None] {
        let folder = tempfile::tempdir().unwrap();
        let (url, asked) = server(content(), vec![Answer::Serve], "log.csv");
        let path = folder.path().join("movielens-1m");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("log.csv.part"), "of another edition").unwrap();
        tag.iter().for_each(|tag| fs::write(path.join("log.csv.part.etag"), tag).unwrap());
        run(folder.path(), &descriptor(&url, "")).unwrap();
        assert_eq!(fs::read(path.join("log.csv")).unwrap(), content());
        assert_eq!((asked.lock().unwrap().len(), names(&path)), (1, vec![ACCEPTED.to_owned(), "log.csv".to_owned()]));
    }
}

#[test]
fn wrong_files_are_refused_and_leave_nothing() {
    let html = Answer::Status("200 OK", "text/html; charset=utf-8", "<html>please log in</html>");
    for (answer, further, expected) in [
        (Answer::Status("404 Not Found", "text/plain", "no"), "", "status 404"),
        (Answer::Status("500 Internal Server Error", "text/plain", "no"), "", "status 500"),
        (html, "", "a web page came in place of the file"),
        (Answer::Serve, "md5 = \"00000000000000000000000000000000\"", "is published"),
        (Answer::Serve, "bytes = 7", "1200000 bytes came, but 7 are published"),
        (Answer::ShortLength(10), "bytes = 1200000", "10 bytes came, but 1200000 are published"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (url, _) = server(content(), vec![answer], "log.csv");
        let message = run(folder.path(), &descriptor(&url, further)).unwrap_err();
        assert!(message.starts_with(&url) && message.contains(expected), "{message}");
        assert_eq!(names(&folder.path().join("movielens-1m")), [ACCEPTED], "{expected}");
    }
    let closed = "http://127.0.0.1:1/log.csv";
    let message = run(tempfile::tempdir().unwrap().path(), &descriptor(closed, "")).unwrap_err();
    assert!(message.contains("no answer") && message.contains("check the network"), "{message}");
}

#[test]
fn the_licence_is_shown_until_it_is_accepted_once() {
    let folder = tempfile::tempdir().unwrap();
    let (url, asked) = server(content(), vec![Answer::Serve], "log.csv");
    let descriptor = descriptor(&url, "");
    let mut config = DatasetConfig::new("movielens-1m");
    config.data_dir = Some(folder.path().to_owned());
    let message = download_with(&config, &descriptor, None, false, PATIENCE, &|_| {}).unwrap_err().to_string();
    assert!(message.contains("research only") && message.contains("--accept-license"), "{message}");
    assert!(asked.lock().unwrap().is_empty(), "nothing is fetched before");
    download_with(&config, &descriptor, None, true, PATIENCE, &|_| {}).unwrap();
    download_with(&config, &descriptor, None, false, PATIENCE, &|_| {}).unwrap();
    let message = run(folder.path(), &Descriptor::find("taobao-ads", None).unwrap()).unwrap_err();
    assert!(
        message.contains("without an account") && message.contains("raw_sample.csv, user_profile.csv"),
        "{message}"
    );
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in entries {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn tar_gz_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        // `append_data` refuses what a hostile archive holds.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn wanted_files_are_unpacked_and_the_archive_goes() {
    let entries: [(&str, &[u8]); 3] = [("ml/ratings.dat", b"1::2"), ("ml/README", b"?"), ("ml/movies.dat", b"3::4")];
    for (name, bytes) in [("ml.zip", zip_of(&entries)), ("ml.tar.gz", tar_gz_of(&entries))] {
        let folder = tempfile::tempdir().unwrap();
        let (url, _) = server(bytes, vec![Answer::Serve], name);
        let path = run(folder.path(), &descriptor(&url, "unpack = [\"ratings.dat\", \"movies.dat\"]")).unwrap();
        assert_eq!(names(&path), [ACCEPTED, "movies.dat", "ratings.dat"], "{name}");
        assert_eq!(fs::read(path.join("ratings.dat")).unwrap(), b"1::2");
    }
}

#[test]
fn hostile_and_broken_archives_leave_nothing() {
    let bomb = vec![0u8; 70 << 20];
    let bombs: [(&str, &[u8]); 1] = [("ml/ratings.dat", &bomb)];
    let outside: [(&str, &[u8]); 1] = [("../../ratings.dat", b"x")];
    let absolute: [(&str, &[u8]); 1] = [("/ratings.dat", b"x")];
    let twice: [(&str, &[u8]); 2] = [("a/ratings.dat", b"x"), ("b/ratings.dat", b"y")];
    let mut cut = zip_of(&[("ml/ratings.dat", b"1::2")]);
    cut.truncate(cut.len() / 2);
    for (name, bytes, expected) in [
        ("bomb.zip", zip_of(&bombs), "grows to more than"),
        ("bomb.tar.gz", tar_gz_of(&bombs), "grows to more than"),
        ("outside.zip", zip_of(&outside), "has no file ratings.dat"),
        ("outside.tar.gz", tar_gz_of(&outside), "has no file ratings.dat"),
        ("absolute.tar.gz", tar_gz_of(&absolute), "has no file ratings.dat"),
        ("twice.tar.gz", tar_gz_of(&twice), "holds two files called ratings.dat"),
        ("cut.zip", cut, "delete it and download it again"),
        ("page.tar.gz", b"<html>".to_vec(), "delete it and download it again"),
        ("log.rar", b"x".to_vec(), "is neither .zip nor .tar.gz"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (url, _) = server(bytes, vec![Answer::Serve], name);
        let message = run(folder.path(), &descriptor(&url, "unpack = [\"ratings.dat\"]")).unwrap_err();
        assert!(message.contains(expected), "{name}: {message}");
        assert_eq!(names(&folder.path().join("movielens-1m")), [ACCEPTED, name], "{name}");
    }
}
