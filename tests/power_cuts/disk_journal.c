/* A shim for LD_PRELOAD that writes down what a program does to the files of one folder, in order, and when it syncs.
 *
 * DISK_JOURNAL names the file that takes the notes, DISK_JOURNAL_ROOT the folder (absolute, without links). A note is a
 * header and a payload, as journal.py reads them; it follows the call that it is about, and calls are made one by one,
 * so that notes stand in the order of what happened. fsync and fdatasync are noted and not carried out: whoever kills
 * the program rebuilds the folder as a disk would show it, and wants that soon. A call that changes such a file and is
 * not known here ends the program: nothing is missed in silence. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, SYMLINK, SYNC_FOLDER, LINK };
enum { FILES_MAX = 4096, PATH_BYTES = 4096 };

struct head {
    uint32_t kind, payload_bytes;
    uint64_t file;
    int64_t offset;
};

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char root[PATH_BYTES];
static size_t root_bytes;
static ino_t tracked[FILES_MAX]; /* by descriptor: the file behind it, if it is one of the folder's */

static void fail(const char *what) {
    dprintf(2, "disk_journal: %s: %s\n", what, strerror(errno));
    _exit(99);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISK_JOURNAL"), *folder = getenv("DISK_JOURNAL_ROOT");
    if (!path || !folder) return;
    root_bytes = strlen(folder);
    if (root_bytes >= sizeof root) fail(folder);
    memcpy(root, folder, root_bytes);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) fail(path);
}

static void note(uint32_t kind, uint64_t file, int64_t offset, const void *a, size_t a_bytes, const void *b,
                 size_t b_bytes) {
    struct head head = {kind, (uint32_t)(a_bytes + b_bytes), file, offset};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)a, a_bytes}, {(void *)b, b_bytes}};
    if (syscall(SYS_writev, journal, parts, 3) != (long)(sizeof head + a_bytes + b_bytes)) fail("note");
}

/* The path below the folder that `path` names, its last part as it stands; 0 where it is elsewhere. */
static int below(int folder, const char *path, char *out) {
    char whole[2 * PATH_BYTES], resolved[PATH_BYTES], link[64];
    if (journal < 0 || !path || !*path) return 0;
    if (*path == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char start[PATH_BYTES];
        ssize_t length;
        if (folder == AT_FDCWD) {
            if (!getcwd(start, sizeof start)) return 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            if ((length = readlink(link, start, sizeof start - 1)) < 0) return 0;
            start[length] = 0;
        }
        snprintf(whole, sizeof whole, "%s/%s", start, path);
    }
    size_t end = strlen(whole);
    while (end > 1 && whole[end - 1] == '/') whole[--end] = 0;
    if (realpath(whole, resolved) && strcmp(resolved, root) == 0) {
        *out = 0;
        return 1;
    }
    char *name = strrchr(whole, '/');
    if (!name) return 0;
    *name++ = 0;
    if (!realpath(*whole ? whole : "/", resolved)) return 0;
    if (strncmp(resolved, root, root_bytes) != 0 || (resolved[root_bytes] && resolved[root_bytes] != '/')) return 0;
    const char *within = resolved[root_bytes] ? resolved + root_bytes + 1 : "";
    return snprintf(out, PATH_BYTES, "%s%s%s", within, *within ? "/" : "", name) < PATH_BYTES;
}

static int is_tracked(int descriptor, struct stat *is) {
    if (journal < 0 || descriptor < 0 || descriptor >= FILES_MAX || !tracked[descriptor]) return 0;
    return fstat(descriptor, is) == 0 && is->st_ino == tracked[descriptor];
}

