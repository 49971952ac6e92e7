//! A real nginx: plain, with TLS, and on a Unix socket.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hostpool::{CloseReason, ConnectionPool, ConnectionPoolBuilder, StatusCode};

use crate::support::{GIVE_UP, eventually};
use crate::{Process, free_port, program};

/// Where a server of the system may be installed besides the PATH of an ordinary user.
const NGINX: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];

const LARGE: usize = 16 << 20;

/// A running nginx with its files.
pub struct Nginx {
    _process: Process,
    directory: tempfile::TempDir,
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    /// The authority of its certificate.
    pub certificate: String,
}

pub fn nginx() -> Option<Nginx> {
    let program = program("nginx", &NGINX, "-v")?;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("www")).unwrap();
    fs::write(path.join("www/small"), "small").unwrap();
    fs::write(path.join("www/empty"), "").unwrap();
    fs::write(path.join("www/large"), large()).unwrap();
    fs::write(path.join("www/text.html"), "text ".repeat(10_000)).unwrap();
    let certificate = write_certificates(path);
    let [plain, tls] = [free_port(), free_port()];
    fs::write(path.join("nginx.conf"), configuration(path, plain, tls)).unwrap();
    let log = fs::File::create(path.join("log")).unwrap();
    let process = Command::new(program)
        .args(["-e", "stderr", "-p"])
        .arg(path)
        .arg("-c")
        .arg(path.join("nginx.conf"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let nginx = Nginx { _process: Process(process), directory, plain, tls, certificate };
    eventually("the start of nginx", || TcpStream::connect(plain).is_ok() && TcpStream::connect(tls).is_ok());
    Some(nginx)
}

fn large() -> Vec<u8> {
    (0..LARGE).map(|n| (n % 251) as u8).collect()
}

/// An authority, and a certificate of it for the address; gives the authority's.
pub fn write_certificates(path: &Path) -> String {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&server_key, &issuer).unwrap();
    fs::write(path.join("server.pem"), server.pem()).unwrap();
    fs::write(path.join("server.key"), server_key.serialize_pem()).unwrap();
    root.pem()
}

fn configuration(path: &Path, plain: SocketAddr, tls: SocketAddr) -> String {
    let path = path.display();
    // A server started by root gives up its rights, and could not read the files of the test then.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        r#"
daemon off; master_process off; pid {path}/pid; {user}
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
    types {{ text/html html; }}
    gzip on; gzip_min_length 1;
    client_max_body_size 1m;
    keepalive_requests 100000;
    server {{
        listen {plain}; listen {tls} ssl; listen unix:{path}/socket;
        ssl_certificate {path}/server.pem; ssl_certificate_key {path}/server.key;
        root {path}/www;
        location /old {{ return 301 /small; }}
        location /say {{ return 200 "said"; }}
        location /three {{ keepalive_requests 3; return 200 "three"; }}
        location /brief {{ keepalive_timeout 1s 1s; return 200 "brief"; }}
        location /status {{ stub_status; }}
    }}
}}
"#
    )
}

/// The same server by three ways.
fn ways(nginx: &Nginx) -> Vec<(&'static str, ConnectionPoolBuilder)> {
    let socket: PathBuf = nginx.directory.path().join("socket");
    let socket = socket.to_str().unwrap().replace('/', "%2F");
    let pool = |url: String| ConnectionPool::builder(&url).timeout(GIVE_UP);
    let mut ways =
        vec![("plain", pool(format!("http://{}", nginx.plain))), ("unix", pool(format!("http+unix://{socket}")))];
    if cfg!(feature = "rustls") {
        let tls = hostpool::TlsConfig::builder().root_pem(nginx.certificate.as_bytes()).build().unwrap();
        ways.push(("tls", pool(format!("https://{}", nginx.tls)).tls(tls)));
    }
    ways
}

/// Runs `test` by each way, against one server.
fn by_every_way(test: impl Fn(&str, ConnectionPoolBuilder)) {
    let Some(nginx) = nginx() else { return };
    for (way, builder) in ways(&nginx) {
        test(way, builder);
    }
}

