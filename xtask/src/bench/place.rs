//! Where the cells read and write: files and devices that exist for the run alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{Advice, OFlags, fadvise, statvfs};
use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use super::groups::Place;
use super::interruption;
use super::machine;
use super::page_buffer::PageBuffer;
use super::zram::Zram;

/// What the record says about a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ground {
    pub(crate) bytes: u64,
    pub(crate) direct: bool,
    pub(crate) file_system: String,
    pub(crate) device: String,
}

/// A file or a device that is filled and ready. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) path: PathBuf,
    pub(crate) ground: Ground,
    _keeper: Keeper,
}

#[derive(Debug)]
enum Keeper {
    Nothing,
    File(#[expect(dead_code, reason = "removes the file when dropped")] TempPath),
    Device(#[expect(dead_code, reason = "removes the device when dropped")] Zram),
}

/// Every place of the run: ready, or why it is not there.
#[derive(Debug)]
pub(crate) struct Sites(BTreeMap<Place, Result<Site, String>>);

/// How large the files are and where the disk is.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    pub(crate) file_bytes: u64,
}

const TMPFS: &str = "/dev/shm";
/// What a log begins behind.
const LOG_BYTES: u64 = 1 << 20;
/// What is written at once when a file is filled.
const CHUNK: usize = 4 << 20;
/// Memory that is left to everything else when a place takes some.
const SPARE: u64 = 64 << 20;

impl Sites {
    /// Prepares each of `places`; `said` is told before each that takes a while.
    pub(crate) fn prepare(
        places: &BTreeSet<Place>,
        layout: &Layout,
        said: &mut dyn FnMut(&str),
    ) -> anyhow::Result<Self> {
        let mut sites = BTreeMap::new();
        for &place in places {
            interruption::check()?;
            if place != Place::Nowhere {
                said(&format!("preparing {}", place.name()));
            }
            let site = prepare(place, layout);
            interruption::check()?;
            sites.insert(place, site);
        }
        Ok(Self(sites))
    }

    pub(crate) fn ready(&self, place: Place) -> Option<&Site> {
        self.0.get(&place)?.as_ref().ok()
    }

    /// Each place that is not there, with the reason.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (Place, &str)> {
        let sites = self.0.iter();
        sites.filter_map(|(place, site)| Some((*place, site.as_ref().err()?.as_str())))
    }

    /// What is there, for the record.
    pub(crate) fn grounds(&self) -> BTreeMap<Place, Ground> {
        let sites = self.0.iter();
        sites
            .filter(|(place, _)| **place != Place::Nowhere)
            .filter_map(|(place, site)| Some((*place, site.as_ref().ok()?.ground.clone())))
            .collect()
    }
}

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nowhere => "nothing",
            Self::PageCache => "a file in the page cache",
            Self::Disk => "a file on the disk",
            Self::LogFile => "the file of the log",
            Self::Tmpfs => "a file in tmpfs",
            Self::Zram => "a block device in memory (zram)",
        }
    }
}

fn prepare(place: Place, layout: &Layout) -> Result<Site, String> {
    let bytes = layout.file_bytes;
    let prepared = match place {
        Place::Nowhere => Ok(Site::nowhere()),
        Place::PageCache => file(&layout.dir, place, bytes).and_then(|site| {
            read_through(&site.path)?;
            Ok(site)
        }),
        Place::Disk => file(&layout.dir, place, bytes).and_then(|site| {
            open_direct(&site.path).with_context(|| {
                let dir = layout.dir.display();
                format!("no O_DIRECT in {dir}; --dir names a folder on another file system")
            })?;
            Ok(site)
        }),
        Place::LogFile => file(&layout.dir, place, LOG_BYTES.min(bytes)),
        Place::Tmpfs => tmpfs(bytes),
        Place::Zram => zram(bytes),
    };
    prepared.map_err(|error| format!("{error:#}"))
}

impl Site {
    fn nowhere() -> Self {
        Self {
            path: PathBuf::from("/dev/null"),
            ground: Ground {
                bytes: 0,
                direct: false,
                file_system: String::new(),
                device: String::new(),
            },
            _keeper: Keeper::Nothing,
        }
    }
}