static int open_noted(int folder, const char *path, int flags, mode_t mode) {
    char within[PATH_BYTES];
    int is_ours = below(folder, path, within);
    if (!is_ours) return (int)syscall(SYS_openat, folder, path, flags, mode);
    struct stat before, is;
    pthread_mutex_lock(&turn);
    int is_new = (flags & O_CREAT) && fstatat(folder, path, &before, AT_SYMLINK_NOFOLLOW) != 0;
    int descriptor = (int)syscall(SYS_openat, folder, path, flags, mode);
    int fault = errno;
    if (descriptor >= FILES_MAX) fail("too many open files");
    if (descriptor >= 0 && fstat(descriptor, &is) == 0) {
        tracked[descriptor] = S_ISREG(is.st_mode) || S_ISDIR(is.st_mode) ? is.st_ino : 0;
        if (is_new) note(CREATE, is.st_ino, is.st_mode & 07777, within, strlen(within), "", 0);
        if (!is_new && (flags & O_TRUNC)) note(TRUNCATE, is.st_ino, 0, "", 0, "", 0);
    }
    pthread_mutex_unlock(&turn);
    errno = fault;
    return descriptor;
}

#define MODE_OF(flags, mode)                                 \
    mode_t mode = 0;                                         \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                   \
        va_list rest;                                        \
        va_start(rest, flags);                               \
        mode = va_arg(rest, mode_t);                         \
        va_end(rest);                                        \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags, mode) return open_noted(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags, mode) return open_noted(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags, mode) return open_noted(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags, mode) return open_noted(at, path, flags, mode); }
int __open_2(const char *path, int flags) { return open_noted(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_noted(AT_FDCWD, path, flags, 0); }
int creat(const char *path, mode_t mode) { return open_noted(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < FILES_MAX) tracked[descriptor] = 0;
    return (int)syscall(SYS_close, descriptor);
}

static ssize_t write_noted(int descriptor, const void *data, size_t bytes, off_t offset, int is_at_offset) {
    struct stat is;
    pthread_mutex_lock(&turn);
    int is_ours = is_tracked(descriptor, &is);
    if (is_ours && !is_at_offset) {
        int flags = (int)syscall(SYS_fcntl, descriptor, F_GETFL);
        offset = flags & O_APPEND ? is.st_size : lseek(descriptor, 0, SEEK_CUR);
    }
    if (!is_ours) pthread_mutex_unlock(&turn); /* a pipe or a socket may wait for ever */
    ssize_t written = is_at_offset ? syscall(SYS_pwrite64, descriptor, data, bytes, offset)
                                   : syscall(SYS_write, descriptor, data, bytes);
    if (!is_ours) return written;
    int fault = errno;
    if (written > 0) note(WRITE, is.st_ino, offset, data, (size_t)written, "", 0);
    pthread_mutex_unlock(&turn);
    errno = fault;
    return written;
}

ssize_t write(int descriptor, const void *data, size_t bytes) { return write_noted(descriptor, data, bytes, 0, 0); }
ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t at) {
    return write_noted(descriptor, data, bytes, at, 1);
}
ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t at) {
    return write_noted(descriptor, data, bytes, at, 1);
}

static int truncate_noted(int descriptor, off_t bytes) {
    struct stat is;
    pthread_mutex_lock(&turn);
    int is_ours = is_tracked(descriptor, &is), result = (int)syscall(SYS_ftruncate, descriptor, bytes), fault = errno;
    if (is_ours && result == 0) note(TRUNCATE, is.st_ino, bytes, "", 0, "", 0);
    pthread_mutex_unlock(&turn);
    errno = fault;
    return result;
}

int ftruncate(int descriptor, off_t bytes) { return truncate_noted(descriptor, bytes); }
int ftruncate64(int descriptor, off_t bytes) { return truncate_noted(descriptor, bytes); }

static int sync_noted(int descriptor, long call) {
    struct stat is;
    pthread_mutex_lock(&turn);
    int is_ours = is_tracked(descriptor, &is);
    if (is_ours && S_ISDIR(is.st_mode)) {
        char link[64], path[PATH_BYTES];
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length < (ssize_t)root_bytes) fail("a folder has no path");
        path[length] = 0;
        const char *within = path[root_bytes] ? path + root_bytes + 1 : "";
        note(SYNC_FOLDER, is.st_ino, 0, within, strlen(within), "", 0);
    } else if (is_ours) {
        note(SYNC, is.st_ino, 0, "", 0, "", 0);
    }
    pthread_mutex_unlock(&turn);
    return is_ours ? 0 : (int)syscall(call, descriptor);
}

