//! A folder to run `rapport` in, and leads to run it on.
#![allow(dead_code)] // each test program needs a part

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder of its own for each test, gone with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rapport-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rapport"))
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap()
    }

    pub fn ok(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Rows of invented leads, of which about half are won.
pub fn leads(rows: usize, from: usize) -> String {
    let mut text = "visits,source,since,won\n".to_owned();
    for row in from..from + rows {
        let visits = row * 7919 % 23;
        let source = ["Messe Köln", "web", "Empfehlung"][row * 31 % 3];
        let luck = row * 104_729 % 17;
        let won = visits + 4 * (row * 31 % 3) + luck > 22;
        let _ = writeln!(
            text,
            "{visits},{source},{:02}.{:02}.2024,{}",
            row % 28 + 1,
            row % 11 + 1,
            if won { "yes" } else { "no" }
        );
    }
    text
}