fn tmpfs(bytes: u64) -> anyhow::Result<Site> {
    let dir = Path::new(TMPFS);
    let found = machine::mount_of(dir)?;
    anyhow::ensure!(
        found.file_system == "tmpfs",
        "{TMPFS} is not a tmpfs but {}",
        found.file_system
    );
    file(dir, Place::Tmpfs, bytes)
}

/// A file of random bytes that are on the disk when this returns.
fn file(dir: &Path, place: Place, bytes: u64) -> anyhow::Result<Site> {
    let free = statvfs(dir).with_context(|| dir.display().to_string())?;
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    anyhow::ensure!(
        free >= bytes + SPARE,
        "{} has {} MiB free, {} MiB are needed; --dir names another folder",
        dir.display(),
        free >> 20,
        (bytes + SPARE) >> 20
    );
    let named = tempfile::Builder::new()
        .prefix("io-engine-bench-")
        .tempfile_in(dir)
        .with_context(|| format!("no file can be made in {}", dir.display()))?;
    let (mut file, path) = named.into_parts();
    fill(&mut file, bytes).with_context(|| path.display().to_string())?;
    if place == Place::Disk {
        // Not needed for direct I/O, but its pages would only be in the way.
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    let found = machine::mount_of(dir)?;
    Ok(Site {
        path: path.to_path_buf(),
        ground: Ground {
            bytes,
            direct: place.is_direct(),
            file_system: found.file_system,
            device: found.device,
        },
        _keeper: Keeper::File(path),
    })
}

fn zram(bytes: u64) -> anyhow::Result<Site> {
    let needed = (bytes + SPARE) >> 10;
    let available = machine::available_kib()?;
    anyhow::ensure!(
        available >= needed,
        "{} MiB of memory are available, {} MiB are needed",
        available >> 10,
        needed >> 10
    );
    let device = Zram::add(bytes).map_err(anyhow::Error::msg)?;
    let path = device.path();
    let mut opened = File::options().write(true).open(&path)?;
    fill(&mut opened, bytes).with_context(|| path.display().to_string())?;
    fadvise(&opened, 0, None, Advice::DontNeed)?;
    Ok(Site {
        path,
        ground: Ground {
            bytes,
            direct: true,
            file_system: "none".to_owned(),
            device: "zram".to_owned(),
        },
        _keeper: Keeper::Device(device),
    })
}

/// Random bytes, so that nothing below can make them smaller.
fn fill(file: &mut File, bytes: u64) -> anyhow::Result<()> {
    let chunk = PageBuffer::filled(CHUNK, 1);
    let mut left = bytes;
    while left > 0 {
        interruption::check()?;
        let part = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        file.write_all(&chunk[..part])?;
        left -= part as u64;
    }
    file.sync_all()?;
    Ok(())
}

/// Reads a file to its end, which leaves it in the page cache.
pub(crate) fn read_through(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; CHUNK];
    while file.read(&mut chunk)? > 0 {}
    Ok(())
}

fn open_direct(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECT.bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dir: &Path) -> Layout {
        Layout {
            dir: dir.to_owned(),
            file_bytes: 5 << 20,
        }
    }

    #[test]
    fn files_have_their_size_and_are_gone_behind_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let places = BTreeSet::from([Place::Nowhere, Place::PageCache, Place::LogFile]);
        let mut said = Vec::new();
        let mut tell = |what: &str| said.push(what.to_owned());
        let sites = Sites::prepare(&places, &layout(dir.path()), &mut tell).unwrap();
        let site = sites.ready(Place::PageCache).unwrap();
        assert_eq!(site.path.metadata().unwrap().len(), 5 << 20);
        assert_eq!(sites.grounds().len(), 2, "nothing needs no ground");
        assert_eq!(said.len(), 2);
        assert_eq!(sites.missing().count(), 0);
        drop(sites);
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_cannot_be_made_says_why_and_no_other_suffers() {
        let dir = tempfile::tempdir().unwrap();
        let huge = Layout {
            file_bytes: 1 << 60,
            ..layout(dir.path())
        };
        let places = BTreeSet::from([Place::Nowhere, Place::PageCache]);
        let sites = Sites::prepare(&places, &huge, &mut |_| {}).unwrap();
        let missing: Vec<_> = sites.missing().collect();
        assert!(missing[0].1.contains("MiB free"), "{missing:?}");
        assert!(sites.ready(Place::Nowhere).is_some());
    }
}
