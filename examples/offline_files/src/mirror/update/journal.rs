//! A journal: the parts of a file that are to be written into another one, complete before the first of them is written.
//!
//! It begins with a [`Header`]. Each run of bytes that differ follows: its offset and length, a checksum of each old sector, and the new
//! bytes. A run of length 0 and the checksum of everything before it are the end. All numbers have 8 bytes, the least significant first.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use rustix::fs::Timespec;

use super::checksum::Checksum;

const MAGIC: &[u8; 16] = b"offline_files 2\n";

/// The unit in which a disk writes: after a power failure each sector is the old or the new one.
pub(super) const SECTOR: usize = 512;

/// The maximum length of a run.
pub(super) const LONGEST: usize = 256 * 1024;

/// The maximum length of a file name.
const LONGEST_NAME: u64 = 4096;

/// The identity of a file, which no other one on the same file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) inode: u64,
    /// The time of its creation in nanoseconds since 1970, as a later file can have its inode number; 0 if the file system stores none.
    pub(super) born: u64,
}

impl FileId {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        let since = about.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born = since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        Ok(Self { inode: about.ino(), born })
    }
}

/// What a journal is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The name of the file to write into.
    pub(super) name: OsString,
    pub(super) id: FileId,
    /// Its size before and after.
    pub(super) old_size: u64,
    pub(super) new_size: u64,
    /// Its modification time afterwards.
    pub(super) modified: Timespec,
}

/// Bytes to write.
pub(super) struct Run {
    pub(super) offset: u64,
    /// The checksum of each sector before, which ends with zeros where the file did.
    pub(super) old: Vec<Checksum>,
    pub(super) new: Vec<u8>,
}

/// Writes a journal.
pub(super) struct Writer<'a> {
    file: BufWriter<&'a File>,
    checksum: Checksum,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(file: &'a File, header: &Header) -> io::Result<Self> {
        let mut writer = Self { file: BufWriter::with_capacity(LONGEST, file), checksum: Checksum::default() };
        writer.put(MAGIC)?;
        let Header { name, id, old_size, new_size, modified } = header;
        let time = [modified.tv_sec.cast_unsigned(), modified.tv_nsec.cast_unsigned()];
        for number in [id.inode, id.born, *old_size, *new_size].into_iter().chain(time).chain([name.len() as u64]) {
            writer.put(&number.to_le_bytes())?;
        }
        writer.put(name.as_bytes())?;
        Ok(writer)
    }

    /// Adds a run, which is not empty. `old` has the same length.
    pub(super) fn add(&mut self, offset: u64, old: &[u8], new: &[u8]) -> io::Result<()> {
        for number in [offset, new.len() as u64] {
            self.put(&number.to_le_bytes())?;
        }
        old.chunks(SECTOR).try_for_each(|sector| self.put(&Checksum::of(sector).0.to_le_bytes()))?;
        self.put(new)
    }

    /// Completes the journal, which then also survives a power failure.
    pub(super) fn end(mut self) -> io::Result<()> {
        for number in [0, 0] {
            self.put(&u64::to_le_bytes(number))?;
        }
        let checksum = self.checksum.0.to_le_bytes();
        self.put(&checksum)?;
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.add(bytes);
        self.file.write_all(bytes)
    }
}

/// A complete journal.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) header: Header,
    file: File,
}

impl Journal {
    /// Reads a journal. `None` if it is incomplete or damaged, or another file.
    pub(super) fn open(file: File) -> io::Result<Option<Self>> {
        let check = || {
            let mut reader = Reader::begin(&file)?;
            let header = reader.header()?;
            while reader.next()?.is_some() {}
            Ok(header)
        };
        match check() {
            Ok(header) => Ok(Some(Self { header, file })),
            Err(error) if is_damage(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads all runs.
    pub(super) fn runs(&self) -> io::Result<impl Iterator<Item = io::Result<Run>>> {
        let mut reader = Reader::begin(&self.file)?;
        reader.header()?;
        Ok(std::iter::from_fn(move || reader.next().transpose()))
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

/// Reads what a [`Writer`] has written.
struct Reader<'a> {
    file: BufReader<&'a File>,
    checksum: Checksum,
}

impl<'a> Reader<'a> {
    fn begin(mut file: &'a File) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self { file: BufReader::with_capacity(LONGEST, file), checksum: Checksum::default() })
    }

    fn header(&mut self) -> io::Result<Header> {
        if self.take(MAGIC.len())? != MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let [inode, born, old_size, new_size, seconds, nanos, length] = self.numbers()?;
        if length > LONGEST_NAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let name = OsString::from_vec(self.take(length as usize)?);
        let modified = Timespec { tv_sec: seconds.cast_signed(), tv_nsec: nanos.cast_signed() };
        Ok(Header { name, id: FileId { inode, born }, old_size, new_size, modified })
    }

    /// Reads a run; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Run>> {
        let [offset, length] = self.numbers()?;
        if length == 0 {
            let expected = self.checksum.0;
            let [checksum] = self.numbers()?;
            return if checksum == expected { Ok(None) } else { Err(io::ErrorKind::InvalidData.into()) };
        }
        if length > LONGEST as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = length as usize;
        let old = (0..length.div_ceil(SECTOR)).map(|_| self.numbers().map(|[number]| Checksum(number)));
        let old = old.collect::<io::Result<_>>()?;
        Ok(Some(Run { offset, old, new: self.take(length)? }))
    }

    fn numbers<const COUNT: usize>(&mut self) -> io::Result<[u64; COUNT]> {
        let mut numbers = [0; COUNT];
        for number in &mut numbers {
            let bytes = self.take(8)?;
            *number = u64::from_le_bytes(bytes.try_into().expect("8 bytes were read"));
        }
        Ok(numbers)
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        self.checksum.add(&bytes);
        Ok(bytes)
    }
}
