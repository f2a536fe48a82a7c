//! A folder for what one server reads and writes.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of one server's own, removed with everything in it when dropped.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("gannet-real-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        // One that is left of an earlier process of the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self { path }
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let file = self.path.join(name);
        let parent = file.parent().expect("a file is in a folder");
        fs::create_dir_all(parent).expect("a folder");
        fs::write(file, bytes).expect("room on the disk");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to sweep.
        let _ = fs::remove_dir_all(&self.path);
    }
}