#[test]
fn files() {
    let large = large();
    by_every_way(|way, builder| {
        let pool = builder.build().unwrap();
        for _ in 0..30 {
            assert_eq!(pool.get("/small").send().unwrap().bytes().unwrap(), b"small", "{way}");
            assert_eq!(pool.get("/empty").send().unwrap().bytes().unwrap(), b"", "{way}");
        }
        assert!(pool.get("/large").send().unwrap().bytes().unwrap() == large, "{way}");
        let head = pool.head("/large").send().unwrap();
        assert_eq!((head.status(), head.headers().get("content-length")), (StatusCode::OK, Some("16777216")), "{way}");
        assert_eq!(head.bytes().unwrap(), b"", "{way}");
        let missing = pool.get("/missing").send().unwrap();
        assert_eq!(missing.status(), StatusCode::NOT_FOUND, "{way}");
        assert!(missing.text().unwrap().contains("404"), "{way}");
        let moved = pool.get("/old").allow_redirects(false).send().unwrap();
        assert_eq!(moved.status(), StatusCode::MOVED_PERMANENTLY, "{way}");
        assert!(moved.headers().get("location").unwrap().ends_with("/small"), "{way}");
        drop(moved);
        assert_eq!(pool.post("/say").data("something").send().unwrap().text().unwrap(), "said", "{way}");
        assert_eq!(pool.stats().created, 1, "{way}: all of it over one connection");
    });
}

/// Compressed on the fly, so that its length is not known in advance.
#[test]
fn chunked() {
    by_every_way(|way, builder| {
        let pool = builder.build().unwrap();
        for decode in [true, false].repeat(5) {
            let request = pool.get("/text.html").header("Accept-Encoding", "gzip").decode_content(decode);
            let response = request.send().unwrap();
            assert_eq!(response.headers().get("transfer-encoding"), Some("chunked"), "{way}");
            assert_eq!(response.headers().get("content-encoding"), Some("gzip"), "{way}");
            let body = response.bytes().unwrap();
            match decode && cfg!(feature = "gzip") {
                true => assert_eq!(body, "text ".repeat(10_000).as_bytes(), "{way}"),
                false => assert!(body.starts_with(&[0x1F, 0x8B]), "{way}"),
            }
        }
        assert_eq!(pool.stats().created, 1, "{way}");
    });
}

/// The server closes each connection after three requests, and says so.
#[test]
fn connections_that_the_server_ends() {
    by_every_way(|way, builder| {
        let pool = builder.build().unwrap();
        for _ in 0..30 {
            assert_eq!(pool.get("/three").send().unwrap().text().unwrap(), "three", "{way}");
        }
        assert_eq!((pool.stats().created, pool.stats().closed(CloseReason::NotReusable)), (10, 10), "{way}");
    });
}

/// An idle connection ends after a second; the server's word on that is kept, and nobody notices.
#[test]
fn connections_that_were_idle_for_too_long() {
    by_every_way(|way, builder| {
        let pool = builder.build().unwrap();
        let response = pool.get("/brief").send().unwrap();
        assert_eq!(response.headers().get("keep-alive"), Some("timeout=1"), "{way}");
        response.text().unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        // A POST, which is not sent again if it meets a connection that is closed.
        assert_eq!(pool.post("/brief").data("x").send().unwrap().text().unwrap(), "brief", "{way}");
        assert_eq!((pool.stats().created, pool.stats().replayed), (2, 0), "{way}");
    });
}

#[test]
fn an_upload_that_is_refused() {
    by_every_way(|way, builder| {
        let pool = builder.build().unwrap();
        let response = pool.post("/say").data(vec![0; 32 << 20]).send().unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{way}");
        drop(response);
        assert_eq!(pool.get("/small").send().unwrap().text().unwrap(), "small", "{way}");
    });
}

/// The server's own count of its connections, while many threads share few.
#[test]
fn many_threads_and_four_connections() {
    by_every_way(|way, builder| {
        let pool = builder.maxsize(4).block(true).build().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        assert_eq!(pool.get("/small").send().unwrap().bytes().unwrap(), b"small", "{way}");
                        let status = pool.get("/status").send().unwrap().text().unwrap();
                        let active = status.lines().next().unwrap().rsplit(' ').find(|word| !word.is_empty()).unwrap();
                        assert!(active.parse::<usize>().unwrap() <= 4 + 4, "{way}: {status}");
                    }
                });
            }
        });
        let stats = pool.stats();
        assert_eq!((stats.created, stats.open, stats.in_use, stats.waiting), (4, 4, 0, 0), "{way}");
    });
}
