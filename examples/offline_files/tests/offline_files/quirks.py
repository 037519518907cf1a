"""Mounts a directory with the limits of other file systems: quirks.py DIRECTORY MOUNT_POINT [OPTION=VALUE]...

case=ignore    one entry for all spellings of a name (APFS, NTFS, exFAT, SMB)
inodes=one     one inode number for all spellings of a name, as on a local disk
fail=NAME      no look-up of this name succeeds
error=NAME     the error of that look-up instead of EIO (CIFS: EINVAL for a backslash, APFS: EILSEQ for a name that is not UTF-8)
grain=N        modification times in multiples of N nanoseconds (FAT: 2e9, HFS+: 1e9)
latest=N       no modification time after this second (ext3: 2147483647)
ctime=MODE     `modified`: the time of change is that of modification, so that programs can set it (FAT, some network file systems)
chmod=MODE     `ignore` accepts changes of permissions without effect, `refuse` does not accept them
utime=MODE     the same for changes of the modification time
"""
import errno
import os
import sys
import unicodedata

from fuse import FUSE, FuseOSError, Operations

options = dict(argument.split("=", 1) for argument in sys.argv[3:])


def fold(name):
    return unicodedata.normalize("NFC", name).casefold()


class Quirks(Operations):
    use_ns = True
    flag_utime_omit_ok = True

    def __init__(self, root):
        self.root = root

    def __call__(self, operation, path, *arguments):
        try:
            return getattr(self, operation)(path, *arguments)
        except OSError as error:
            raise FuseOSError(error.errno) from None

    def real(self, path):
        found = self.root
        for name in filter(None, path.split("/")):
            names = os.listdir(found) if options.get("case") == "ignore" and os.path.isdir(found) else []
            if name not in names:
                name = next((other for other in names if fold(other) == fold(name)), name)
            found = os.path.join(found, name)
        return found

    def permitted(self, option):
        if options.get(option) == "refuse":
            raise OSError(errno.EPERM, "")
        return option not in options

    def check_name(self, path):
        if os.path.basename(path) == options.get("fail"):
            raise OSError(getattr(errno, options.get("error", "EIO")), "")

    def getattr(self, path, handle=None):
        self.check_name(path)
        about = os.lstat(self.real(path))
        found = {key: getattr(about, key) for key in ("st_nlink", "st_size", "st_uid", "st_gid", "st_blocks", "st_mode", "st_ino")}
        found |= {key: getattr(about, key + "_ns") for key in ("st_atime", "st_mtime", "st_ctime")}
        grain = int(float(options.get("grain", 1)))
        latest = int(options.get("latest", 1 << 62)) * 10**9
        found["st_mtime"] = min(found["st_mtime"] - found["st_mtime"] % grain, latest)
        if "ctime" in options:
            found["st_ctime"] = found["st_mtime"]
        if "chmod" in options:
            found["st_mode"] = about.st_mode & ~0o7777 | 0o755
        return found

    def readdir(self, path, handle):
        return [".", "..", *os.listdir(self.real(path))]

    def chmod(self, path, mode):
        if self.permitted("chmod"):
            os.chmod(self.real(path), mode)

    def utimens(self, path, times=None):
        if self.permitted("utime") and times:
            os.utime(self.real(path), ns=(times[1], times[1]), follow_symlinks=False)

    def create(self, path, mode, info=None):
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path, flags):
        return os.open(self.real(path), flags & ~os.O_NOFOLLOW)

    def read(self, path, size, offset, handle):
        return os.pread(handle, size, offset)

    def write(self, path, data, offset, handle):
        return os.pwrite(handle, data, offset)

    def truncate(self, path, length, handle=None):
        os.truncate(self.real(path), length)

    def release(self, path, handle):
        os.close(handle)

    def mkdir(self, path, mode):
        os.mkdir(self.real(path), mode)

    def rmdir(self, path):
        os.rmdir(self.real(path))

    def unlink(self, path):
        os.unlink(self.real(path))

    def symlink(self, path, target):
        os.symlink(target, self.real(path))

    def readlink(self, path):
        return os.readlink(self.real(path))

    def rename(self, old, new):
        os.rename(self.real(old), self.real(new))


FUSE(Quirks(sys.argv[1]), sys.argv[2], foreground=True, hard_remove=True, attr_timeout=0, entry_timeout=0,
     **({"use_ino": True} if "inodes" in options else {}))