int fsync(int descriptor) { return sync_noted(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return sync_noted(descriptor, SYS_fdatasync); }

static int rename_noted(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char a[PATH_BYTES], b[PATH_BYTES];
    int a_is_ours = below(from_at, from, a), b_is_ours = below(to_at, to, b);
    if (a_is_ours != b_is_ours || (a_is_ours && flags)) fail("a rename that is not known here");
    pthread_mutex_lock(&turn);
    int result = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags), fault = errno;
    if (a_is_ours && result == 0) note(RENAME, 0, 0, a, strlen(a) + 1, b, strlen(b));
    pthread_mutex_unlock(&turn);
    errno = fault;
    return result;
}

int rename(const char *from, const char *to) { return rename_noted(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_noted(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return rename_noted(a, from, b, to, flags); }

static int name_noted(uint32_t kind, int at, const char *path, long result_of, int flags, mode_t mode) {
    char within[PATH_BYTES];
    int is_ours = below(at, path, within);
    pthread_mutex_lock(&turn);
    int result = kind == MKDIR ? (int)syscall(SYS_mkdirat, at, path, mode) : (int)syscall(result_of, at, path, flags);
    int fault = errno;
    if (is_ours && result == 0) note(kind, 0, mode, within, strlen(within), "", 0);
    pthread_mutex_unlock(&turn);
    errno = fault;
    return result;
}

int unlink(const char *path) { return name_noted(UNLINK, AT_FDCWD, path, SYS_unlinkat, 0, 0); }
int rmdir(const char *path) { return name_noted(RMDIR, AT_FDCWD, path, SYS_unlinkat, AT_REMOVEDIR, 0); }
int unlinkat(int at, const char *path, int flags) {
    return name_noted(flags & AT_REMOVEDIR ? RMDIR : UNLINK, at, path, SYS_unlinkat, flags, 0);
}
int mkdir(const char *path, mode_t mode) { return name_noted(MKDIR, AT_FDCWD, path, 0, 0, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return name_noted(MKDIR, at, path, 0, 0, mode); }

int symlinkat(const char *target, int at, const char *path) {
    char within[PATH_BYTES];
    int is_ours = below(at, path, within);
    pthread_mutex_lock(&turn);
    int result = (int)syscall(SYS_symlinkat, target, at, path), fault = errno;
    if (is_ours && result == 0) note(SYMLINK, 0, 0, target, strlen(target) + 1, within, strlen(within));
    pthread_mutex_unlock(&turn);
    errno = fault;
    return result;
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    char a[PATH_BYTES], b[PATH_BYTES];
    int a_is_ours = below(from_at, from, a), b_is_ours = below(to_at, to, b);
    if (a_is_ours != b_is_ours) fail("a hard link that is not known here");
    pthread_mutex_lock(&turn);
    int result = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags), fault = errno;
    if (a_is_ours && result == 0) note(LINK, 0, 0, a, strlen(a) + 1, b, strlen(b));
    pthread_mutex_unlock(&turn);
    errno = fault;
    return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* What else may change a file's bytes. */
static void refuse(int descriptor, const char *what) {
    struct stat is;
    if (is_tracked(descriptor, &is)) fail(what);
}
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    refuse(descriptor, "writev");
    return syscall(SYS_writev, descriptor, parts, count);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t bytes) {
    refuse(to, "sendfile");
    return syscall(SYS_sendfile, to, from, offset, bytes);
}
ssize_t sendfile64(int to, int from, off_t *offset, size_t bytes) { return sendfile(to, from, offset, bytes); }
ssize_t copy_file_range(int from, off_t *a, int to, off_t *b, size_t bytes, unsigned flags) {
    refuse(to, "copy_file_range");
    return syscall(SYS_copy_file_range, from, a, to, b, bytes, flags);
}
int fallocate(int descriptor, int mode, off_t offset, off_t bytes) {
    refuse(descriptor, "fallocate");
    return (int)syscall(SYS_fallocate, descriptor, mode, offset, bytes);
}
int posix_fallocate(int descriptor, off_t offset, off_t bytes) {
    refuse(descriptor, "posix_fallocate");
    return syscall(SYS_fallocate, descriptor, 0, offset, bytes) == 0 ? 0 : errno;
}
