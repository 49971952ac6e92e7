//! Attaches to a program in a container: types into it, and shows what it says, over the socket of a Docker daemon.
//!
//! `cargo run --example attach` starts a daemon of its own that knows one container, which sorts its input.
//! `cargo run --example attach -- /run/docker.sock NAME` attaches to a container that runs, with the terminal as its input.
//!
//! One thread writes and another reads. When the input ends, the program in the container is told so, and its output is
//! still read to the end.

#[cfg(not(unix))]
fn main() {
    println!("this system has no Unix sockets");
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(socket), Some(name)) => attach::attach(socket.as_ref(), &name, std::io::stdin()),
        _ => {
            let path = std::env::temp_dir().join(format!("attach-{}.sock", std::process::id()));
            let daemon = daemon::serve(&path)?;
            let attached = attach::attach(&path, "sort", "pear\napple\nfig\n".as_bytes());
            std::fs::remove_file(path)?;
            drop(daemon);
            attached
        }
    }
}

#[cfg(unix)]
mod attach {
    use std::io::{self, Read};
    use std::path::Path;
    use std::thread;

    use hostpool::{Session, UpgradedReader, Url};

    /// The type of a stream in which output and errors come in frames. Without it, all bytes are output: the container
    /// has a terminal.
    const FRAMES: &str = "application/vnd.docker.multiplexed-stream";

    pub fn attach(
        socket: &Path,
        container: &str,
        mut input: impl Read + Send + 'static,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let target = format!("/v1.47/containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1");
        let url = Url::unix(socket, &target)?;
        // Older daemons answer 200 in place of 101. Both can be upgraded.
        let attached = Session::new().post(url).upgrade_to("tcp").send()?.upgrade()?;
        let has_frames = attached.head().headers().get("content-type") == Some(FRAMES);
        let (reader, mut writer) = attached.into_split();
        // It may wait for the terminal for ever, so nobody waits for it.
        thread::spawn(move || {
            // An error means that the container is gone, which the reader sees too.
            let _ = io::copy(&mut input, &mut writer);
            // Dropping its half tells the program that its input has ended.
            drop(writer);
        });
        show(&reader, has_frames)?;
        Ok(())
    }

    /// Writes the output of the container to the terminal, until it ends.
    fn show(mut attached: &UpgradedReader, has_frames: bool) -> io::Result<()> {
        let (mut output, mut errors) = (io::stdout().lock(), io::stderr().lock());
        if !has_frames {
            return io::copy(&mut attached, &mut output).map(drop);
        }
        let mut head = [0; 8];
        loop {
            // The orderly end comes between two frames.
            if attached.read(&mut head[..1])? == 0 {
                return Ok(());
            }
            attached.read_exact(&mut head[1..])?;
            let [stream, _, _, _, length @ ..] = head;
            let mut frame = attached.take(u64::from(u32::from_be_bytes(length)));
            match stream {
                2 => io::copy(&mut frame, &mut errors)?,
                _ => io::copy(&mut frame, &mut output)?,
            };
        }
    }
}

/// A daemon with one container, which sorts the lines of its input.
#[cfg(unix)]
mod daemon {
    use std::io::{self, BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::thread::{self, JoinHandle};

    pub fn serve(path: &Path) -> io::Result<JoinHandle<io::Result<()>>> {
        let listener = UnixListener::bind(path)?;
        Ok(thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line)? > 2 {
                line.clear();
            }
            (&stream).write_all(
                b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\
                  Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
            )?;
            let mut lines = reader.lines().collect::<io::Result<Vec<_>>>()?;
            lines.sort();
            for line in lines {
                (&stream).write_all(&[1, 0, 0, 0])?;
                (&stream).write_all(&(line.len() as u32 + 1).to_be_bytes())?;
                writeln!(&stream, "{line}")?;
            }
            Ok(())
        }))
    }
}
