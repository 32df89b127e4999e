//! A disk whose power fails, and what it has kept then.

use rapport_backend::log::{Disk, MachineDisk};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A disk that works for so many steps.
#[derive(Debug)]
pub struct Power(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    left: u64,
    /// Written, but not synced since.
    dirty: BTreeSet<PathBuf>,
    /// Done to names in directories that were not synced since.
    unsure: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf, Vec<u8>),
}

/// What a power cut spares: both are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spared {
    All,
    Synced,
}

impl Power {
    pub fn for_steps(left: u64) -> Self {
        Self(Mutex::new(State { left, ..State::default() }))
    }

    fn step(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let mut state = self.0.lock().unwrap();
        state.left = state.left.checked_sub(1).ok_or(io::Error::other("the power failed"))?;
        Ok(state)
    }

    /// Leaves on the disk what the cut spares.
    pub fn cut(&self, spared: Spared) {
        let mut state = self.0.lock().unwrap();
        if spared == Spared::All {
            return;
        }
        while let Some(change) = state.unsure.pop() {
            match change {
                Change::Renamed(from, to) => {
                    std::fs::rename(&to, &from).unwrap();
                    if state.dirty.remove(&to) {
                        state.dirty.insert(from);
                    }
                }
                Change::Removed(path, bytes) => std::fs::write(path, bytes).unwrap(),
            }
        }
        for path in &state.dirty {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }
    }
}

impl Disk for Power {
    fn write(&self, path: &Path, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.step()?.dirty.insert(path.to_owned());
        MachineDisk.write(path, file, bytes, at)
    }

    fn sync(&self, path: &Path, _: &File) -> io::Result<()> {
        self.step()?.dirty.remove(path);
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.step()?.dirty.insert(path.to_owned());
        MachineDisk.create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        MachineDisk.rename(from, to)?;
        if state.dirty.remove(from) {
            state.dirty.insert(to.to_owned());
        }
        state.unsure.push(Change::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let bytes = std::fs::read(path)?;
        MachineDisk.remove(path)?;
        state.unsure.push(Change::Removed(path.to_owned(), bytes));
        Ok(())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        self.step()?.unsure.clear();
        Ok(())
    }
}
