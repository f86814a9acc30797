"""A FUSE file system that passes everything on to a folder, except hard links. Arguments: folder, mount point, the code with which
link fails, whether names are found in any case."""

import errno
import os
import sys

from fusepy import FUSE, FuseOSError, Operations


class Plain(Operations):
    def __init__(self, root, link_error, ignore_case):
        self.root = root
        self.link_error = getattr(errno, link_error)
        self.ignore_case = ignore_case

    def at(self, path):
        if not self.ignore_case:
            return self.root + path
        real = self.root
        for name in path.split("/")[1:]:
            names = os.listdir(real) if os.path.isdir(real) else []
            same = [found for found in names if found.lower() == name.lower()]
            real = os.path.join(real, same[0] if same else name)
        return real

    def getattr(self, path, fh=None):
        found = os.lstat(self.at(path)) if fh is None else os.fstat(fh)
        keys = ("st_mode", "st_size", "st_uid", "st_gid", "st_nlink", "st_atime", "st_mtime", "st_ctime")
        return {key: getattr(found, key) for key in keys}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def statfs(self, path):
        found = os.statvfs(self.at(path))
        return {key: getattr(found, key) for key in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail")}

    def mkdir(self, path, mode):
        os.mkdir(self.at(path), mode)

    def rmdir(self, path):
        os.rmdir(self.at(path))

    def unlink(self, path):
        os.unlink(self.at(path))

    def rename(self, old, new):
        os.rename(self.at(old), self.at(new))

    def link(self, target, source):
        raise FuseOSError(self.link_error)

    def create(self, path, mode, fi=None):
        return os.open(self.at(path), os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def open(self, path, flags):
        return os.open(self.at(path), flags & ~(os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW))

    def truncate(self, path, length, fh=None):
        os.truncate(self.at(path), length)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def fsyncdir(self, path, datasync, fh):
        raise FuseOSError(errno.EINVAL)

    def release(self, path, fh):
        os.close(fh)


_, behind, mount_point, link_error, ignore_case = sys.argv
FUSE(Plain(behind, link_error, ignore_case == "true"), mount_point, foreground=True, nothreads=True, big_writes=True)
